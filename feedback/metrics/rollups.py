"""Keeping the sums by hour and by day: refreshed from marks, rebuilt whole, compared with the raw facts.

An hour is never changed by adding to it: it is summed anew from the facts and replaced, and then its day from its hours
(``days``). A refresh first takes the marks away and then reads, in two statements, so that it sees at least what its
marks speak of; what is committed meanwhile left a mark of its own. One refresh at a time, by an advisory lock.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from cases.clock import db_now
from cases.models import Tenant

from ..models import MetricState
from . import days
from .days import AROUND_MIDNIGHT, DAY_OF_HOUR, HOUR_OF_DAY
from .definitions import KEPT, MEASURES
from .facts import HOURS

LOCK = 0x4D455452  # "METR"
BATCH = 2_000  # marks
CHUNK = timedelta(days=7)  # of a rebuild
DAYS_AT_ONCE = 28
HOUR = timedelta(hours=1)

_COLUMNS = ("hour", "dimension", "domain", "key", *(measure.name for measure in MEASURES), "handling_values")
# An hour that begins within the window and ends after it is another's: where clocks are set by half an hour.
_DELETE = """
    DELETE FROM feedback_metrichour WHERE tenant_id = %(tenant)s AND dimension = ANY(%(dimensions)s)
        AND hour >= %(start)s AND hour <= %(end)s - interval '1 hour'
"""
_INSERT = f"""
    INSERT INTO feedback_metrichour (id, tenant_id, {", ".join(_COLUMNS)})
    SELECT gen_random_uuid(), %(tenant)s::uuid, h.* FROM ({HOURS}) h ORDER BY h.dimension, h.hour
"""
_NOT_OF_HOURS = ", ".join(f"NULL::bigint[] AS {name}" for name in days.OF_DAYS)
_COUNTED = f"""
    SELECT %(tenant)s::uuid AS tenant_id, {DAY_OF_HOUR} AS day, {HOUR_OF_DAY} AS hour_of_day, h.*, {_NOT_OF_HOURS}
    FROM ({HOURS}) h WHERE {DAY_OF_HOUR} >= %(first)s AND {DAY_OF_HOUR} < %(beyond)s
"""
_KEPT_HOURS = f"""
    SELECT {", ".join(_COLUMNS)}, {_NOT_OF_HOURS} FROM feedback_metrichour
    WHERE tenant_id = %(tenant)s AND dimension = ANY(%(dimensions)s) AND hour >= %(start)s AND hour < %(end)s
        AND {DAY_OF_HOUR} >= %(first)s AND {DAY_OF_HOUR} < %(beyond)s
"""
_KEPT_DAYS = f"""
    SELECT day, dimension, domain, key, {", ".join(days.VALUES)} FROM feedback_metricday
    WHERE tenant_id = %(tenant)s AND dimension = ANY(%(dimensions)s) AND day >= %(first)s AND day < %(beyond)s
"""
_OF_KEPT, _OF_COUNTED = (", ".join(f"{table}.{name}" for name in days.VALUES) for table in ("k", "c"))
_DIFFER = f"{_OF_KEPT}, {_OF_COUNTED}", f"ROW({_OF_KEPT}) IS DISTINCT FROM ROW({_OF_COUNTED})"
_DIFFERENCES = f"""
    WITH counted AS MATERIALIZED ({_COUNTED})
    SELECT {DAY_OF_HOUR}, hour, dimension, domain, key, {_DIFFER[0]}
    FROM ({_KEPT_HOURS}) k FULL JOIN counted c USING (hour, dimension, domain, key) WHERE {_DIFFER[1]}
    UNION ALL
    SELECT day, NULL, dimension, domain, key, {_DIFFER[0]}
    FROM ({_KEPT_DAYS}) k FULL JOIN ({days.summed("counted")}) c USING (day, dimension, domain, key) WHERE {_DIFFER[1]}
    ORDER BY 1, 2 NULLS FIRST, 3, 4, 5
"""
_WEEKS = f"""
    SELECT f::date, b::date,
        (f AT TIME ZONE %(zone)s) - {AROUND_MIDNIGHT}, (b AT TIME ZONE %(zone)s) + {AROUND_MIDNIGHT}
    FROM unnest(%(firsts)s::timestamp[], %(beyonds)s::timestamp[]) AS week (f, b) ORDER BY f
"""
_DAYS = f"SELECT DISTINCT {DAY_OF_HOUR} FROM feedback_metrichour WHERE tenant_id = %(tenant)s ORDER BY 1"
_TAKE = """
    DELETE FROM feedback_metricmark WHERE id IN (
        SELECT id FROM feedback_metricmark WHERE due_at <= %s ORDER BY due_at, id LIMIT %s
    ) RETURNING case_id
