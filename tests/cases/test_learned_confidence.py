"""Learned weights in a policy: the same place, the same promises, and a document that is read strictly."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.confidence import Learned, SignalRule, combine, logistic
from cases.rules import DEFAULT_RULES, Rules, RulesInvalid
from cases.triage import Automation, Facts, triage
from cases.vocabulary import Kind, Route, Signal, Use

GROUNDED, JUDGE, RETRIEVAL = Signal.ANSWER_GROUNDEDNESS, Signal.JUDGE_SCORE, Signal.RETRIEVAL_SCORE
HALVES = {GROUNDED: SignalRule(1.0, Use.OPTIONAL), JUDGE: SignalRule(1.0, Use.OPTIONAL)}
LEARNED = Learned(3, -2.0, {GROUNDED: 5.0, JUDGE: 1.0}, 0.2)
UNIT = st.floats(0, 1)
SIGNALS = st.dictionaries(st.sampled_from(list(Signal)), UNIT)
MODELS = st.builds(
    Learned,
    version=st.integers(1, 9),
    intercept=st.floats(-50, 50),
    weights=st.dictionaries(st.sampled_from(list(Signal)), st.floats(0, 100)),
    clear_margin=st.floats(0.001, 1),
)
ALL = {name: SignalRule(0.1, Use.OPTIONAL) for name in Signal}


def confidence_of(signals, learned=LEARNED, rules=HALVES):
    return combine(signals, rules, clear_margin=0.2, learned=learned)


def test_the_confidence_is_read_off_the_learned_curve():
    found = confidence_of({GROUNDED: 0.9, JUDGE: 0.5})
    assert found.value == math.floor(logistic(-2 + 5 * 0.9 + 1 * 0.5) * 10_000) / 10_000 == 0.9525
    assert [(one.signal, one.weight, one.points) for one in found.contributions] == [
        (GROUNDED, 0.833333, 0.75),
        (JUDGE, 0.166667, 0.083333),
    ]


def test_without_any_signal_there_is_no_confidence_whatever_was_learned():
    assert confidence_of({}, replace(LEARNED, intercept=5.0)).value == 0.0
    assert confidence_of({RETRIEVAL: 1.0}, replace(LEARNED, intercept=5.0)).value == 0.0, "it is not in use"


def test_a_signal_that_is_no_longer_used_only_lowers_it():
    unused = HALVES | {JUDGE: SignalRule(1.0, Use.UNUSED)}
    sent = {GROUNDED: 0.9, JUDGE: 0.9}
    assert confidence_of(sent, rules=unused).value == confidence_of({GROUNDED: 0.9}).value < confidence_of(sent).value


@given(SIGNALS, MODELS, st.sampled_from(list(Signal)), UNIT)
def test_the_four_promises_hold_for_learned_weights(signals, learned, name, better):
    def value(sent) -> float:
        return combine(sent, ALL, clear_margin=0.2, learned=learned).value

    assert 0 <= value(signals) <= 1
    assert value(dict(reversed(signals.items()))) == value(signals)
    assert value(signals | {name: max(better, signals.get(name, 0.0))}) >= value(signals)
    assert value({key: sent for key, sent in signals.items() if key != name}) <= value(signals)


def test_triage_judges_by_the_learned_weights_of_its_rules():
    rules = replace(DEFAULT_RULES, signals=HALVES, learned=LEARNED, new_release_reviews=0)
    facts = Facts(kind=Kind.ANSWER, domain="billing", signals={GROUNDED: 0.9, JUDGE: 0.6}, has_draft=True)
    judged = triage(facts, rules, automation=Automation(allowed=True))
    assert (judged.route, judged.confidence.value) == (Route.AUTO_APPROVE, 0.9568)
    by_hand = triage(facts, replace(rules, learned=None), automation=Automation(allowed=True))
    assert (by_hand.route, by_hand.confidence.value) == (Route.QUICK_REVIEW, 0.75)


@given(MODELS)
def test_what_is_written_is_read_back(learned):
    rules = replace(DEFAULT_RULES, learned=learned, tolerated_error=0.05)
    assert Rules.from_document(json.loads(json.dumps(rules.to_document()))) == rules


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 0}, "learned.version"),
        ({"version": True}, "learned.version"),
        ({"intercept": "high"}, "learned.intercept"),
        ({"intercept": float("nan")}, "learned.intercept"),
        ({"weights": {"vibes": 1.0}}, "learned.weights.vibes"),
        ({"weights": {"judge_score": -0.1}}, "learned.weights.judge_score"),
        ({"weights": []}, "learned.weights"),
        ({"clear_margin": 0}, "learned.clear_margin"),
        ({"more": 1}, "learned"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change, field):
    document = replace(DEFAULT_RULES, learned=LEARNED).to_document()
    document["learned"] |= change
    with pytest.raises(RulesInvalid) as refusal:
        Rules.from_document(document)
    assert field in dict(refusal.value.errors)


@pytest.mark.parametrize("value", [-0.1, 1.1, "2 %", None])
def test_a_tolerated_error_is_a_share(value):
    with pytest.raises(RulesInvalid, match="tolerated_error"):
        Rules.from_document({"tolerated_error": value})
