"""What other thresholds would have made of a tenant's latest cases, from what triage stored with each draft."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..models import Case, Draft, Policy
from ..vocabulary import Route, Trigger

LAST = 500


@dataclass(frozen=True)
class Thresholds:
    """The two thresholds of a policy, and the stricter upper one of a release's cautious start; each in [0, 1]."""

    auto_approve_above: float
    quick_review_from: float
    new_release_threshold: float | None = None

    @classmethod
    def of(cls, policy: Policy) -> "Thresholds":
        return cls(policy.auto_approve_above, policy.quick_review_from, policy.new_release_threshold)


@dataclass(frozen=True)
class Judged:
    """What is known of a draft. ``is_cautious``: its release was new when it was judged."""

    confidence: float
    triggers: frozenset[str]
    is_absent: bool = False
    is_cautious: bool = False


@dataclass(frozen=True)
class Preview:
    """How many of ``cases`` each route would take under the stored thresholds and under the proposed ones."""

    cases: int = 0
    now: dict[str, int] = field(default_factory=dict)
    then: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple[str, int, int, int]]:
        """Per route its name, both counts and their difference."""
        return [(route.label, self.now[route], self.then[route], self.then[route] - self.now[route]) for route in Route]


def preview(policy: Policy, proposed: Thresholds) -> Preview:
    """The latest first drafts that ``policy`` judged, at most ``LAST``, under its stored thresholds and ``proposed``.

    Signals, conditions and stakes stay as they were judged then; only the thresholds move.
    """
    stored = Policy.objects.filter(pk=policy.pk).first()
    if stored is None:
        return Preview(now=dict.fromkeys(Route, 0), then=dict.fromkeys(Route, 0))
    drafts = list(_latest(stored))
    return Preview(len(drafts), _count(drafts, Thresholds.of(stored)), _count(drafts, proposed))


def _latest(policy: Policy) -> Iterable[Judged]:
    rows = (
        Draft.objects.filter(tenant=policy.tenant_id, number=1, policy_version__policy=policy)
        .filter(case__purpose=Case.Purpose.REAL)
        .order_by("-id")
        .values_list("confidence", "triggers", "is_absent", "threshold", "policy_version__document__auto_approve_above")
    )
    for confidence, triggers, is_absent, threshold, upper in rows[:LAST]:
        yield Judged(confidence, frozenset(triggers), is_absent, is_cautious=threshold > upper)


def _count(drafts: Iterable[Judged], thresholds: Thresholds) -> dict[str, int]:
    counts = dict.fromkeys(Route, 0)
    for draft in drafts:
        counts[route_under(draft, thresholds)] += 1
    return counts


def route_under(draft: Judged, thresholds: Thresholds) -> Route:
    """The route of ``draft`` under ``thresholds``: ``triage``'s own order of questions (a test compares the two)."""
    upper = thresholds.auto_approve_above
    if draft.is_cautious:
        upper = max(upper, thresholds.new_release_threshold or 0.0)
    triggers = draft.triggers - {Trigger.LOW_CONFIDENCE}
    if draft.confidence <= upper:
        triggers |= {Trigger.LOW_CONFIDENCE}
    if Trigger.HIGH_STAKES in triggers or draft.is_absent or draft.confidence < thresholds.quick_review_from:
        return Route.FULL_INVESTIGATION
    return Route.QUICK_REVIEW if triggers else Route.AUTO_APPROVE


def may_pass(draft: Judged, *, new_release_threshold: float | None) -> bool:
    """Whether ``draft`` would pass by itself if only its confidence were above the upper threshold.

    That automation was stopped when it came says nothing of it, and does not count.
    """
    asked = replace(draft, triggers=draft.triggers - {Trigger.AUTOMATION_STOPPED})
    return route_under(asked, Thresholds(0.0, 0.0, new_release_threshold)) == Route.AUTO_APPROVE
