"""What was done, and how fast: volumes, rates, deadlines, overrides, actions. The numbers are the metrics' own."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from approvals.models import ProposedAction
from cases.ids import from_wire, to_wire
from cases.models import Case, CaseEvent

from ..metrics.definitions import BY_METRIC, MEASURES, Dimension
from ..metrics.names import names_of
from ..metrics.reading import BadQuestion, Figure, Period, Question, available, figures, read_sums
from ..models import Review
from .tables import CHUNK, Rows, Section, Table, Window, within

PLACES = 6
BY = (Dimension.DOMAIN, Dimension.RISK, Dimension.ROUTE, Dimension.RELEASE, Dimension.TRIGGER)
SLA = "sla_miss_rate"
BY_DAY = ("opened", "escalated", "automatic", "approved", "rejected", "withdrawn", "judged", "overridden", "sla_missed")
FIGURE = ("metric", "title", "value", "numerator", "denominator", "unit", "p50", "p90", "means")


def question(window: Window, **how: Any) -> Question:
    return Question(window.tenant.pk, window.zone, window.start, window.end, **how)


def _metrics_for(asked: Question) -> list[str]:
    """Those that have an answer; what is counted at this moment tells nothing of the window."""
    return [name for name in available(asked) if BY_METRIC[name].source]


def _row(figure: Figure) -> dict[str, Any]:
    value = figure.value
    return {
        "metric": figure.metric.name,
        "title": figure.metric.title,
        "value": None if value is None else float(round(value, PLACES)),
        "numerator": str(figure.above),
        "denominator": str(figure.below),
        "unit": str(figure.metric.unit),
        "p50": figure.p50,
        "p90": figure.p90,
        "means": figure.metric.words,
    }


def rates(window: Window) -> Rows:
    asked = question(window)
    return map(_row, figures(asked, _metrics_for(asked)))


def volumes(window: Window) -> Rows:
    sums = read_sums(question(window)).get((None, None), {})
    for measure in MEASURES:
        yield {
            "measure": measure.name,
            "sum": str(sums.get(measure.name, 0)),
            "means": measure.words,
        }


def by_day(window: Window) -> Rows:
    for (at, _), sums in read_sums(question(window, period=Period.DAY)).items():
        yield {"day_begins": at} | {name: int(sums[name]) for name in BY_DAY}


def rates_by(window: Window) -> Rows:
    for dimension in BY:
        yield from _by(window, dimension)


def sla_by_queue(window: Window) -> Rows:
    return _by(window, Dimension.QUEUE, [SLA])


def _by(window: Window, dimension: Dimension, metrics: Iterable[str] = ()) -> Rows:
    asked = question(window, by=dimension)
    try:
        found = figures(asked, metrics or _metrics_for(asked))
    except BadQuestion as error:  # Too many groups: it is said, and the rest of the pack still stands.
        yield dict.fromkeys(FIGURE) | {"by": str(dimension), "key": None, "name": error.message}
        return
    names = names_of(window.tenant, dimension, (figure.key for figure in found))
    for figure in found:
        name = names.get(figure.key) if figure.key else None
        yield {"by": str(dimension), "key": figure.key, "name": name.words if name else figure.key, **_row(figure)}


def overrides(window: Window) -> Rows:
    """As the metric counts them: of drafts that were there, final by now."""
    found = Review.objects.corrections(window.as_of).filter(tenant=window.tenant, draft__is_absent=False)
    found = found.filter(**within(window, "created_at")).exclude(verdict="needs_edit").with_standing_label()
    found = found.select_related("reviewer", "draft__release", "policy_version").order_by("created_at", "pk")
    for row in found.iterator(chunk_size=CHUNK):
        yield {
            "review_id": row.wire_id,
            "case_id": to_wire(Case.PREFIX, row.case_id),
            "at": row.created_at,
            "reviewer": str(row.reviewer),
            "verdict": row.verdict,
            "reason_code": row.reason_code,
            "label": row.standing_label,
            "edit_distance": row.edit_distance,
            "handling_seconds": round(row.handling_seconds, 1),
            "route": row.route,
            "policy_version": row.policy_version.number if row.policy_version_id else None,
            "release": str(row.draft.release),
        }


def events(window: Window, *kinds: str):
    """The tenant's events of the window, of real cases and of what belongs to no case, in their order."""
    found = CaseEvent.objects.filter(tenant=window.tenant, **within(window, "at"))
    found = found.filter(Q(case=None) | Q(case__purpose=Case.Purpose.REAL))
    return (found.filter(kind__in=kinds) if kinds else found).order_by("at", "pk")


def action_events(window: Window) -> Rows:
    kinds = [kind for kind in CaseEvent.Kind.values if kind.startswith("action.")]
    for row in events(window, *kinds).select_related("actor").iterator(chunk_size=CHUNK):
        yield {
            "action_id": row.subject,
            "at": row.at,
            "what": row.get_kind_display(),
            "by": str(row.actor),
            "case_id": to_wire(Case.PREFIX, row.case_id) if row.case_id else None,
            "data": row.data,
        }


def standing_actions(subjects: Iterable[str]) -> dict[str, str]:
    """The state of each action now, by its wire id."""
    keys = {subject: from_wire(ProposedAction.PREFIX, subject) for subject in subjects}
    states = dict(ProposedAction.objects.filter(pk__in=filter(None, keys.values())).values_list("pk", "state"))
    return {subject: states.get(key, "") for subject, key in keys.items()}


VOLUMES = Section(
    "volumes",
    "Volumes and rates",
    "How many cases came in, how many passed by themselves and how many people decided, and every rate with its "
    "numerator and denominator, counted by the formulas that the product shows everywhere.",
    "It does not show whether the decisions were right: a rate of approvals is no rate of right approvals.",
    (
        Table("rates", "Rates over the whole window", FIGURE, rates),
        Table("volumes", "What they are made of", ("measure", "sum", "means"), volumes),
        Table("volumes_by_day", "By day, where the tenant is", ("day_begins", *BY_DAY), by_day),
        Table("rates_by", "By domain, risk, route, release and trigger", ("by", "key", "name", *FIGURE), rates_by),
    ),
)
DEADLINES = Section(
    "sla",
    "Deadlines",
    "For each queue the share of the cases decided by people or overdue whose deadline passed first.",
    "It does not show whether the deadlines were short enough for the customers.",
    (Table("sla_by_queue", "By queue", ("by", "key", "name", *FIGURE), sla_by_queue),),
)
OVERRIDES = Section(
    "overrides",
    "Overrides",
    "Each decision in which a person did not let the AI's word stand, with who, when, why and under which policy.",
    "It does not show the cases in which a person should have overridden and did not; challenges and samples look for "
    "those.",
    (
        Table(
            "overrides",
            "Overrides",
            (
                "review_id",
                "case_id",
                "at",
                "reviewer",
                "verdict",
                "reason_code",
                "label",
                "edit_distance",
                "handling_seconds",
                "route",
                "policy_version",
                "release",
            ),
            overrides,
        ),
    ),
)
ACTIONS = Section(
    "actions",
    "Actions and approvals",
    "What became of each action that the AI proposed: who signed, who refused, and what was carried out.",
    "It does not show that an approved action was the right one, nor what its executor did beyond its answer.",
    (Table("action_events", "What happened", ("action_id", "at", "what", "by", "case_id", "data"), action_events),),
)
