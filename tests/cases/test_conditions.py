"""The conditions that staff write: what is refused when saved, and that nothing written there can take intake down."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cases import conditions
from cases.conditions import FACTS, ConditionFailed, ConditionInvalid, check, evaluate

EXAMPLE = {name: fact.example for name, fact in FACTS.items()}


@pytest.mark.parametrize(
    "expression",
    [
        'risk == "high"',
        "has(signals.judge_score) && signals.judge_score < 0.5",
        '!has(signals.answer_groundedness) || signals["answer_groundedness"] < 0.3',
        'tags.exists(tag, tag.startsWith("vip"))',
        '"tool_risk" in caller_triggers && !("beta" in tags)',
        'domain in ["billing", "legal"] && amount > 100',
        "action == \"issue_refund\" && currency == 'USD' && amount >= 1000.0",
        "has_draft ? draft_length > 1000 : true",
        "size(tags) > 2 || signals.size() < 2",
        "tools_total > 0 && tools_failed * 2 > tools_total",
        'action_impact in ["high", "critical"] || action_impact == ""',
        'kind == "decision" // decisions only',
        'domain == "a && b ) \\" ("',
    ],
)
def test_a_sound_condition_can_be_saved(expression):
    check(expression)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "empty"),
        ("confidence <", "Syntax error in line 1, column 13"),
        ('kind = "answer"', "Syntax error"),
        ("x" * 1001, "longer than 1000"),
        ("a\0b", "Syntax error"),
        ("\ud800", "syntax is wrong"),
        ('risky == "high"', "Unknown name: risky"),
        ("now() > 3", "Unknown function: now"),
        ('domain.matches("(a+)+")', "Unknown function: matches"),
        ("signals.judge_scor < 0.5", "never has 'judge_scor'"),
        ("has(signals.judge_scor)", "never has 'judge_scor'"),
        ('risk == "hihg"', "one of low, medium, high, critical"),
        ('"tool_rsk" in caller_triggers', "never has 'tool_rsk'"),
        ('confidence == "high"', "confidence is a double"),
        ("has_draft == 1", "has_draft is a bool"),
        ('tags == "vip"', "tags is a list"),
        ("confidence", "true or false"),
        ("has_draft ? 1 : 2", "true or false"),
        ('confidence > "high"', "different types"),
        ("amount * 2 > 5.0", "different types"),
        ('domain == "x" && language == "y" && draft_length > "a"', 'draft_length > "a"'),
        ("tags.exists(tag, tag > 1)", "tag > 1"),
        ("signals.judge_score < 0.5", "absent"),
        ("1 / evidence_count > 0", "divides by zero"),
        ('tags[0] == "vip"', "beyond the end"),
    ],
)
def test_an_unsound_condition_is_refused_with_its_fault(expression, said):
    with pytest.raises(ConditionInvalid) as refusal:
        check(expression)
    assert said in refusal.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 41 + "true" + ")" * 41,
        "tags.exists(a, tags.exists(b, a == b))",
        "tags.all(a, [1].all(b, true))",
        "tags.map(a, a).size() > 1",
        "tags.filter(a, true).size() > 1",
        "tags.exists_one(a, true)",
        "size(tags + tags) > 1",
        "tags.map/**/(a, a).size() > 1",
        "tags.map//\n(a, a).size() > 1",
        '["a"].transformList(i, v, v).size() > 1',
        'cel.bind(a, "a", a == a)',
    ],
)
def test_what_could_be_slow_or_grow_is_refused(expression):
    with pytest.raises(ConditionInvalid):
        check(expression)
    with pytest.raises(ConditionFailed):
        evaluate(expression, EXAMPLE)


@pytest.mark.parametrize(
    "expression",
    [
        "tags.exists(a, !(a in tags)" + " || !(a in tags)" * 36 + ")",
        f"[{'1,' * 300}1].all(a, a in [{'2,' * 180}1])",
        "!(" + " && ".join(["tags == tags"] * 60) + ")",
        "!" * 996 + "true",
        " - ".join(["1"] * 240) + " > 0",
        "has_draft ? false : " * 49 + "true",
    ],
)
def test_the_slowest_conditions_allowed_end_at_once(expression):
    tags = [f"{'x' * (conditions.MAX_TEXT - 3)}{i:03}" for i in range(conditions.MAX_ITEMS)]
    assert len(expression) <= conditions.MAX_LENGTH
    started = time.perf_counter()
    assert isinstance(evaluate(expression, EXAMPLE | {"tags": tags}), bool)
    assert time.perf_counter() - started < 1.0


def test_facts_that_are_too_large_fail_instead_of_being_cut():
    with pytest.raises(ConditionFailed, match="tags is too large"):
        evaluate('"vip" in tags', EXAMPLE | {"tags": ["a"] * (conditions.MAX_ITEMS + 1)})
    with pytest.raises(ConditionFailed, match="domain is too large"):
        evaluate("true", EXAMPLE | {"domain": "a" * (conditions.MAX_TEXT + 1)})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('risk == "high"', True),
        ("confidence > 0.98", False),
        ('"beta" in tags', True),
        ("amount > 4200", False),
        ("signals.judge_score == 0.8", True),
    ],
)
def test_a_condition_is_evaluated_over_the_facts(expression, expected):
    assert evaluate(expression, EXAMPLE) is expected


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("signals.nothing > 0.5", "entry that is absent"),
        ("1 / (evidence_count - 3) > 0", "divides by zero"),
        ("draft_length", "neither true nor false"),
        ("nonsense", "Unknown name"),
        ("9223372036854775807 * draft_length > 0", "too large"),
        ("domain < 1", "different types"),
    ],
)
def test_a_failure_has_a_short_cause(expression, cause):
    with pytest.raises(ConditionFailed) as failure:
        evaluate(expression, EXAMPLE)
    assert cause in failure.value.message
    assert len(failure.value.message) <= conditions.CAUSE_LENGTH


def test_a_panic_of_the_evaluator_is_a_failure_and_a_wish_to_stop_is_not(monkeypatch):
    class PanicException(BaseException):
        """As the native library raises it."""

    class Program:
        def __init__(self, error):
            self.error = error

        def execute(self, facts):
            raise self.error

    for error, seen in ((PanicException("bug"), ConditionFailed), (KeyboardInterrupt(), KeyboardInterrupt)):
        monkeypatch.setattr(conditions, "_compile", lambda expression, error=error: Program(error))
        with pytest.raises(seen):
            evaluate("true", EXAMPLE)


def test_one_compiled_condition_serves_many_threads():
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: evaluate("confidence > 0.5", EXAMPLE | {"confidence": i / 400}), range(400)))
    assert answers == [i / 400 > 0.5 for i in range(400)]


def test_every_fact_is_documented_with_an_example_of_its_type():
    types = {"bool": bool, "int": int, "double": float, "string": str, "list(string)": list}
    for name, fact in FACTS.items():
        assert fact.help
        for value in (fact.example, fact.blank):
            assert type(value) is types.get(fact.type, dict), name
            if fact.choices and isinstance(value, str):
                assert value in fact.choices


WORDS = ["signals.judge_score", "has(", "exists(x,", "all(x,", "in", "&&", "||", "==", "1.5", '"a"', "//"]
PIECES = st.sampled_from([*FACTS, *conditions.FUNCTIONS, *WORDS, *"()[]{}.,?:0<!-%/x'\"\n\0"])
ANYTHING = st.text() | st.text("()[]{}!-?:.,&|\"'ab01 ") | st.lists(PIECES, max_size=12).map(" ".join)


@given(ANYTHING)
@example("((((((((((")
@example("x" * 5000)
@example("!" * 900 + "true")
@example("[" * 1000)
@example("9" * 900)
def test_no_text_whatever_raises_anything_but_the_two_errors(expression):
    try:
        check(expression)
    except ConditionInvalid as refusal:
        assert refusal.message
    else:
        assert isinstance(evaluate(expression, EXAMPLE), bool)
    try:
        assert isinstance(evaluate(expression, EXAMPLE), bool)
    except ConditionFailed as failure:
        assert 0 < len(failure.message) <= conditions.CAUSE_LENGTH
