"""Keeping the hourly sums: refreshed from marks, rebuilt whole, compared with the raw facts.

An hour is never changed by adding to it: it is summed anew from the facts and replaced. A refresh first takes the marks
away and then reads, in two statements, so that it sees at least what its marks speak of; what is committed meanwhile
left a mark of its own. One refresh at a time, by an advisory lock.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from cases.clock import db_now
from cases.models import Tenant

from ..models import MetricState
from .definitions import MEASURES
from .facts import HOURS

LOCK = 0x4D455452  # "METR"
BATCH = 2_000  # marks
CHUNK = timedelta(days=7)  # of a rebuild
HOUR = timedelta(hours=1)

_KEYS = ("hour", "dimension", "domain", "key")
_VALUES = (*(measure.name for measure in MEASURES), "handling_values")
_COLUMNS = (*_KEYS, *_VALUES)
_KEPT = f"""
    SELECT {", ".join(_COLUMNS)} FROM feedback_metrichour
    WHERE tenant_id = %(tenant)s AND hour >= %(start)s AND hour < %(end)s
"""
_OF_KEPT, _OF_COUNTED = (", ".join(f"{table}.{name}" for name in _VALUES) for table in ("k", "h"))
_DIFFERENCES = f"""
    SELECT {", ".join(_KEYS)}, {_OF_KEPT}, {_OF_COUNTED}
    FROM ({_KEPT}) k FULL JOIN ({HOURS}) h USING ({", ".join(_KEYS)})
    WHERE ROW({_OF_KEPT}) IS DISTINCT FROM ROW({_OF_COUNTED})
    ORDER BY 1, 2, 3, 4
"""
_TAKE = """
    DELETE FROM feedback_metricmark WHERE id IN (
        SELECT id FROM feedback_metricmark WHERE due_at <= %s ORDER BY due_at, id LIMIT %s
    ) RETURNING case_id
"""
_TOUCHED = """
    SELECT DISTINCT at.tenant_id, s.time_zone, date_trunc('hour', at.at, s.time_zone) AS hour
    FROM (
        SELECT tenant_id, opened_at AS at FROM cases_case WHERE id = ANY(%(cases)s)
        UNION ALL SELECT tenant_id, created_at FROM feedback_review WHERE case_id = ANY(%(cases)s)
    ) at JOIN feedback_metricstate s ON s.tenant_id = at.tenant_id
    ORDER BY 1, 3
"""
_EXTENT = """
    SELECT min(least), max(greatest) FROM (
        SELECT min(opened_at) AS least, max(opened_at) AS greatest FROM cases_case WHERE tenant_id = %(tenant)s
        UNION ALL SELECT min(created_at), max(created_at) FROM feedback_review WHERE tenant_id = %(tenant)s
        UNION ALL SELECT min(hour), max(hour) FROM feedback_metrichour WHERE tenant_id = %(tenant)s
    ) ends
"""


def refresh(*, batch: int = BATCH) -> int:
    """Sum the hours of marked cases anew; returns how many marks were taken. Safe to run twice at once."""
    total = 0
    while taken := _refresh_batch(batch):
        total += taken
        if taken < batch:
            break
    return total


@transaction.atomic
def _refresh_batch(batch: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        now = db_now()
        cursor.execute(_TAKE, [now, batch])
        cases = [case_id for (case_id,) in cursor.fetchall()]
        MetricState.objects.bulk_create(
            (
                MetricState(tenant=tenant, time_zone=tenant.time_zone, refreshed_at=now)
                for tenant in Tenant.objects.filter(cases__in=cases)
                .exclude(pk__in=MetricState.objects.values("tenant"))
                .distinct()
            ),
            ignore_conflicts=True,
        )
        cursor.execute(_TOUCHED, {"cases": list(set(cases))})
        for tenant_id, zone, start, end in _spans(cursor.fetchall()):
            _replace(tenant_id, zone, start, end, now)
    MetricState.objects.update(refreshed_at=now)
    return len(cases)


def _spans(hours: Iterable[tuple[UUID, str, datetime]]) -> Iterator[tuple[UUID, str, datetime, datetime]]:
    """Hours that follow on each other as one span, a day long at most."""
    span: tuple[UUID, str, datetime, datetime] | None = None
    for tenant_id, zone, hour in hours:
        if span and span[0] == tenant_id and span[3] == hour and hour - span[2] < timedelta(days=1):
            span = (*span[:3], hour + HOUR)
            continue
        if span:
            yield span
        span = (tenant_id, zone, hour, hour + HOUR)
    if span:
        yield span


def _replace(tenant_id: UUID, zone: str, start: datetime, end: datetime, now: datetime) -> None:
    values = {"tenant": tenant_id, "zone": zone, "start": start, "end": end, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM feedback_metrichour WHERE tenant_id = %(tenant)s AND hour >= %(start)s AND hour < %(end)s",
            values,
        )
        cursor.execute(
            f"INSERT INTO feedback_metrichour (id, tenant_id, {', '.join(_COLUMNS)}) "
            f"SELECT gen_random_uuid(), %(tenant)s::uuid, h.* FROM ({HOURS}) h",
            values,
        )


# --- rebuilding ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A row that the sums and the facts do not share; ``kept`` or ``counted`` is None where it is missing."""

    hour: datetime
    dimension: str
    domain: str
    key: str
    kept: tuple | None
    counted: tuple | None


