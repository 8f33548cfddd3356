"""Reading the sums: a window, in the tenant's own hours, days, weeks or months, by one dimension.

The domain combines with every dimension; two others do not combine, since the sums of one are not split by the other:
to ask so is refused and never answered approximately. Nothing here reads cases or reviews, but for the waiting ones of
``queue_age``.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db import connection

from cases.clock import pretended
from cases.errors import CountersignError
from cases.models import Case, Tenant
from queues.models import Entry

from ..models import MetricState
from .definitions import (
    ALL,
    BY_MEASURE,
    BY_METRIC,
    REPEATED,
    REPEATED_CASES,
    Dimension,
    Metric,
    Source,
)
from .levels import Columns, Rows, columns, handling

HOUR = timedelta(hours=1)
LONGEST = timedelta(days=366)
MOST_ROWS = 5_000  # groups, each of one period
PERCENTILES = (Decimal("0.5"), Decimal("0.9"))


class Period(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # begins on Monday
    MONTH = "month"


class BadQuestion(CountersignError):
    """The question has no exact answer from what is kept."""

    code = "metrics_not_available"
    status = 400
    title = "This cannot be answered"


@dataclass(frozen=True)
class Question:
    """``start`` included, ``end`` not, both full hours of ``zone``; ``only`` is a dimension and the key to keep."""

    tenant_id: UUID
    zone: str
    start: datetime
    end: datetime
    period: Period | None = None
    by: Dimension | None = None
    domain: str = ""
    only: tuple[Dimension, str] | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) < self.end - self.start <= LONGEST:
            raise BadQuestion(f"The window must end after it began and span at most {LONGEST.days} days.")
        if self.only and self.by not in (None, Dimension.DOMAIN, self.only[0]):
            raise BadQuestion(
                f"Sums are kept for each {self.by} and for each {self.only[0]}, not for both together: leave one out. "
                "The domain combines with each of them."
            )

    @property
    def dimension(self) -> str:
        """Whose rows answer it."""
        if self.only:
            return self.only[0]
        return self.by if self.by and self.by != Dimension.DOMAIN else ALL

    def before(self) -> "Question":
        """The same of the period before, as long as this one."""
        return replace(self, start=self.start - (self.end - self.start), end=self.start)


@dataclass(frozen=True)
class Figure:
    """One metric of one group in one period. ``value`` is exact; percentiles are whole seconds."""

    metric: Metric
    at: datetime | None
    key: str | None
    above: int | Decimal
    below: int | Decimal
    p50: int | None = None
    p90: int | None = None

    @property
    def value(self) -> Fraction | None:
        return Fraction(self.above) / Fraction(self.below) if self.below else None


def zone_of(tenant: Tenant) -> tuple[str, datetime | None]:
    """The time zone whose hours are kept, and up to when they are complete; the latter is None before the first."""
    state = MetricState.objects.filter(tenant=tenant).first()
    return (state.time_zone, state.refreshed_at) if state else (tenant.time_zone, None)


def full_hours(start: datetime, end: datetime, zone: str) -> tuple[datetime, datetime]:
    """The window widened to full hours of ``zone``, which may lie at half past."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_trunc('hour', %(start)s::timestamptz, %(zone)s), "
            "date_trunc('hour', %(end)s::timestamptz + interval '59:59.999999', %(zone)s)",
            {"start": start, "end": end, "zone": zone},
        )
        return cursor.fetchone()


