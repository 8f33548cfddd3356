"""What the page of thresholds shows: the advice, its pictures and tables, learned weights, and past changes."""

from typing import Any

from cases.models import Policy
from cases.vocabulary import Signal

from ..advisor.calibration import Bin
from ..advisor.comparing import Trial
from ..advisor.pictures import errors_by_threshold, reliability, volume_by_threshold
from ..advisor.thresholds import Level, Recommendation
from ..advisor.wording import error_words, percent, threshold_words, volume_words
from ..models import LearnedWeights, ThresholdEvidence
from ..services import advising, learning, staffing_change, threshold_changes
from .staffing import staffing_rows

SHOWN = 5  # versions of learned weights, and changes


def content_of(policy: Policy, days: int) -> dict[str, Any]:
    """The context of the page's template."""
    advice = advising.advise(policy, days)
    one = advice.recommendation
    marks = sorted({one.current.threshold, one.level.threshold})
    changes = ThresholdEvidence.objects.filter(policy_version__policy=policy).select_related(
        "policy_version__policy__tenant", "applied_by"
    )
    learned = LearnedWeights.objects.filter(policy=policy)
    return {
        "advice": advice,
        "one": one,
        "marks": [threshold_words(mark) for mark in marks],
        "errors": errors_by_threshold(advice.levels, marks, one.tolerance),
        "volume": volume_by_threshold(advice.levels, marks),
        "reliability": reliability(advice.calibration),
        "tolerance": percent(one.tolerance),
        "change_words": volume_words(one.change),
        "rows": [_row(level, one) for level in advice.levels],
        "bins": [
            (f"{bin.start:.1f} to {bin.end:.1f}", f"{bin.confidence:.3f}", percent(bin.right), *_ends(bin), bin.seen.n)
            for bin in advice.calibration.bins
        ],
        "domains": [
            (row.domain, row.now.cases, error_words(row.now), row.then.cases, error_words(row.then))
            for row in advice.domains
        ],
        "learned": [_learned(weights, policy, number) for number, weights in enumerate(learned[:SHOWN])],
        "staffing_stays": not one.acts,
        "staffing": staffing_rows(staffing_change.of_threshold(policy, one)),
        "changes": [(change, threshold_changes.since(change)) for change in changes.order_by("-applied_at")[:SHOWN]],
    }


def _ends(one: Bin) -> tuple[str, str]:
    low, high = one.interval
    return percent(low), percent(high)


def _row(level: Level, one: Recommendation) -> tuple[str, str, str, str, str]:
    is_now, is_then = level.threshold == one.current.threshold, level.threshold == one.level.threshold
    said = "present" if is_now else "recommended" if is_then and one.acts else ""
    return (
        threshold_words(level.threshold),
        f"{level.per_week:,.1f}",
        error_words(level),
        f"{level.seen.n:,}",
        said,
    )


def _learned(weights: LearnedWeights, policy: Policy, number: int) -> dict[str, Any]:
    trial = Trial.from_json(weights.trial)
    rows = []
    for name, one, is_better_above in (("AUC", trial.auc, True), ("Brier score", trial.brier, False)):
        if one:
            rows.append((name, f"{one.hand_set:.4f}", f"{one.learned:.4f}", f"{one.value:+.4f}", f"{one.low:+.4f}"))
            rows[-1] += (f"{one.high:+.4f}", "more is better" if is_better_above else "less is better")
    in_force = bool(policy.learned) and policy.learned["version"] == weights.version
    is_offered = weights.may_be_adopted and not in_force and number == 0
    moved = learning.thresholds_for(policy, learning.document_of(weights)) if is_offered else None
    return {
        "weights": weights,
        "is_in_force": in_force,
        "trial": trial,
        "rows": rows,
        "moved": moved,
        "signals": [
            (Signal(name).label, f"{weight:.2f}", policy.signals.get(name, {}).get("weight", 0))
            for name, weight in weights.weights.items()
        ],
    }
