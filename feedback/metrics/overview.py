"""What the insights page reads, in few statements: each tells of several tables, or of the period before as well."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from cases.clock import pretended
from cases.models import Tenant

from .definitions import ALL, BY_MEASURE, REPEATED, Dimension
from .levels import OPENED_BY_HOUR, columns
from .reading import HOUR, Period, Question, Sums, in_periods, rows_of

NAMES = tuple(BY_MEASURE)
OF_GROUPS = (  # What a table by group is made of.
    *("opened", "escalated", "judged", "overridden", "sla_ended", "sla_missed"),
    *("reviewed", "accepted", "edited", "edit_characters", "handled", "handling_seconds"),
)
_SUMS_OF_GROUPS = ", ".join(f"sum({name}) AS {name}" for name in OF_GROUPS)


def window(tenant: Tenant, days: int, **narrowed: Any) -> tuple[Question, datetime | None]:
    """The last ``days`` days of the tenant's calendar, today included, and up to when their sums are complete."""
    values = {"now": pretended(), "tenant": tenant.pk, "zone": tenant.time_zone, "days": timedelta(days=days - 1)}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT zone, s.refreshed_at,
                date_trunc('hour', (date_trunc('day', now AT TIME ZONE zone) - %(days)s) AT TIME ZONE zone, zone),
                date_trunc('hour', now + interval '59:59.999999', zone)
            FROM (
                SELECT %(tenant)s::uuid AS tenant_id, COALESCE(%(now)s::timestamptz, statement_timestamp()) AS now
            ) asked LEFT JOIN feedback_metricstate s USING (tenant_id),
                LATERAL (SELECT COALESCE(s.time_zone, %(zone)s) AS zone) kept
            """,
            values,
        )
        zone, complete_until, start, end = cursor.fetchone()
    if end <= start:  # Exactly midnight.
        end = start + HOUR
    return Question(tenant.pk, zone, start, end, **narrowed), complete_until


@dataclass(frozen=True)
class Course:
    """The sums of a window, of the one before, and of each period of the window that has any."""

    now: Sums
    before: Sums
    periods: Mapping[datetime, Sums]


def course_of(question: Question, period: Period) -> Course:
    """Of ``question``, which has neither period nor dimension."""
    what = columns(*NAMES)
    rows = rows_of(question)
    at, now = in_periods(replace(question, period=period), rows, what)
    earlier = rows_of(question.before(), name="before_")
    names = ", ".join(NAMES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT is_before, at, {', '.join(f'sum({name})' for name in NAMES)} FROM ("
            f"SELECT false AS is_before, {at} AS at, {names} FROM ({now}) r "
            f"UNION ALL SELECT true, NULL, {names} FROM ({earlier.by_day(what)}) r"
            ") of_both GROUP BY 1, 2 ORDER BY 1, 2",
            {**rows.values, **earlier.values},
        )
        found = [(is_before, at, dict(zip(NAMES, sums, strict=True))) for is_before, at, *sums in cursor.fetchall()]
    periods = {at: sums for is_before, at, sums in found if not is_before}
    return Course(
        now=_total(periods.values()),
        before=_total([sums for is_before, _, sums in found if is_before]),
        periods=periods,
    )


def _total(sums: Collection[Sums]) -> Sums:
    return {name: sum(one[name] for one in sums) for name in NAMES}


@dataclass(frozen=True)
class Reasons:
    """Domain, reasons and escalated cases of the reasons that escalated most; how many escalated cases had a reason
    that escalated ``REPEATED`` or more, and how many in the window before."""

    top: Sequence[tuple[str, str, int]]
    repeated: int
    repeated_before: int


def reasons_of(question: Question, limit: int) -> Reasons:
    """Of ``question``, which has neither period nor dimension."""
    what = columns("domain", "key", "escalated")
    rows = rows_of(question, Dimension.REASONS)
    earlier = rows_of(question.before(), Dimension.REASONS, name="before_")
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH reasons AS (SELECT is_before, domain, key, sum(escalated) AS n FROM ("
            f"SELECT false AS is_before, * FROM ({rows.by_day(what)}) r "
            f"UNION ALL SELECT true, * FROM ({earlier.by_day(what)}) r"
            ") of_both GROUP BY 1, 2, 3 HAVING sum(escalated) > 0), placed AS (SELECT *, "
            f"COALESCE(sum(n) FILTER (WHERE n >= {REPEATED}) OVER (PARTITION BY is_before), 0) AS repeated, "
            "row_number() OVER (PARTITION BY is_before ORDER BY n DESC, domain, key) AS place FROM reasons) "
            "SELECT is_before, domain, key, n, repeated FROM placed WHERE place <= CASE WHEN is_before THEN 1 "
            "ELSE %(limit)s END ORDER BY is_before, place",
            {**rows.values, **earlier.values, "limit": limit},
        )
        found = cursor.fetchall()
    repeated = {is_before: int(n) for is_before, *_, n in found}
    top = [(domain, key, int(n)) for is_before, domain, key, n, _ in found if not is_before]
    return Reasons(top, repeated.get(False, 0), repeated.get(True, 0))


@dataclass(frozen=True)
class Groups:
    """The sums of each key of several dimensions. Those of the domains are of every domain."""

    by: Mapping[str, Mapping[str, Sums]] = field(default_factory=dict)

    def largest(self, dimension: str, limit: int, measures: Sequence[str]) -> dict[str, Sums]:
        """The keys with the most of ``measures``, the largest first."""
        sized = [(-sum(sums[name] for name in measures), key) for key, sums in self.by.get(dimension, {}).items()]
        found = sorted(one for one in sized if one[0] < 0)[:limit]
        return {key: self.by[dimension][key] for _, key in found}


def groups_of(question: Question, dimensions: Collection[Dimension], *, limit: int, domains: int) -> Groups:
    """Those of the domains and of ``dimensions``: of each the ``limit`` keys with the most facts and those with the
    most decisions, and ``domains`` of the domains. ``question`` has neither period nor dimension."""
    what = columns("dimension", "domain", "key", *OF_GROUPS)
    every = rows_of(replace(question, domain=""), ALL, name="every_")
    selects, values = [every.by_day(what)], every.values
    if others := [dimension for dimension in dimensions if dimension != Dimension.DOMAIN]:
        rows = rows_of(question, *others)
        selects, values = [*selects, rows.by_day(what)], {**values, **rows.values}
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH sums AS (SELECT dimension, CASE WHEN dimension = '{ALL}' THEN domain ELSE key END AS grp, "
            f"{_SUMS_OF_GROUPS} FROM ({' UNION ALL '.join(selects)}) r GROUP BY 1, 2), placed AS (SELECT *, "
            "row_number() OVER (PARTITION BY dimension ORDER BY opened + handled DESC, grp) AS by_facts, "
            "row_number() OVER (PARTITION BY dimension ORDER BY judged DESC, grp) AS by_decisions FROM sums) "
            f"SELECT dimension, grp, {', '.join(OF_GROUPS)} FROM placed "
            f"WHERE LEAST(by_facts, by_decisions) <= CASE WHEN dimension = '{ALL}' THEN %(domains)s ELSE %(limit)s END",
            {**values, "limit": limit, "domains": domains},
        )
        by: dict[str, dict[str, Sums]] = {}
        for dimension, key, *sums in cursor.fetchall():
            name = Dimension.DOMAIN.value if dimension == ALL else dimension
            by.setdefault(name, {})[key] = dict(zip(OF_GROUPS, sums, strict=True))
    return Groups(by)


def load_by_hour(question: Question) -> Mapping[tuple[int, int], int]:
    """Cases opened, by weekday (Monday is 1) and hour of the day where the tenant is."""
    rows = rows_of(question)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(isodow FROM day)::int, hour_of_day, sum(opened) "
            f"FROM ({rows.by_day(OPENED_BY_HOUR)}) r WHERE opened > 0 GROUP BY 1, 2",
            rows.values,
        )
        return Counter({(weekday, hour): int(n) for weekday, hour, n in cursor.fetchall()})
