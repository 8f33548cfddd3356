"""Everything that the insights page shows, in a fixed number of queries, from the sums alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from cases.models import PolicyVersion, Release, Tenant

from . import overview, reading
from .advice import Advice
from .behind import FUNNEL
from .charts import Chart, draw
from .definitions import BY_METRIC, METRICS, REPEATED, REPEATED_CASES, Dimension, Metric, Unit
from .names import Name, names_of
from .overview import Course, Groups, Reasons
from .reading import Figure, Period, Question, Sums
from .wording import change_words, count_words, value_words

REASONS, GROUPS, MARKS, DOMAINS = 10, 20, 20, 100
TABLE = ("escalation_rate", "override_rate", "sla_miss_rate", "average_handling_time")
OF_PEOPLE = ("override_rate", "draft_acceptance_rate", "reviewer_edit_distance", "average_handling_time")
ADVISED = ((Dimension.TRIGGER, "Trigger"), (Dimension.QUEUE, "Queue"), (Dimension.CONDITION, "Condition of the policy"))
PICTURED = tuple(metric for metric in METRICS if metric.source)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHADES = 5


@dataclass(frozen=True)
class Cell:
    """A number with the list of cases behind it, where there is one."""

    words: str
    url: str = ""
    shade: int = 0


@dataclass(frozen=True)
class MetricRow:
    metric: Metric
    value: Cell
    n: Cell
    before: str
    change: str
    ranks: str = ""


@dataclass(frozen=True)
class Mark:
    number: int
    at: datetime
    words: str


@dataclass(frozen=True)
class Point:
    at: datetime
    value: Cell
    n: Cell


@dataclass(frozen=True)
class Picture:
    """One metric over time, with what changed meanwhile."""

    metric: Metric
    chart: Chart
    ticks: Sequence[tuple[float, str]]
    points: Sequence[Point]
    period: Period
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Insights(Picture):
    question: Question
    complete_until: datetime | None
    rows: Sequence[MetricRow]
    funnel: Sequence[tuple[str, Cell, int]]
    load: Sequence[tuple[str, Sequence[Cell]]]
    reasons: Sequence[tuple[str, str, Cell, bool]]
    by: Dimension
    heads: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Cell]]]
    advice: Sequence[tuple[str, Sequence[tuple[Advice, Cell]]]]


def groups_of(question: Question, by: Dimension) -> Groups:
    """What the page's choices and its tables by group are made of. One query."""
    wanted = {by, *(dimension for dimension, _ in ADVISED)}
    return overview.groups_of(question, sorted(wanted), limit=GROUPS, domains=DOMAINS)


def domains_of(groups: Groups) -> list[str]:
    """The domains that the page offers, by name."""
    return sorted(groups.largest(Dimension.DOMAIN, DOMAINS, ("opened", "handled")))


def look(
    tenant: Tenant,
    question: Question,
    complete_until: datetime | None,
    *,
    metric: Metric,
    by: Dimension,
    groups: Groups,
) -> Insights:
    """The page's content for ``question``, which has neither period nor dimension, and its ``groups``."""
    link = _Links(tenant, question)
    period = _period(question)
    course = overview.course_of(question, period)
    reasons = overview.reasons_of(question, REASONS)
    wanted = {by, *(dimension for dimension, _ in ADVISED)}
    names = {dimension: names_of(tenant, dimension, groups.by.get(dimension, ())) for dimension in wanted}
    heads, table = _groups(question, by, groups, names[by], link)
    return Insights(
        **vars(_picture(tenant, question, metric, period, _by_period(question, course, period, metric))),
        question=question,
        complete_until=complete_until,
        rows=[_metric_row(now, before, link) for now, before in _whole(question, course, reasons)],
        funnel=_funnel(course.now, link),
        load=_load(question, link),
        reasons=_reasons(tenant, reasons, link),
        by=by,
        heads=heads,
        groups=table,
        advice=[(words, _advice(groups, dimension, names[dimension], link)) for dimension, words in ADVISED],
    )


def picture_of(tenant: Tenant, question: Question, metric: Metric) -> Picture:
    """``metric`` over the window of ``question``, which has neither period nor dimension. Three queries."""
    period = _period(question)
    return _picture(tenant, question, metric, period, _asked(question, period, metric))


def _asked(question: Question, period: Period, metric: Metric) -> dict[datetime | None, Figure]:
    found = reading.figures(replace(question, period=period), [metric.name], with_ranks=False)
    return {figure.at: figure for figure in found}


def _by_period(question: Question, course: Course, period: Period, metric: Metric) -> Mapping[datetime | None, Figure]:
    """As ``_asked``; whether a reason repeats is another question in each period, and asked."""
    if REPEATED_CASES in metric.above:
        return _asked(question, period, metric)
    return {at: Figure(metric, at, None, *metric.parts(sums)) for at, sums in course.periods.items()}


