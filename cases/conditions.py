"""The conditions that staff write, in CEL (https://cel.dev), over a documented set of facts.

``check`` judges an expression when it is saved, ``evaluate`` runs it at intake. The evaluator is native code that can
neither be interrupted nor trusted with the stack, so the language is kept to what is cheap by construction: no regular
expressions (no fact is free text), no ``+`` (what ``map`` and ``filter`` are made of, and the only way for a value to
grow), at most one ``exists`` or ``all``, bounded length and nesting, bounded facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cel

from cases import condition_text as text
from cases.errors import CountersignError
from cases.vocabulary import Kind, Risk, Signal, Trigger

MAX_LENGTH = 1000
# A parser that recurses overflows a small stack. 40 brackets fit into 512 KiB (measured with 0.10); threads have 8 MiB.
MAX_BRACKETS = 40
MAX_ITEMS = 64
MAX_TEXT = 1000
CAUSE_LENGTH = 200


class ConditionInvalid(CountersignError):
    """The expression cannot be saved."""

    code = "condition_invalid"
    title = "The condition is not valid"


class ConditionFailed(CountersignError):
    """The expression failed on one case; its message is a short cause that names nothing of the case."""

    code = "condition_failed"
    status = 500
    title = "The condition could not be evaluated"


@dataclass(frozen=True)
class Fact:
    """What an expression may ask for. ``choices`` are all values that a text, or an entry of a list or map, can be."""

    type: str  # bool, int, double, string, list(string) or map(string, double)
    example: Any
    blank: Any
    help: str
    choices: tuple[str, ...] = ()


_SIGNALS = {str(name): 0.8 for name in Signal}

FACTS: Mapping[str, Fact] = {
    "kind": Fact("string", "answer", "decision", "answer or decision", tuple(Kind.values)),
    "domain": Fact("string", "billing", "general", "The case's domain"),
    "language": Fact("string", "en", "", "Language tag; empty when the caller named none"),
    "risk": Fact("string", "high", "low", "The risk that counts, floor included", tuple(Risk.values)),
    "confidence": Fact("double", 0.97, 0.0, "The combined confidence, 0.0 to 1.0"),
    "signals": Fact(
        "map(string, double)",
        _SIGNALS,
        {},
        "The signals as reported; ask with has(signals.judge_score) first",
        tuple(Signal.values),
    ),
    "has_draft": Fact("bool", True, False, "There is a draft or a decision to judge"),
    "draft_length": Fact("int", 420, 0, "Characters of the draft"),
    "question_length": Fact("int", 80, 1, "Characters of the question"),
    "evidence_count": Fact("int", 3, 0, "Passages that the draft rests on"),
    "policy_count": Fact("int", 1, 0, "Policies that the caller sent along"),
    "tools_failed": Fact("int", 1, 0, "Tool results whose status is not ok"),
    "tools_total": Fact("int", 2, 0, "Tool results"),
    "caller_triggers": Fact("list(string)", ["tool_risk"], [], "Triggers from the caller", tuple(Trigger.values)),
    "tags": Fact("list(string)", ["beta"], [], "The case's tags"),
    "model_decision": Fact("string", "deny", "", "The AI's decision; empty when there is none"),
    "action": Fact("string", "issue_refund", "", "The proposed action's name; empty when there is none"),
    "amount": Fact("double", 4200.0, 0.0, "The proposed action's amount; 0.0 when there is none"),
    "currency": Fact("string", "USD", "", "ISO 4217 code of the amount; empty when there is none"),
    "action_impact": Fact("string", "high", "", "Impact of the action; empty when unknown", (*Risk.values, "")),
    "action_may_run_alone": Fact("bool", True, False, "The action needs no approval of its own"),
    "customer_actions_30d": Fact("int", 2, 0, "Actions of this type executed for this customer in the last 30 days"),
    "customer_amount_30d": Fact("double", 80.0, 0.0, "Their amounts in the action's currency, added up"),
    "route_quality": Fact(
        "double", 0.93, -1.0, "Past quality of the domain and release, 0.0 to 1.0; -1.0 when unknown"
    ),
    "release_model": Fact("string", "gpt-4o", "", "Model of the release; empty when unknown"),
    "release_version": Fact("string", "2026-05-01", "", "Version of the release; empty when unknown"),
    "release_reviews": Fact("int", 120, 0, "Reviews that this release has had"),
    "customer_known": Fact("bool", True, False, "The caller said who the customer is"),
}

_TYPES = {str: {"string"}, bool: {"bool"}, float: {"int", "double"}}  # a literal's Python type: the facts like it

FUNCTIONS = frozenset(
    {"!_", "-_", "_&&_", "_||_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_-_", "_*_", "_/_", "_%_"}
    | {"@in", "_[_]", "@not_strictly_false", "size", "contains", "startsWith", "endsWith", "int", "double", "string"}
)


def evaluate(expression: str, facts: Mapping[str, Any]) -> bool:
    """Whether the condition holds. ``facts`` maps the names in ``FACTS`` to values of their types.

    Raises ``ConditionFailed`` and nothing else, whatever the expression: also for one that ``check`` would refuse.
    """
    try:
        program = _compile(expression)
        _require_small(facts)
    except ConditionInvalid as error:
        raise ConditionFailed(error.message[:CAUSE_LENGTH]) from error
    result = _execute(program, facts)
    if not isinstance(result, bool):
        raise ConditionFailed("Its result is neither true nor false.")
    return result


@lru_cache(maxsize=1024)
def check(expression: str) -> None:
    """Raise ``ConditionInvalid`` unless the expression can be saved.

    By reading it finds wrong syntax, unknown names, functions, signals and words, and what is refused as too costly.
    By evaluating, since this CEL has no type checker, it finds wrong types, absent entries and a result that is no
    truth value: the whole on samples that have everything and nothing, and each operand alone, so that ``false && …``
    hides nothing.
    """
    program = _compile(expression)
    _require_known_words(expression)
    _require_typed_operands(expression)
    for sample in _samples():
        try:
            result = _execute(program, sample)
        except ConditionFailed as error:
            raise ConditionInvalid(f"It would fail on some cases. {error.message}") from error
        if not isinstance(result, bool):
            raise ConditionInvalid("Its result must be true or false.")


@lru_cache(maxsize=1024)
def _compile(expression: str) -> cel.Program:
    if not expression.strip():
        raise ConditionInvalid("The condition is empty.")
    if len(expression) > MAX_LENGTH:
        raise ConditionInvalid(f"The condition is longer than {MAX_LENGTH} characters.")
    if text.brackets(expression) > MAX_BRACKETS:
        raise ConditionInvalid(f"The condition has more than {MAX_BRACKETS} opening brackets.")
    try:
        program = cel.compile(expression)
        used = program.references()
    except BaseException as error:
        _reraise_if_not_cel(error)
        raise ConditionInvalid(text.syntax_error(str(error))) from error
    functions = set(used["functions"])
    if "_+_" in functions:
        raise ConditionInvalid("+, map, filter and exists_one are not available; exists and all are.")
    if unknown := sorted(functions - FUNCTIONS):
        raise ConditionInvalid(f"Unknown function: {unknown[0][:40]}.")
    if "@not_strictly_false" in functions and text.macros(expression) != 1:
        raise ConditionInvalid("Only one exists or all is available in a condition; write a second condition.")
    if unknown := sorted(set(used["variables"]) - FACTS.keys() - text.bound(expression)):
        raise ConditionInvalid(f"Unknown name: {unknown[0][:40]}.")
    return program


def _require_small(facts: Mapping[str, Any]) -> None:
    """Refuse facts that would make an expression slow; cutting them short could turn a true condition false."""
    for name, value in facts.items():
        items = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
        if len(items) > MAX_ITEMS or any(len(item) > MAX_TEXT for item in items):
            raise ConditionInvalid(f"The fact {name} is too large.")


def _execute(program: cel.Program, facts: Mapping[str, Any]) -> Any:
    try:
        return program.execute(dict(facts))
    except BaseException as error:
        _reraise_if_not_cel(error)
        raise ConditionFailed(_cause(error)) from error


def _reraise_if_not_cel(error: BaseException) -> None:
    """A panic of the native library arrives as a bare ``BaseException``; only a wish to stop the process goes on."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error


