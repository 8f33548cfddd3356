"""A policy as a document: it is read strictly, and what is written is read back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.confidence import SignalRule
from cases.rules import DEFAULT_RULES, Condition, Rules, RulesInvalid
from cases.rules_document import ALWAYS_HIGH_STAKES, CONDITION_TRIGGERS
from cases.vocabulary import Risk, Signal, Trigger, Use

DOMAINS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,49}", fullmatch=True)
LINES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=60)
SHARES = st.floats(0, 1)


@st.composite
def rules(draw) -> Rules:
    quick, above, strict = sorted(round(draw(SHARES), 4) for _ in range(3))
    signals = draw(st.dictionaries(st.sampled_from(Signal), st.builds(SignalRule, SHARES, st.sampled_from(Use))))
    signals[draw(st.sampled_from(Signal))] = SignalRule(draw(st.floats(0.01, 1000)), Use.REQUIRED)
    names = draw(st.lists(LINES, unique=True, max_size=3))
    return Rules(
        auto_approve_above=above,
        quick_review_from=quick,
        signals=signals,
        clear_margin=draw(st.floats(0.001, 1)),
        high_stakes_domains=draw(st.frozensets(DOMAINS, max_size=3)),
        high_stakes_risks=ALWAYS_HIGH_STAKES | draw(st.frozensets(st.sampled_from(Risk))),
        risk_floor=draw(st.dictionaries(DOMAINS, st.sampled_from(Risk), max_size=3)),
        risk_when_absent=draw(st.sampled_from(Risk)),
        sampling_share=draw(SHARES),
        new_release_reviews=draw(st.integers(0, 100_000)),
        new_release_sampling=draw(SHARES),
        new_release_threshold=draw(st.sampled_from([None, strict])),
        decision_options=tuple(draw(st.lists(LINES, unique=True, max_size=3))),
        reason_codes=tuple((f"code_{i}", draw(LINES)) for i in range(draw(st.integers(0, 3)))),
        conditions=tuple(
            Condition(name, draw(st.sampled_from(CONDITION_TRIGGERS)), 'risk == "high"') for name in names
        ),
    )


def refused(document) -> dict[str, str]:
    with pytest.raises(RulesInvalid) as refusal:
        Rules.from_document(document)
    return dict(refusal.value.errors)


@given(rules())
def test_what_is_written_is_read_back(original):
    stored = json.loads(json.dumps(original.to_document()))
    assert Rules.from_document(stored) == original
    assert Rules.from_document(stored).to_document() == original.to_document()


def test_an_empty_document_is_the_default_policy():
    assert Rules.from_document({}) == DEFAULT_RULES


def test_the_default_policy_has_the_thresholds_of_the_design_and_ignores_the_models_own_word():
    assert (DEFAULT_RULES.auto_approve_above, DEFAULT_RULES.quick_review_from) == (0.95, 0.70)
    assert DEFAULT_RULES.signals[Signal.SELF_CONFIDENCE].use == Use.UNUSED
    assert set(DEFAULT_RULES.signals) == set(Signal)


def test_each_document_is_its_own():
    DEFAULT_RULES.to_document()["signals"].clear()
    DEFAULT_RULES.to_document()["high_stakes_risks"].clear()
    assert Rules.from_document({}) == DEFAULT_RULES


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"auto_aprove_above": 0.9}, "auto_aprove_above"),
        ({"auto_approve_above": 1.01}, "auto_approve_above"),
        ({"auto_approve_above": "0.95"}, "auto_approve_above"),
        ({"auto_approve_above": True}, "auto_approve_above"),
        ({"auto_approve_above": None}, "auto_approve_above"),
        ({"auto_approve_above": float("nan")}, "auto_approve_above"),
        ({"auto_approve_above": 10**400}, "auto_approve_above"),
        ({"auto_approve_above": 0.95005}, "auto_approve_above"),
        ({"quick_review_from": -0.1}, "quick_review_from"),
        ({"quick_review_from": 0.96}, "quick_review_from"),
        ({"signals": []}, "signals"),
        ({"signals": {}}, "signals"),
        ({"signals": {"vibes": {"weight": 1, "use": "required"}}}, "signals.vibes"),
        ({"signals": {"judge_score": 1}}, "signals.judge_score"),
        ({"signals": {"judge_score": {"weight": 1}}}, "signals.judge_score"),
        ({"signals": {"judge_score": {"weight": 1, "use": "required", "x": 1}}}, "signals.judge_score"),
        ({"signals": {"judge_score": {"weight": -1, "use": "required"}}}, "signals.judge_score.weight"),
        ({"signals": {"judge_score": {"weight": 1, "use": "maybe"}}}, "signals.judge_score.use"),
        ({"signals": {"judge_score": {"weight": 0, "use": "required"}}}, "signals"),
        ({"signals": {"judge_score": {"weight": 1, "use": "unused"}}}, "signals"),
        ({"clear_margin": 0}, "clear_margin"),
        ({"high_stakes_domains": "billing"}, "high_stakes_domains"),
        ({"high_stakes_domains": ["Billing!"]}, "high_stakes_domains"),
        ({"high_stakes_domains": ["a", "a"]}, "high_stakes_domains"),
        ({"high_stakes_risks": ["critical"]}, "high_stakes_risks"),
        ({"high_stakes_risks": ["high", "critical", "extreme"]}, "high_stakes_risks"),
        ({"high_stakes_risks": [["high"]]}, "high_stakes_risks"),
        ({"risk_floor": {"billing": "extreme"}}, "risk_floor.billing"),
        ({"risk_floor": {"": "low"}}, "risk_floor"),
        ({"risk_when_absent": "none"}, "risk_when_absent"),
        ({"sampling_share": 1.5}, "sampling_share"),
        ({"new_release_reviews": 1.5}, "new_release_reviews"),
        ({"new_release_reviews": -1}, "new_release_reviews"),
        ({"new_release_sampling": -1}, "new_release_sampling"),
        ({"new_release_threshold": 0.9}, "new_release_threshold"),
        ({"decision_options": ["approve", "approve"]}, "decision_options"),
        ({"decision_options": [""]}, "decision_options"),
        ({"decision_options": ["two\nlines"]}, "decision_options"),
        ({"reason_codes": [["Wrong", "Wrong"]]}, "reason_codes"),
        ({"reason_codes": [["wrong"]]}, "reason_codes"),
        ({"reason_codes": [["a", "A"], ["a", "B"]]}, "reason_codes"),
        ({"conditions": [{"name": "x"}]}, "conditions.0"),
        ({"conditions": [{"name": "", "trigger": "tool_risk", "expression": "true"}]}, "conditions.0.name"),
        ({"conditions": [{"name": "x", "trigger": "other", "expression": "true"}]}, "conditions.0.trigger"),
        ({"conditions": [{"name": "x", "trigger": "rule_failed", "expression": "true"}]}, "conditions.0.trigger"),
        ({"conditions": [{"name": "x", "trigger": "tool_risk", "expression": "tru"}]}, "conditions.0.expression"),
        ({"conditions": [{"name": "x", "trigger": "tool_risk", "expression": None}]}, "conditions.0.expression"),
        ({"conditions": [{"name": "x", "trigger": "tool_risk", "expression": "true"}] * 2}, "conditions"),
        ({"conditions": [{"name": "x", "trigger": "tool_risk", "expression": "true"}] * 51}, "conditions"),
        ([], "policy"),
        (None, "policy"),
    ],
)
def test_a_wrong_field_is_refused_by_name(document, field):
    assert field in refused(document)


def test_every_error_is_found_at_once():
    assert set(refused({"clear_margin": 2, "sampling_share": 2, "wrong": 1})) == {
        "clear_margin",
        "sampling_share",
        "wrong",
    }


def test_a_threshold_raised_above_the_default_for_new_releases_takes_that_along():
    assert Rules.from_document({"auto_approve_above": 0.99}).new_release_threshold == 0.99


def test_a_stored_policy_with_a_condition_that_no_longer_compiles_can_still_be_read():
    broken = replace(DEFAULT_RULES, conditions=(Condition("Old", Trigger.TOOL_RISK, "gone(1)"),))
    assert "conditions.0.expression" in refused(broken.to_document())
    assert Rules.from_document(broken.to_document(), check_conditions=False) == broken


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*DEFAULT_RULES.to_document(), "else"]), JSON) | JSON)
def test_no_document_whatever_raises_anything_else(document):
    try:
        assert isinstance(Rules.from_document(document), Rules)
    except RulesInvalid as refusal:
        assert refusal.errors
