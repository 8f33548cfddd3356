"""A policy version as data: what triage is told. ``rules_document`` reads the document that stores it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cases.confidence import Learned, SignalRule
from cases.rules_document import ALWAYS_HIGH_STAKES, Condition, Reader, RulesInvalid
from cases.vocabulary import Risk, Signal, Trigger, Use

__all__ = ["DEFAULT_RULES", "Condition", "Rules", "RulesInvalid"]


@dataclass(frozen=True)
class Rules:
    """One version of a policy. Thresholds and shares are in [0, 1]; the fields' meaning stands in DESIGN.md, section 3.

    ``new_release_threshold`` replaces ``auto_approve_above`` and ``new_release_sampling`` raises ``sampling_share``
    until a release has had ``new_release_reviews`` reviews; None keeps the threshold. ``tolerated_error`` is the share
    of automatic approvals that may be wrong: thresholds are advised against it, and triage does not read it.
    """

    auto_approve_above: float = 0.95
    quick_review_from: float = 0.70
    signals: Mapping[str, SignalRule] = field(default_factory=dict)
    clear_margin: float = 0.2
    known_domains: frozenset[str] = frozenset()
    known_languages: frozenset[str] = frozenset()
    high_stakes_domains: frozenset[str] = frozenset()
    high_stakes_risks: frozenset[Risk] = ALWAYS_HIGH_STAKES
    risk_floor: Mapping[str, Risk] = field(default_factory=dict)
    risk_when_absent: Risk = Risk.MEDIUM
    sampling_share: float = 0.05
    new_release_reviews: int = 50
    new_release_sampling: float = 0.5
    new_release_threshold: float | None = 0.98
    decision_options: tuple[str, ...] = ()
    reason_codes: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    tolerated_error: float = 0.02
    learned: Learned | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, check_conditions: bool = True) -> Self:
        """Read what ``to_document`` wrote; a key that is absent takes the value of ``DEFAULT_RULES``.

        Raises ``RulesInvalid`` with every error found. Intake reads stored versions with ``check_conditions=False``:
        a condition that a later evaluator refuses then fails by itself (``rule_failed``) and not the whole policy.
        """
        return cls(**Reader(document, DEFAULT_RULES.to_document(), check_conditions).read())

    def is_cautious(self, release_reviews: int) -> bool:
        """Whether a release that has had so many reviews is still in its cautious start."""
        return release_reviews < self.new_release_reviews

    def threshold_for(self, release_reviews: int) -> float:
        """The upper threshold for the drafts of such a release."""
        stricter = self.new_release_threshold if self.is_cautious(release_reviews) else None
        return max(self.auto_approve_above, stricter or 0.0)

    def sampling_for(self, release_reviews: int) -> float:
        """The share of its automatic approvals that is sampled."""
        more = self.new_release_sampling if self.is_cautious(release_reviews) else 0.0
        return max(self.sampling_share, more)

    def to_document(self) -> dict[str, Any]:
        """The same as JSON, in one canonical order, newly built at each call."""
        return {
            "auto_approve_above": self.auto_approve_above,
            "quick_review_from": self.quick_review_from,
            "signals": {
                str(name): {"weight": rule.weight, "use": str(rule.use)} for name, rule in sorted(self.signals.items())
            },
            "clear_margin": self.clear_margin,
            "known_domains": sorted(self.known_domains),
            "known_languages": sorted(self.known_languages),
            "high_stakes_domains": sorted(self.high_stakes_domains),
            "high_stakes_risks": [str(risk) for risk in Risk if risk in self.high_stakes_risks],
            "risk_floor": {domain: str(risk) for domain, risk in sorted(self.risk_floor.items())},
            "risk_when_absent": str(self.risk_when_absent),
            "sampling_share": self.sampling_share,
            "new_release_reviews": self.new_release_reviews,
            "new_release_sampling": self.new_release_sampling,
            "new_release_threshold": self.new_release_threshold,
            "decision_options": list(self.decision_options),
            "reason_codes": [[code, label] for code, label in self.reason_codes],
            "conditions": [
                {"name": condition.name, "trigger": str(condition.trigger), "expression": condition.expression}
                for condition in self.conditions
            ],
            "tolerated_error": self.tolerated_error,
            "learned": self.learned
            and {
                "version": self.learned.version,
                "intercept": self.learned.intercept,
                "weights": {str(name): weight for name, weight in sorted(self.learned.weights.items())},
                "clear_margin": self.learned.clear_margin,
            },
        }


# The model's own word weighs nothing. A failed tool and a broken policy weigh little in the mean because each has a
# trigger of its own; without them a draft cannot pass by itself, whatever the other signals say.
DEFAULT_RULES = Rules(
    signals={
        Signal.CALIBRATED_CONFIDENCE: SignalRule(0.30, Use.OPTIONAL),
        Signal.ANSWER_GROUNDEDNESS: SignalRule(0.25, Use.OPTIONAL),
        Signal.RERANK_MARGIN: SignalRule(0.20, Use.OPTIONAL),
        Signal.RETRIEVAL_SCORE: SignalRule(0.10, Use.OPTIONAL),
        Signal.JUDGE_SCORE: SignalRule(0.05, Use.OPTIONAL),
        Signal.POLICY_CLASSIFIER_SCORE: SignalRule(0.05, Use.OPTIONAL),
        Signal.TOOL_SUCCESS: SignalRule(0.05, Use.OPTIONAL),
        Signal.SELF_CONFIDENCE: SignalRule(0.0, Use.UNUSED),
    },
    reason_codes=(
        ("wrong_fact", "States something that is not so"),
        ("unsupported", "Not supported by the evidence"),
        ("wrong_policy", "Applies a policy wrongly"),
        ("missing_step", "Leaves out something that the customer needs"),
        ("wrong_action", "Proposes the wrong action"),
        ("tone", "Wrong tone or language"),
        ("other", "Something else"),
    ),
    conditions=(
        Condition(
            "Policy classifier in doubt",
            Trigger.POLICY_BOUNDARY,
            "has(signals.policy_classifier_score) && signals.policy_classifier_score < 0.5",
        ),
        Condition(
            "Judge model disagrees",
            Trigger.QUALITY_FAILURE,
            "has(signals.judge_score) && signals.judge_score < 0.5",
        ),
        Condition(
            "This route has been poor",
            Trigger.QUALITY_FAILURE,
            "route_quality >= 0.0 && route_quality < 0.8",
        ),
    ),
)