def figures(question: Question, metrics: Iterable[str], *, with_ranks: bool = True) -> list[Figure]:
    """The metrics named, of every group and period that has facts; without groups, always one of each metric.

    ``with_ranks`` is False for who does not show percentiles: they read every single value.
    """
    asked = [BY_METRIC[name] for name in metrics]
    names = measures_of(asked)
    sums = read_sums(question, names) if names else {}
    if question.period is None and question.by is None and not sums:
        sums = {(None, None): dict.fromkeys(names, 0)}
    found: list[Figure] = []
    for metric in asked:
        if metric.source is None:
            found += queue_age(question, metric)
            continue
        extra = _repeated(question) if REPEATED_CASES in metric.above else {}
        ranks = percentiles(question) if metric.has_percentiles and with_ranks else {}
        for group, row in sums.items():
            above, below = metric.parts({**row, REPEATED_CASES: extra.get(group, 0)})
            found.append(Figure(metric, *group, above, below, *ranks.get(group, ())))
    return found


def measures_of(metrics: Iterable[Metric]) -> list[str]:
    """The measures that ``metrics`` are made of."""
    named = {name for metric in metrics for name in (*metric.above, *metric.below)}
    return [name for name in BY_MEASURE if name in named]


Group = tuple[datetime | None, str | None]
Sums = Mapping[str, int | Decimal]


def read_sums(question: Question, names: Sequence[str] = tuple(BY_MEASURE)) -> dict[Group, Sums]:
    """What each measure of ``names`` adds up to, per period and key, in that order."""
    at, group, rows, values = _parts(question, columns(*_group(question), *names))
    found = _groups(
        f"SELECT {at} AS at, {group} AS grp, {', '.join(f'sum({name})' for name in names)} FROM ({rows}) r "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        values,
    )
    return {(at, key): dict(zip(names, sums, strict=True)) for at, key, *sums in found}


def percentiles(question: Question) -> dict[Group, tuple[int, ...]]:
    """Nearest-rank percentiles of all the single values, by how often there is each of them: exact."""
    at, group, rows, values = _parts(question, handling(*_group(question)))
    ranks = ", ".join(f"min(value) FILTER (WHERE upto >= {share} * total)" for share in PERCENTILES)
    found = _groups(
        f"WITH counted AS (SELECT {at} AS at, {group} AS grp, value, sum(n) AS n FROM ({rows}) r GROUP BY 1, 2, 3), "
        "ranked AS (SELECT at, grp, value, sum(n) OVER (PARTITION BY at, grp ORDER BY value) AS upto, "
        "sum(n) OVER (PARTITION BY at, grp) AS total FROM counted) "
        f"SELECT at, grp, {ranks} FROM ranked GROUP BY 1, 2 ORDER BY 1, 2",
        values,
    )
    return {(at, key): tuple(ranks) for at, key, *ranks in found}


def _repeated(question: Question) -> dict[Group, int]:
    """How many escalated cases had a reason that escalated ``REPEATED`` or more of their group."""
    if question.dimension not in (ALL, Dimension.REASONS):
        raise BadQuestion("Repeated reasons are counted by domain and by reasons only: leave the other dimension out.")
    at, group, rows, values = _parts(question, columns("domain", "key", "escalated"), Dimension.REASONS)
    found = _groups(
        f"SELECT at, grp, sum(n) FROM (SELECT {at} AS at, {group} AS grp, sum(escalated) AS n FROM ({rows}) r "
        f"GROUP BY 1, 2, domain, key) reasons WHERE n >= {REPEATED} GROUP BY 1, 2",
        values,
    )
    return {(at, key): int(n) for at, key, n in found}


def rows_of(question: Question, *dimensions: str, name: str = "") -> Rows:
    """The rows that answer ``question``, or those of other ``dimensions``."""
    return Rows(
        question.tenant_id,
        question.zone,
        question.start,
        question.end,
        dimensions or (question.dimension,),
        domain=question.domain,
        key=question.only[1] if question.only else None,
        name=name,
    )


def in_periods(question: Question, rows: Rows, what: Columns) -> tuple[str, str]:
    """When the period of a row begins, and the select of the rows, which are as long as it lets them be."""
    if question.period is None:
        return "NULL::timestamptz", rows.by_day(what)
    if question.period == Period.HOUR:
        return "hour", rows.by_hour(what)
    # It begins where the one before ends: where midnight comes twice, at the first of them.
    local = f"date_trunc('{question.period}', day::timestamp) - interval '1 microsecond'"
    return f"({local}) AT TIME ZONE %({rows.name}zone)s + interval '1 microsecond'", rows.by_day(what)


