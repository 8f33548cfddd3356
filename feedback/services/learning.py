"""Learning a policy's weights from its own reviews: fitted on the past, compared on what came later, adopted by people.

What was compared is what is adopted: the weights are not fitted again on everything afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from cases.clock import db_now
from cases.confidence import Learned, combine, reported, scored
from cases.models import Draft, Policy, User
from cases.permissions import require
from cases.rules import Rules
from cases.services.policies import publish
from cases.services.policy_preview import Judged, may_pass
from cases.vocabulary import Route, Signal, Use, Verdict

from ..advisor.comparing import LEAST, Scored, Trial, compare
from ..advisor.logistic import Example, fit
from ..errors import AdviceOutdated, NotShownAsGood, TooFewDecisions
from ..models import LearnedWeights, ShadowPolicy, ThresholdEvidence
from . import shadows
from .advising import advise, confidence_under, signals_of
from .threshold_changes import keep, locked_policy

LATEST = 5_000  # decisions that are learned from, and drafts that thresholds are moved along by
HELD_OUT = 1 / 3  # of the decisions, the latest

# The first standing decision on each first draft that the policy judged, with the number of drafts it stands for.
_DECISIONS = f"""
    SELECT r.created_at, d.signals, r.verdict = '{Verdict.ACCEPT}',
        CASE WHEN d.route = '{Route.AUTO_APPROVE}' THEN 1 / d.sample_share ELSE 1 END
    FROM feedback_review r
    JOIN cases_draft d ON d.id = r.draft_id AND d.number = 1 AND NOT d.is_absent
    JOIN cases_policyversion v ON v.id = d.policy_version_id AND v.policy_id = %(policy)s
    JOIN cases_case c ON c.id = d.case_id AND c.purpose = 'real' AND c.state <> 'withdrawn'
    JOIN cases_tenant t ON t.id = c.tenant_id
    WHERE r.tenant_id = %(tenant)s AND r.kind = 'decision'
      AND r.created_at + make_interval(secs => t.undo_seconds) <= %(now)s
      AND (d.route <> '{Route.AUTO_APPROVE}' OR (d.is_sampled AND d.sample_share > 0))
      AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = r.id)
      AND NOT EXISTS (
        SELECT FROM feedback_review e WHERE e.draft_id = r.draft_id AND e.kind = 'decision'
          AND (e.created_at, e.id) < (r.created_at, r.id)
          AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = e.id))
    ORDER BY r.created_at DESC, r.id DESC LIMIT {LATEST}
"""


@dataclass(frozen=True)
class Decision:
    at: datetime
    signals: Mapping[str, float]
    is_right: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Lesson:
    """Weights fitted on ``earlier`` decisions and their trial on ``later`` ones."""

    learned: Learned
    earlier: Sequence[Decision]
    later: Sequence[Decision]
    trial: Trial


def learn_from(decisions: Sequence[Decision], rules: Rules, *, version: int = 1) -> Lesson:
    """Fit on the earlier of ``decisions`` (the oldest first) and compare on the later. Pure.

    Drafts without any signal in use are left out: both ways have no confidence in them. Raises ``TooFewDecisions``.
    """
    names = [name for name in Signal if name in rules.signals and rules.signals[name].use != Use.UNUSED]
    known = [one for one in decisions if any(reported(one.signals.get(name)) is not None for name in names)]
    cut = len(known) - round(len(known) * HELD_OUT)
    earlier, later = known[:cut], known[cut:]
    right = sum(one.is_right for one in earlier)
    if min(right, len(earlier) - right) < LEAST:
        raise TooFewDecisions(
            f"Learning needs {LEAST} drafts that people accepted and {LEAST} that they did not, besides the latest "
            f"third, which is held out. There are {right} and {len(earlier) - right}. Nothing was changed."
        )
    found = fit(
        [Example(_scores(one, names, rules.clear_margin), one.is_right, one.weight) for one in earlier],
        [rules.signals[name].weight for name in names],
    )
    learned = Learned(version, found.intercept, dict(zip(names, found.weights, strict=True)), rules.clear_margin)
    rows = [
        Scored(
            combine(one.signals, rules.signals, clear_margin=rules.clear_margin).value,
            combine(one.signals, rules.signals, clear_margin=rules.clear_margin, learned=learned).value,
            one.is_right,
            one.weight,
        )
        for one in later
    ]
    return Lesson(learned, earlier, later, compare(rows))


def _scores(one: Decision, names: Sequence[Signal], clear_margin: float) -> tuple[float, ...]:
    return tuple(scored(name, reported(one.signals.get(name)), clear_margin) for name in names)


def decisions_of(policy: Policy) -> list[Decision]:
    """The latest ``LATEST`` decisions on drafts that ``policy`` judged, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DECISIONS, {"policy": policy.pk, "tenant": policy.tenant_id, "now": db_now()})
        rows = cursor.fetchall()
    return [
        Decision(at, signals_of(signals), is_right, float(weight)) for at, signals, is_right, weight in reversed(rows)
    ]