def _cause(error: BaseException) -> str:
    match error:
        case KeyError():
            return "It reads an entry that is absent; ask with has(…) first."
        case TypeError():
            return "It combines values of different types."
        case ZeroDivisionError():
            return "It divides by zero."
        case OverflowError():
            return "A number is too large."
        case IndexError():
            return "It reads beyond the end of a list."
        case RuntimeError() | ValueError():
            return "A function does not take the values that it is given."
        case _:
            return "The evaluator broke down."


def _samples() -> list[dict[str, Any]]:
    full = {name: fact.example for name, fact in FACTS.items()}
    blank = {name: fact.blank for name, fact in FACTS.items()}
    return [full, blank, full | {"signals": {}}, blank | {"signals": _SIGNALS}]


def _require_known_words(expression: str) -> None:
    """Find what would evaluate well and never hold: a misspelt word, a text compared with a number."""
    named = [("signals", name) for name in text.entries("signals", expression)] + text.members(expression)
    for name, word in named:
        fact = FACTS.get(name)
        if fact and fact.choices and word not in fact.choices:
            raise ConditionInvalid(f"{name} never has {word[:40]!r}; it may have {_listed(fact)}.")
    for name, literal in text.comparisons(expression):
        fact = FACTS.get(name)
        if fact is None or name in text.bound(expression):
            continue
        if fact.type not in _TYPES[type(literal)]:
            raise ConditionInvalid(f"{name} is a {fact.type} and never equals that.")
        if fact.choices and literal not in fact.choices:
            raise ConditionInvalid(f"{name} is never {str(literal)[:40]!r}; it is one of {_listed(fact)}.")


def _listed(fact: Fact) -> str:
    return ", ".join(filter(None, fact.choices))


def _require_typed_operands(expression: str) -> None:
    variable = dict.fromkeys(text.bound(expression), "text")
    for operand in text.operands(expression):
        try:
            program = _compile_operand(operand)
        except ConditionInvalid:
            continue  # Not an expression of its own, such as a macro's variable; the whole is judged anyway.
        failures = 0
        samples = [sample | variable for sample in _samples()]
        for sample in samples:
            try:
                program.execute(sample)
            except (TypeError, RuntimeError):
                failures += 1
            except BaseException as error:
                _reraise_if_not_cel(error)
        if failures == len(samples):
            raise ConditionInvalid(f"Values of different types, or a function misused, in: {operand[:60]}")


def _compile_operand(operand: str) -> cel.Program:
    try:
        return cel.compile(operand)
    except BaseException as error:
        _reraise_if_not_cel(error)
        raise ConditionInvalid from error