def chunks_of(tenant: Tenant) -> Sequence[tuple[datetime, datetime]]:
    """The spans, a week each and in whole hours, within which the tenant has facts or sums."""
    with connection.cursor() as cursor:
        cursor.execute(_EXTENT, {"tenant": tenant.pk})
        first, last = cursor.fetchone()
    if first is None:
        return []
    start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    spans = []
    while start <= last:
        spans.append((start, start + CHUNK))
        start += CHUNK
    return spans


@transaction.atomic
def rebuild(tenant: Tenant, *, progress=lambda done, total: None) -> int:
    """Throw the tenant's sums away and count everything anew, in its time zone of now; returns how many rows there are.

    One transaction: readers see the old sums or the new ones. Marks stay and are taken by the next refresh.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        now = db_now()
        spans = _aligned(chunks_of(tenant), tenant.time_zone)
        cursor.execute("DELETE FROM feedback_metrichour WHERE tenant_id = %s", [tenant.pk])
        for done, (start, end) in enumerate(spans):
            progress(done, len(spans))
            _replace(tenant.pk, tenant.time_zone, start, end, now)
        progress(len(spans), len(spans))
        MetricState.objects.update_or_create(
            tenant=tenant, defaults={"time_zone": tenant.time_zone, "refreshed_at": now}
        )
        cursor.execute("SELECT count(*) FROM feedback_metrichour WHERE tenant_id = %s", [tenant.pk])
        return cursor.fetchone()[0]


def compare(tenant: Tenant, *, progress=lambda done, total: None) -> list[Difference]:
    """Where the sums differ from the facts, to the last digit; changes nothing. Whatever is marked may differ.

    One statement a week, so that sums and facts are of one instant.
    """
    state = MetricState.objects.filter(tenant=tenant).first()
    zone = state.time_zone if state else tenant.time_zone
    found: list[Difference] = []
    spans = _aligned(chunks_of(tenant), zone)
    with connection.cursor() as cursor:
        for done, (start, end) in enumerate(spans):
            progress(done, len(spans))
            values = {"tenant": tenant.pk, "zone": zone, "start": start, "end": end, "now": db_now()}
            cursor.execute(_DIFFERENCES, values)
            for row in cursor.fetchall():
                kept, counted = row[4 : 4 + len(_VALUES)], row[4 + len(_VALUES) :]
                found.append(Difference(*row[:4], kept=_or_none(kept), counted=_or_none(counted)))
    progress(len(spans), len(spans))
    return found


def _or_none(row: tuple) -> tuple | None:
    return None if all(value is None for value in row) else row


def _aligned(spans: Sequence[tuple[datetime, datetime]], zone: str) -> list[tuple[datetime, datetime]]:
    """``spans`` with both ends moved to full hours of ``zone``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('hour', s, %s), date_trunc('hour', e, %s) "
            "FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span (s, e) ORDER BY s",
            [zone, zone, [start for start, _ in spans], [end for _, end in spans]],
        )
        return cursor.fetchall()
