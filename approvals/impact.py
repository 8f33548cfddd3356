"""How big the impact of a proposed action is: the first rule that holds, and the highest where none does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cases.conditions import ConditionFailed, evaluate
from cases.vocabulary import Risk

HIGHEST_APPROVALS = 2
HIGHEST_VALID_MINUTES = 240


@dataclass(frozen=True)
class Rule:
    condition: str
    impact: Risk
    approvals: int
    valid_minutes: int
    may_run_alone: bool


@dataclass(frozen=True)
class Impact:
    """``approvals`` people have to sign within ``valid_minutes``; ``may_run_alone`` while the switch is on."""

    impact: Risk
    approvals: int
    valid_minutes: int
    may_run_alone: bool
    why: str


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
            alone = rule.may_run_alone and not caller_wants_approval
            return Impact(rule.impact, rule.approvals, rule.valid_minutes, alone, rule.condition)
    return _highest("no rule holds")


def _highest(why: str) -> Impact:
    return Impact(Risk.CRITICAL, HIGHEST_APPROVALS, HIGHEST_VALID_MINUTES, False, why)
