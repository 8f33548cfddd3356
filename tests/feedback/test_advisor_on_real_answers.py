"""The advisor on answers that other people labelled: half of them advises, and the other half is what comes after.

A few resamples; ``python -m tests.bench --only advice --answers FILE`` takes 200 of every set.
"""

import random
from dataclasses import replace

import pytest

from cases.confidence import SignalRule, combine
from cases.rules import DEFAULT_RULES
from cases.vocabulary import Signal, Use
from feedback.advisor.thresholds import Kind
from feedback.services.learning import Decision, learn_from
from tests import real
from tests.feedback.labelled import SAID, advised, auc_of, brier_of, error_above, halves, read

GROUNDED = "answer_groundedness"
pytestmark = real.needed


@pytest.mark.parametrize("sampled", [1.0, 0.3])
def test_the_error_at_the_advised_threshold_is_what_the_advice_let_expect(sampled):
    rows, rng = read(real.DATA / "answers_begin.jsonl"), random.Random(7)
    held = [advised(rows, GROUNDED, rng, tolerance=0.2, current=0.8, sampled=sampled) for _ in range(60)]
    said = [one for one in held if one.one.kind in SAID]
    assert len(said) >= 10
    assert sum(one.is_as_expected for one in said) >= 0.9 * len(said)
    truths = [error_above(rows, GROUNDED, one.one.level) for one in said]
    assert sum(one.holds(truth) for one, truth in zip(said, truths, strict=True)) >= 0.95 * len(said)
    assert sum(truth <= 0.2 for truth in truths) >= 0.95 * len(said)


def test_answers_without_a_signal_are_nothing_to_advise_on():
    held = advised(
        read(real.DATA / "answers_halueval.jsonl"), GROUNDED, random.Random(7), tolerance=0.2, current=0.8, sampled=1
    )
    assert (held.one.kind, held.passed) == (Kind.TOO_FEW, 0)


def test_weights_learned_from_half_are_no_worse_on_the_other_half():
    rows, rng = read(real.DATA / "answers_begin.jsonl", with_readings=True), random.Random(7)
    signals = {Signal(name): SignalRule(1.0, Use.OPTIONAL) for name in rows[0].signals}
    rules, adopted = replace(DEFAULT_RULES, signals=signals), 0
    for _ in range(12):
        first, second = halves(rows, rng)
        lesson = learn_from([Decision(None, one.signals, one.is_right) for one in first], rules)
        if not lesson.trial.is_not_worse:
            continue
        adopted += 1
        by_hand = [(sum(one.signals.values()) / len(signals), one.is_right) for one in second]
        learned = [(_chance(lesson.learned, one.signals), one.is_right) for one in second]
        assert auc_of(learned) >= auc_of(by_hand) - 0.02
        assert brier_of(learned) <= brier_of(by_hand)
    assert adopted


def _chance(learned, signals) -> float:
    used = {name: SignalRule(0.0, Use.OPTIONAL) for name in learned.weights}
    return combine(signals, used, clear_margin=learned.clear_margin, learned=learned).value
