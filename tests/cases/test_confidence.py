"""The confidence of a draft: examples at every edge, and the four properties that hold for every input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.confidence import Confidence, SignalRule, combine
from cases.vocabulary import Signal, Use

NAMES = list(Signal)
UNIT = st.floats(0, 1)
SIGNALS = st.dictionaries(st.sampled_from(NAMES), UNIT)
RULES = st.dictionaries(
    st.sampled_from(NAMES), st.builds(SignalRule, st.floats(0, 1000), st.sampled_from(Use)), min_size=1
)
MARGINS = st.floats(0.001, 1)
GROUNDED, RETRIEVAL, JUDGE = Signal.ANSWER_GROUNDEDNESS, Signal.RETRIEVAL_SCORE, Signal.JUDGE_SCORE
HALVES = {GROUNDED: SignalRule(1.0, Use.OPTIONAL), RETRIEVAL: SignalRule(1.0, Use.REQUIRED)}


def confidence_of(signals, rules=HALVES, clear_margin=0.2) -> Confidence:
    return combine(signals, rules, clear_margin=clear_margin)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({}, 0.0),
        ({GROUNDED: 1.0, RETRIEVAL: 1.0}, 1.0),
        ({GROUNDED: 0.8, RETRIEVAL: 0.6}, 0.7),
        ({GROUNDED: 0.95, RETRIEVAL: 0.95}, 0.95),
        ({GROUNDED: 1.0}, 0.5),
        ({GROUNDED: 1.0, RETRIEVAL: 0.0}, 0.5),
        ({JUDGE: 1.0}, 0.0),
    ],
)
def test_confidence_is_the_weighted_mean_and_a_missing_signal_counts_as_nothing(signals, expected):
    assert confidence_of(signals).value == expected


def test_one_calibrated_score_weighs_only_that():
    rules = {Signal.CALIBRATED_CONFIDENCE: SignalRule(0.3, Use.REQUIRED)}
    assert confidence_of({Signal.CALIBRATED_CONFIDENCE: 0.91, JUDGE: 0.1}, rules).value == 0.91


def test_only_the_ratio_of_weights_matters():
    rules = {GROUNDED: SignalRule(30, Use.OPTIONAL), RETRIEVAL: SignalRule(10, Use.OPTIONAL)}
    assert confidence_of({GROUNDED: 1.0}, rules).value == 0.75


def test_weights_that_are_all_zero_give_no_confidence():
    assert confidence_of({GROUNDED: 1.0}, {GROUNDED: SignalRule(0.0, Use.OPTIONAL)}).value == 0.0


@pytest.mark.parametrize(("exact", "cut"), [(0.94999, 0.9499), (0.69996, 0.6999), (0.95004, 0.95), (0.9500, 0.95)])
def test_confidence_is_never_rounded_up_over_a_threshold(exact, cut):
    assert confidence_of({GROUNDED: exact, RETRIEVAL: exact}).value == cut


@pytest.mark.parametrize(
    ("margin", "points", "reading"),
    [(0.0, 0.0, "ambiguous"), (0.04, 0.2, "ambiguous"), (0.1, 0.5, "fair"), (0.2, 1.0, "clear"), (7.0, 1.0, "clear")],
)
def test_rerank_margin_is_scaled_by_the_margin_that_the_policy_calls_clear(margin, points, reading):
    rules = {Signal.RERANK_MARGIN: SignalRule(1.0, Use.OPTIONAL)}
    (part,) = confidence_of({Signal.RERANK_MARGIN: margin}, rules).contributions
    assert (part.value, part.points, part.reading) == (margin, points, reading)


@pytest.mark.parametrize(
    ("value", "reading"),
    [(1.0, "strong"), (0.9, "strong"), (0.89, "fair"), (0.7, "fair"), (0.61, "weak"), (None, "missing")],
)
def test_each_contribution_has_a_word_for_people(value, reading):
    signals = {} if value is None else {GROUNDED: value}
    assert confidence_of(signals).contributions[1].reading == reading


def test_only_required_signals_are_named_as_missing():
    assert confidence_of({}).missing_required == (RETRIEVAL,)
    assert confidence_of({RETRIEVAL: 0.0}).missing_required == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "1.0", None])
def test_a_value_that_is_no_finite_number_is_missing(value):
    assert confidence_of({RETRIEVAL: value}).missing_required == (RETRIEVAL,)


@pytest.mark.parametrize(("value", "expected"), [(-3.0, 0.0), (42.0, 0.5)])
def test_a_value_out_of_range_counts_as_the_nearer_end(value, expected):
    assert confidence_of({GROUNDED: value}).value == expected


def test_the_design_example_is_weighed_as_the_design_shows():
    from cases.rules import DEFAULT_RULES

    signals = {
        "calibrated_confidence": 0.9,
        "self_confidence": 0.97,
        "retrieval_score": 0.83,
        "rerank_margin": 0.04,
        "answer_groundedness": 0.61,
        "tool_success": 0.0,
        "policy_classifier_score": 0.2,
        "judge_score": 0.5,
    }
    confidence = combine(signals, DEFAULT_RULES.signals, clear_margin=DEFAULT_RULES.clear_margin)
    margin = next(part for part in confidence.contributions if part.signal == "rerank_margin")
    assert round(confidence.value, 2) == 0.58
    assert (margin.value, margin.weight, margin.reading) == (0.04, 0.2, "ambiguous")


@given(st.dictionaries(st.sampled_from(NAMES), st.floats()), RULES, MARGINS)
def test_confidence_is_between_nothing_and_certainty(signals, rules, clear_margin):
    assert 0.0 <= confidence_of(signals, rules, clear_margin).value <= 1.0


@given(SIGNALS, RULES, MARGINS, st.sampled_from(NAMES), UNIT)
def test_a_better_signal_never_lowers_confidence(signals, rules, clear_margin, name, other):
    low, high = sorted((signals.get(name, 0.0), other))
    worse = confidence_of(signals | {name: low}, rules, clear_margin)
    better = confidence_of(signals | {name: high}, rules, clear_margin)
    assert better.value >= worse.value


@given(SIGNALS, RULES, MARGINS, st.randoms(use_true_random=False))
def test_the_order_of_signals_does_not_matter(signals, rules, clear_margin, random):
    shuffled = list(signals.items())
    reordered = list(rules.items())
    random.shuffle(shuffled)
    random.shuffle(reordered)
    assert confidence_of(dict(shuffled), dict(reordered), clear_margin) == confidence_of(signals, rules, clear_margin)


@given(SIGNALS, RULES, MARGINS, st.sampled_from(NAMES), UNIT)
def test_holding_a_signal_back_never_helps(signals, rules, clear_margin, name, value):
    reported = signals | {name: value}
    held_back = {key: score for key, score in reported.items() if key != name}
    without = confidence_of(held_back, rules, clear_margin)
    assert without.value <= confidence_of(reported, rules, clear_margin).value
    assert len(without.missing_required) >= len(confidence_of(reported, rules, clear_margin).missing_required)


@given(SIGNALS, RULES, MARGINS, st.sampled_from(NAMES), UNIT)
def test_a_signal_that_the_policy_does_not_use_has_no_effect(signals, rules, clear_margin, name, value):
    unused = rules | {name: SignalRule(rules[name].weight if name in rules else 1.0, Use.UNUSED)}
    before = confidence_of(signals, unused, clear_margin)
    assert confidence_of(signals | {name: value}, unused, clear_margin) == before
    assert name not in {part.signal for part in before.contributions}


@given(SIGNALS, RULES, MARGINS)
def test_contributions_add_up_to_the_confidence(signals, rules, clear_margin):
    confidence = confidence_of(signals, rules, clear_margin)
    assert sum(part.points for part in confidence.contributions) == pytest.approx(confidence.value, abs=2e-4)
    if any(rule.weight > 0 and rule.use != Use.UNUSED for rule in rules.values()):
        assert sum(part.weight for part in confidence.contributions) == pytest.approx(1.0, abs=1e-5)
    assert all(part.lost >= 0 for part in confidence.contributions)
