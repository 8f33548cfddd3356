"""What evaluation tools call input and expected output, for each kind. Pure."""

from typing import Any

from ..kinds import Kind

_INPUT: dict[Kind, tuple[str, ...]] = {
    Kind.GOLDEN_EVALS: ("question", "messages", "evidence"),
    Kind.HARD_NEGATIVES: ("query",),
    Kind.PROMPT_REGRESSIONS: ("question", "messages", "evidence"),
    Kind.FINE_TUNING: ("messages",),
    Kind.PREFERENCE_PAIRS: ("messages",),
    Kind.POLICY_CLASSIFIER: ("question", "text", "policies"),
}
_EXPECTED: dict[Kind, tuple[str, ...]] = {
    Kind.GOLDEN_EVALS: ("expected_answer", "expected_decision"),
    Kind.HARD_NEGATIVES: ("better_query", "positives", "negatives"),
    Kind.PROMPT_REGRESSIONS: ("expected_answer", "expected_decision", "forbidden_answer"),
    Kind.FINE_TUNING: ("answer",),
    Kind.PREFERENCE_PAIRS: ("chosen", "rejected"),
    Kind.POLICY_CLASSIFIER: ("class", "policy_reason"),
}


def input_of(kind: Kind, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in _INPUT[kind]}


def expected_of(kind: Kind, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in _EXPECTED[kind]}