@transaction.atomic
def learn(policy: Policy, *, actor: User) -> LearnedWeights:
    """Fit and compare, and keep both. Nothing else follows. Raises ``Denied`` and ``TooFewDecisions``."""
    require(actor, "change_policy", policy.tenant)
    Policy.objects.select_for_update(no_key=True).get(pk=policy.pk)  # Two that learn at once are numbered in turn.
    rules = Rules.from_document(policy.document(), check_conditions=False)
    last = LearnedWeights.objects.filter(policy=policy).aggregate(last=Max("version"))["last"] or 0
    lesson = learn_from(decisions_of(policy), rules, version=last + 1)
    return LearnedWeights.objects.create(
        tenant=policy.tenant,
        policy=policy,
        version=lesson.learned.version,
        intercept=lesson.learned.intercept,
        weights={str(name): weight for name, weight in lesson.learned.weights.items()},
        clear_margin=lesson.learned.clear_margin,
        hand_set=_by_hand(policy),
        since=lesson.earlier[0].at,
        split_at=lesson.later[0].at,
        until=lesson.later[-1].at,
        fitted_on=len(lesson.earlier),
        compared_on=len(lesson.later),
        trial=lesson.trial.to_json(),
        may_be_adopted=lesson.trial.is_not_worse,
        fitted_by=actor,
        fitted_at=db_now(),
    )


def _by_hand(policy: Policy) -> dict[str, Any]:
    return {"signals": policy.signals, "clear_margin": policy.clear_margin}


def document_of(weights: LearnedWeights) -> dict[str, Any]:
    """What a policy's document says while ``weights`` are in force."""
    return {
        "version": weights.version,
        "intercept": weights.intercept,
        "weights": weights.weights,
        "clear_margin": weights.clear_margin,
    }


@dataclass(frozen=True)
class Thresholds:
    """Thresholds on another scale that let as many of ``cases`` past drafts through as those of now."""

    auto_approve_above: float
    quick_review_from: float
    new_release_threshold: float | None
    cases: int


def thresholds_for(policy: Policy, learned: dict[str, Any] | None) -> Thresholds:
    """The policy's thresholds moved along to the scale of ``learned`` (None: of the weights set by hand).

    Which weights and which thresholds are two decisions. Of the latest drafts that the policy judged and that could
    pass, no more pass than do now, and no more are spared a full investigation.
    """
    rules = Rules.from_document(policy.document(), check_conditions=False)
    then = Rules.from_document(policy.document() | {"learned": learned}, check_conditions=False)
    old, new = [], []
    for signals in _past_signals(policy):
        for side, one in ((old, rules), (new, then)):
            side.append(confidence_under(one, signals))
    new.sort(reverse=True)

    def above(threshold: float) -> float:
        """The least threshold above which no more of the new lie than of the old above ``threshold``."""
        passing = sum(value > threshold for value in old)
        if passing < len(new):
            return new[passing]
        return max(0.0, round(new[-1] - 0.0001, 4)) if new else threshold  # All pass, or there is none.

    upper = above(policy.auto_approve_above)
    reaching = sum(value >= policy.quick_review_from for value in old)
    lower = min(upper, new[reaching - 1]) if reaching else upper
    strict = policy.new_release_threshold
    return Thresholds(upper, lower, None if strict is None else max(upper, above(strict)), len(new))