def _whole(question: Question, course: Course, reasons: Reasons) -> Iterator[tuple[Figure, Figure | None]]:
    """Each metric over the window, and over the one before; what is counted now has none before."""
    ranks = reading.percentiles(question).get((None, None), ())
    now = {**course.now, REPEATED_CASES: reasons.repeated}
    before = {**course.before, REPEATED_CASES: reasons.repeated_before}
    for metric in METRICS:
        if metric.source is None:
            (figure,) = reading.queue_age(question, metric)
            yield figure, None
        else:
            figure = Figure(metric, None, None, *metric.parts(now), *(ranks if metric.has_percentiles else ()))
            yield figure, Figure(metric, None, None, *metric.parts(before))


def _picture(
    tenant: Tenant, question: Question, metric: Metric, period: Period, figures: Mapping[datetime | None, Figure]
) -> Picture:
    link = _Links(tenant, question)
    points = [(at, figures.get(at)) for at in _starts(question, period)]
    marks = _marks(tenant, question)
    chart = draw(
        [(at, None if figure is None or figure.value is None else float(figure.value)) for at, figure in points],
        [mark.at for mark in marks],
        question.start,
        question.end,
        most=1.0 if metric.unit == Unit.SHARE else None,
    )
    return Picture(
        metric=metric,
        chart=chart,
        ticks=[(tick.at, value_words(metric, tick.value)) for tick in chart.ticks],
        points=[_point(at, figure, metric, period, question, link) for at, figure in points],
        period=period,
        marks=marks,
    )


def cases_url(tenant: Tenant, question: Question, of: str, **more: Any) -> str:
    """The list of the cases behind one number of ``question``."""
    return _Links(tenant, question)(of, **more)


class _Links:
    """Addresses of the lists of cases behind the numbers of one page."""

    def __init__(self, tenant: Tenant, question: Question) -> None:
        self._base = {"tenant": tenant.slug, "from": _stamp(question.start), "to": _stamp(question.end)}
        if question.domain:
            self._base["domain"] = question.domain

    def __call__(self, of: str, **more: Any) -> str:
        return f"{reverse('admin:insights-cases')}?{urlencode(self._base | {'of': of} | more)}"

    def cell(self, words: Any, of: str, **more: Any) -> Cell:
        return Cell(str(words), self(of, **more))


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _metric_row(figure: Figure, before: Figure | None, link: _Links) -> MetricRow:
    metric, ranks = figure.metric, ""
    value = value_words(metric, figure.value)
    if figure.p50 is not None and figure.p90 is not None:
        ranks = f"p50 {value_words(metric, figure.p50)}, p90 {value_words(metric, figure.p90)}"
    if metric.source is None:
        waiting = reverse("admin:queues_entry_changelist")
        return MetricRow(metric, Cell(value, waiting), Cell(f"{figure.below:,}", waiting), "counted now", "", ranks)
    is_repeated = REPEATED_CASES in metric.above  # Its cases are those of the reasons, which the page lists one by one.
    return MetricRow(
        metric,
        Cell(value, "#reasons-title") if is_repeated else link.cell(value, f"{metric.name}.above"),
        link.cell(count_words(figure.below), f"{metric.name}.below"),
        value_words(metric, before.value if before else None),
        change_words(metric, before.value if before else None, figure.value),
        ranks,
    )


# --- the picture ------------------------------------------------------------------------------------------------------


def _period(question: Question) -> Period:
    days = (question.end - question.start).days
    return Period.HOUR if days < 2 else Period.DAY if days < 95 else Period.WEEK


def _starts(question: Question, period: Period) -> list[datetime]:
    """When each period of the window begins, the first perhaps before it. In UTC, as it is read."""
    if period == Period.HOUR:
        hours = int((question.end - question.start) / reading.HOUR)
        return [question.start + reading.HOUR * number for number in range(hours)]
    local = question.start.astimezone(ZoneInfo(question.zone))
    if period == Period.WEEK:
        local -= timedelta(days=local.weekday())
    step, found = timedelta(days=7 if period == Period.WEEK else 1), []
    while local.astimezone(UTC) < question.end:  # Wall-clock days: 23 or 25 hours where clocks change.
        found.append(local.astimezone(UTC))  # Two zones' instants are never equal where one of them comes twice.
        local += step
    return found