def _parts(question: Question, what: Columns, *dimensions: str) -> tuple[str, str, str, dict[str, Any]]:
    """The period's and the group's expressions, the rows, their values."""
    rows = rows_of(question, *dimensions)
    group = next(iter(_group(question)), "NULL::text")
    at, select = in_periods(question, rows, what)
    return at, group, select, rows.values


def _group(question: Question) -> Sequence[str]:
    """The column that tells the groups apart, if any."""
    if question.by is None:
        return ()
    return ("domain",) if question.by == Dimension.DOMAIN else ("key",)


def _groups(sql: str, values: Mapping[str, Any]) -> Sequence[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {MOST_ROWS + 1}", values)
        found = cursor.fetchall()
    if len(found) > MOST_ROWS:
        raise BadQuestion(f"This has more than {MOST_ROWS:,} groups: ask for a shorter window or longer periods.")
    return found


# --- what is counted now ----------------------------------------------------------------------------------------------

_WAITING_BY = {
    Dimension.DOMAIN: "case__domain",
    Dimension.QUEUE: "queue",
    Dimension.RISK: "risk",
    Dimension.ROUTE: "route",
}


def queue_age(question: Question, metric: Metric) -> Iterator[Figure]:
    """Of the cases that wait now, free to be claimed: the window does not matter."""
    dimensions = {question.by, question.only[0] if question.only else None} - {None}
    if question.period or dimensions - set(_WAITING_BY):
        raise BadQuestion(
            "The age of the queue is counted now, by domain, queue, risk or route: leave group_by and others out."
        )
    waiting = Entry.objects.waiting().filter(tenant=question.tenant_id, case__purpose=Case.Purpose.REAL)
    if question.domain:
        waiting = waiting.filter(case__domain=question.domain)
    if question.only:
        waiting = waiting.filter(**{_WAITING_BY[question.only[0]]: question.only[1]})
    columns = [_WAITING_BY[question.by]] if question.by else []
    sql, values = waiting.order_by().values_list(*columns, "entered_at").query.sql_with_params()
    names = "key, entered_at" if columns else "entered_at"
    key = "key::text" if columns else "NULL::text"
    ranks = f"percentile_disc(ARRAY[{', '.join(map(str, PERCENTILES))}]) WITHIN GROUP (ORDER BY age)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, COALESCE(sum(age), 0), count(*), {ranks} FROM ({sql}) w ({names}), "
            "(SELECT COALESCE(%s::timestamptz, statement_timestamp())) n (now), "
            "LATERAL (SELECT GREATEST(floor(extract(epoch FROM n.now - w.entered_at)), 0)::bigint AS age) aged "
            f"{'GROUP BY 1 ORDER BY 1' if columns else ''}",
            (*values, pretended()),
        )
        for found, above, below, percentiles in cursor.fetchall():
            yield Figure(metric, None, found, int(above), below, *(percentiles or ()))


# --- which metrics a question can have --------------------------------------------------------------------------------


def available(question: Question) -> list[str]:
    """The metrics that have an answer to ``question``, in the order of their definitions."""
    dimensions = {question.by, question.only[0] if question.only else None} - {None}
    names = []
    for metric in BY_METRIC.values():
        if metric.source is None:
            fits = not question.period and not dimensions - set(_WAITING_BY)
        elif REPEATED_CASES in metric.above:
            fits = not dimensions - {Dimension.DOMAIN, Dimension.REASONS}
        else:
            fits = Dimension.REVIEWER not in dimensions or metric.source == Source.REVIEW
        if fits:
            names.append(metric.name)
    return names
