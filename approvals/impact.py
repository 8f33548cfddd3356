"""How big the impact of a proposed action is: the first rule that holds, and the highest where none does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cases.conditions import ConditionFailed, evaluate
from cases.vocabulary import Risk

HIGHEST_APPROVALS = 2
HIGHEST_VALID_MINUTES = 240
HIGHEST_DECIDE_MINUTES = 60


@dataclass(frozen=True)
class Rule:
    condition: str
    impact: Risk
    approvals: int
    valid_minutes: int
    may_run_alone: bool
    authority_code: str = ""
    decide_minutes: int = 240

    def to_document(self) -> dict[str, Any]:
        """As a published version keeps it."""
        return {
            "condition": self.condition,
            "impact": str(self.impact),
            "approvals": self.approvals,
            "valid_minutes": self.valid_minutes,
            "decide_minutes": self.decide_minutes,
            "authority_code": self.authority_code,
            "may_run_alone": self.may_run_alone,
        }


@dataclass(frozen=True)
class Impact:
    """``approvals`` people have to sign within ``valid_minutes``; ``may_run_alone`` while the switch is on.

    ``authority_code`` names the one authority that may, or is empty; ``decide_minutes`` is the approvers' deadline.
    """

    impact: Risk
    approvals: int
    valid_minutes: int
    may_run_alone: bool
    why: str
    authority_code: str = ""
    decide_minutes: int = HIGHEST_DECIDE_MINUTES


def classify(facts: Mapping[str, Any], rules: Iterable[Rule], *, caller_wants_approval: bool = False) -> Impact:
    """The impact by the first rule that holds. No rule, an unknown action or a rule that fails: the highest.

    A caller's ``requires_approval`` tightens and never loosens.
    """
    for rule in rules:
        try:
            holds = evaluate(rule.condition, facts)
        except ConditionFailed as error:
            return _highest(f"a rule failed ({error})")
        if holds:
            return Impact(
                rule.impact,
                rule.approvals,
                rule.valid_minutes,
                rule.may_run_alone and not caller_wants_approval,
                rule.condition,
                rule.authority_code,
                rule.decide_minutes,
            )
    return _highest("no rule holds")


def _highest(why: str) -> Impact:
    return Impact(Risk.CRITICAL, HIGHEST_APPROVALS, HIGHEST_VALID_MINUTES, False, why)