def _point(
    at: datetime, figure: Figure | None, metric: Metric, period: Period, question: Question, link: _Links
) -> Point:
    local = at.astimezone(ZoneInfo(question.zone))
    if figure is None:
        return Point(local, Cell("–"), Cell("0"))
    step = {Period.HOUR: reading.HOUR, Period.DAY: timedelta(days=1)}.get(period, timedelta(days=7))
    until = (at.astimezone(UTC) + step) if period == Period.HOUR else local + step
    span = {"from": _stamp(max(at, question.start)), "to": _stamp(min(until, question.end))}
    return Point(
        local,
        link.cell(value_words(metric, figure.value), f"{metric.name}.above", **span),
        link.cell(count_words(figure.below), f"{metric.name}.below", **span),
    )


def _marks(tenant: Tenant, question: Question) -> list[Mark]:
    """Releases that were first seen and policies that were published within the window."""
    span = (question.start, question.end)
    releases = Release.objects.filter(tenant=tenant, first_seen_at__gte=span[0], first_seen_at__lt=span[1])
    versions = PolicyVersion.objects.filter(
        policy__tenant=tenant, published_at__gte=span[0], published_at__lt=span[1]
    ).select_related("policy")
    if question.domain:
        versions = versions.filter(policy__domain__in=("", question.domain))
    found = [(one.first_seen_at, f"Release {one}") for one in releases.order_by("-first_seen_at")[:MARKS]]
    for one in versions.order_by("-published_at")[:MARKS]:
        scope = one.policy.domain or "every domain"
        found.append((one.published_at, f"Policy for {scope}, version {one.number}: {one.reason}".rstrip(": ")))
    zone = ZoneInfo(question.zone)
    latest = sorted(found)[-MARKS:]
    return [Mark(number, at.astimezone(zone), words) for number, (at, words) in enumerate(latest, 1)]


# --- the tables -------------------------------------------------------------------------------------------------------


def _funnel(totals: Sums, link: _Links) -> list[tuple[str, Cell, int]]:
    """Each step with its cases, and their share of the first step in the picture's units (0 to 100)."""
    counts = [(step, step.count(totals)) for step in FUNNEL]
    most = max(counts[0][1], 1)
    return [(step.words, link.cell(f"{n:,}", step.name), round(100 * n / most)) for step, n in counts]


def _load(question: Question, link: _Links) -> list[tuple[str, list[Cell]]]:
    load = overview.load_by_hour(question)
    most = max(load.values(), default=0) or 1
    days = []
    for weekday, name in enumerate(WEEKDAYS, 1):
        cells = []
        for hour in range(24):
            n = load.get((weekday, hour), 0)
            shade = -(-n * SHADES // most)
            url = link("escalation_rate.below", weekday=weekday, hour=hour) if n else ""
            cells.append(Cell(f"{n:,}", url, shade))
        days.append((name, cells))
    return days


def _reasons(tenant: Tenant, reasons: Reasons, link: _Links) -> list[tuple[str, str, Cell, bool]]:
    names = names_of(tenant, Dimension.REASONS, (key for _, key, _ in reasons.top))
    return [
        (
            domain,
            names[key].words if key else "Nothing but the confidence",
            link.cell(f"{n:,}", "escalated", domain=domain, reasons=key),
            n >= REPEATED,
        )
        for domain, key, n in reasons.top
    ]


def _groups(
    question: Question, by: Dimension, groups: Groups, names: Mapping[str, Name], link: _Links
) -> tuple[list[str], list[tuple[str, list[Cell]]]]:
    shown = OF_PEOPLE if by == Dimension.REVIEWER else TABLE
    sums = groups.largest(by, GROUPS, ("opened", "handled"))
    if by == Dimension.DOMAIN and question.domain:
        sums = {question.domain: groups.by[by][question.domain]}
    rows = []
    for key in sums:
        name, cells = names.get(key), []
        for metric in (BY_METRIC[one] for one in shown):
            value = metric.value(sums[key])
            more = {str(by): name.sent if name else key}
            cells.append(
                Cell("–") if value is None else link.cell(value_words(metric, value), f"{metric.name}.above", **more)
            )
            n = metric.parts(sums[key])[1]
            cells.append(link.cell(count_words(n), f"{metric.name}.below", **more) if n else Cell("0"))
        rows.append((name.words if name else key, cells))
    return [BY_METRIC[one].title for one in shown], rows


def _advice(groups: Groups, dimension: Dimension, names: Mapping[str, Name], link: _Links) -> list[tuple[Advice, Cell]]:
    found = []
    for key, sums in groups.largest(dimension, GROUPS, ("judged",)).items():
        advice = Advice(names[key].words, int(sums["judged"]), int(sums["overridden"]), key)
        more = {str(dimension): names[key].sent}
        found.append((advice, link.cell(f"{advice.changed:,}", "override_rate.above", **more)))
    return found