"""
_TOUCHED = """
    SELECT DISTINCT at.tenant_id, s.time_zone, date_trunc('hour', at.at, s.time_zone) AS hour,
        (date_trunc('hour', at.at, s.time_zone) AT TIME ZONE s.time_zone)::date
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
        UNION ALL SELECT min(day)::timestamp AT TIME ZONE 'UTC', max(day)::timestamp AT TIME ZONE 'UTC'
        FROM feedback_metricday WHERE tenant_id = %(tenant)s
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
        touched = cursor.fetchall()
        for tenant_id, zone, start, end in _spans(hour for *hour, _ in touched):
            _replace(tenant_id, zone, start, end, now)
        found: dict[tuple[UUID, str], set[date]] = defaultdict(set)
        for tenant_id, zone, _, day in touched:
            found[tenant_id, zone].add(day)
        for (tenant_id, zone), of_tenant in found.items():
            days.replace_days(tenant_id, zone, of_tenant)
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
    values = {"tenant": tenant_id, "zone": zone, "start": start, "end": end, "now": now, "dimensions": list(KEPT)}
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, values)
        cursor.execute(_INSERT, values)


# --- rebuilding ------------------------------------------------------------------------------------------------------


def chunks_of(tenant: Tenant) -> Sequence[tuple[datetime, datetime]]:
    """The spans, a week each and in whole days, within which the tenant has facts or sums, in any time zone."""
    with connection.cursor() as cursor:
        cursor.execute(_EXTENT, {"tenant": tenant.pk})
        first, last = cursor.fetchone()
    if first is None:
        return []
    start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    spans = []
    while start <= last + timedelta(days=1):
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
        cursor.execute("DELETE FROM feedback_metricday WHERE tenant_id = %s", [tenant.pk])
        cursor.execute("DELETE FROM feedback_metrichour WHERE tenant_id = %s", [tenant.pk])
        for done, (start, end) in enumerate(spans):
            progress(done, len(spans))
            _replace(tenant.pk, tenant.time_zone, start, end, now)
        rebuild_days(tenant.pk, tenant.time_zone)
        progress(len(spans), len(spans))
        MetricState.objects.update_or_create(
            tenant=tenant, defaults={"time_zone": tenant.time_zone, "refreshed_at": now}
        )
        cursor.execute("SELECT count(*) FROM feedback_metrichour WHERE tenant_id = %s", [tenant.pk])
        return cursor.fetchone()[0]


def rebuild_days(tenant_id: UUID, zone: str) -> None:
    """Sum every day anew from the hours, of which ``zone`` must be that of their state."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, {"tenant": tenant_id, "zone": zone})
        found = [day for (day,) in cursor.fetchall()]
    for start in range(0, len(found), DAYS_AT_ONCE):
        days.replace_days(tenant_id, zone, found[start : start + DAYS_AT_ONCE])


def _aligned(spans: Sequence[tuple[datetime, datetime]], zone: str) -> list[tuple[datetime, datetime]]:
    """``spans`` with both ends moved to full hours of ``zone``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('hour', s, %s), date_trunc('hour', e, %s) "
            "FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span (s, e) ORDER BY s",
            [zone, zone, [start for start, _ in spans], [end for _, end in spans]],
        )
        return cursor.fetchall()


# --- comparing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A row that the sums and the facts do not share; ``kept`` or ``counted`` is None where it is missing, and ``hour``
    where it is the sum of the whole day."""

    day: date
    hour: datetime | None
    dimension: str
    domain: str
    key: str
    kept: tuple | None
    counted: tuple | None


def compare(tenant: Tenant, *, progress=lambda done, total: None) -> list[Difference]:
    """Where the sums differ from the facts, to the last digit; changes nothing. Whatever is marked may differ.

    One statement a week, so that hours, days and facts are of one instant.
    """
    state = MetricState.objects.filter(tenant=tenant).first()
    zone = state.time_zone if state else tenant.time_zone
    width, found = len(days.VALUES), []
    weeks = _weeks(chunks_of(tenant), zone)
    with connection.cursor() as cursor:
        for done, (first, beyond, start, end) in enumerate(weeks):
            progress(done, len(weeks))
            values = {"tenant": tenant.pk, "zone": zone, "dimensions": list(KEPT), "now": db_now()}
            values |= {"first": first, "beyond": beyond, "start": start, "end": end}
            cursor.execute(_DIFFERENCES, values)
            for *names, row in ((*row[:5], row[5:]) for row in cursor.fetchall()):
                found.append(Difference(*names, kept=_or_none(row[:width]), counted=_or_none(row[width:])))
    progress(len(weeks), len(weeks))
    return found


def _or_none(row: tuple) -> tuple | None:
    return None if all(value is None for value in row) else row


def _weeks(spans: Sequence[tuple[datetime, datetime]], zone: str) -> list[tuple[date, date, datetime, datetime]]:
    """The dates of ``spans``, the last not included, and a window around them where ``zone`` is."""
    firsts, beyonds = ([span[end].replace(tzinfo=None) for span in spans] for end in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(_WEEKS, {"zone": zone, "firsts": firsts, "beyonds": beyonds})
        return cursor.fetchall()