def _past_signals(policy: Policy) -> list[dict[str, float]]:
    rows = (
        Draft.objects.filter(
            tenant=policy.tenant_id, number=1, is_absent=False, policy_version__policy=policy, case__purpose="real"
        )
        .order_by("-id")
        .values_list("signals", "triggers")
    )
    return [
        signals
        for signals, triggers in rows[:LATEST]
        if may_pass(Judged(1.0, frozenset(triggers)), new_release_threshold=None)
    ]


@transaction.atomic
def adopt(weights_id: UUID, *, version: int, days: int, actor: User, reason: str) -> ThresholdEvidence:
    """Publish a policy version that judges by learned weights; its thresholds move along (``thresholds_for``).

    Raises ``Denied``, ``AdviceOutdated`` and, unless the trial says that they are not worse, ``NotShownAsGood``.
    """
    weights = LearnedWeights.objects.select_related("policy__tenant").get(pk=weights_id)
    policy = locked_policy(weights.policy_id, version, actor=actor)
    if not weights.may_be_adopted:
        raise NotShownAsGood("Their trial does not show that they are as good. Nothing was changed.")
    if weights.hand_set != _by_hand(policy):
        raise AdviceOutdated("The weights set by hand have changed since. Nothing was changed. Learn again.")
    return _publish(
        policy,
        document_of(weights),
        days=days,
        actor=actor,
        reason=f"weights learned, version {weights.version}: {reason}",
        kind=ThresholdEvidence.Kind.WEIGHTS,
        learned=weights,
        report={"trial": weights.trial},
    )


@transaction.atomic
def go_back(policy_id: UUID, *, version: int, days: int, actor: User, reason: str) -> ThresholdEvidence:
    """Publish a policy version that judges by the weights set by hand again. Raises ``Denied``, ``AdviceOutdated``."""
    policy = locked_policy(policy_id, version, actor=actor)
    if policy.learned is None:
        raise AdviceOutdated("This policy judges by the weights set by hand already. Nothing was changed.")
    return _publish(
        policy,
        None,
        days=days,
        actor=actor,
        reason=f"weights set by hand again: {reason}",
        kind=ThresholdEvidence.Kind.BACK,
    )


def _publish(
    policy: Policy, in_force: dict[str, Any] | None, *, days: int, actor: User, reason: str, **kept: Any
) -> ThresholdEvidence:
    advice, before = advise(policy, days), policy.auto_approve_above
    moved = thresholds_for(policy, in_force)
    policy.learned = in_force
    policy.auto_approve_above = moved.auto_approve_above
    policy.quick_review_from = moved.quick_review_from
    policy.new_release_threshold = moved.new_release_threshold
    published = publish(policy, actor=actor, reason=reason)
    return keep(advice, published, before=before, actor=actor, **kept)


def run_in_shadow(weights: LearnedWeights, *, actor: User, reason: str) -> ShadowPolicy:
    """Let the weights judge what comes in, without effect. Raises ``Denied`` and ``TooManyShadows``."""
    policy = weights.policy
    learned = document_of(weights)
    moved = thresholds_for(policy, learned)
    document = policy.document() | {
        "learned": learned,
        "auto_approve_above": moved.auto_approve_above,
        "quick_review_from": moved.quick_review_from,
        "new_release_threshold": moved.new_release_threshold,
    }
    name = f"{policy.domain or 'every domain'}: learned {weights.version}, {db_now():%d %b %H:%M:%S}"
    shadow = ShadowPolicy(tenant=policy.tenant, policy=policy, name=name[:60], document=document)
    return shadows.start(shadow, actor=actor, reason=reason)
