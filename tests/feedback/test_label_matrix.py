"""What a labelled correction may teach: the whole matrix, cell by cell, and what a review's words suggest."""

import pytest

from feedback.kinds import Kind
from feedback.labels import Label, feeds, may_feed, suggest

LEARNING = [kind for kind in Kind if kind != Kind.OVERRIDES]
EVALS = {Kind.GOLDEN_EVALS, Kind.PROMPT_REGRESSIONS}
TRAINING = {Kind.FINE_TUNING, Kind.PREFERENCE_PAIRS}

# As the design has it: per label what it feeds, without and with a policy as the reason.
MATRIX = {
    "model_error": (EVALS | TRAINING, EVALS | TRAINING | {Kind.POLICY_CLASSIFIER}),
    "bad_retrieval": (EVALS | {Kind.HARD_NEGATIVES}, EVALS | {Kind.HARD_NEGATIVES}),
    "temporary_policy": (set(), set()),
    "one_off_context": (set(), set()),
    None: (set(), set()),
    "": (set(), set()),
}


@pytest.mark.parametrize("policy_reason", [False, True])
@pytest.mark.parametrize("kind", LEARNING)
@pytest.mark.parametrize("label", MATRIX)
def test_each_label_feeds_what_the_design_says_and_nothing_else(label, kind, policy_reason):
    assert may_feed(label, kind, policy_reason=policy_reason) == (kind in MATRIX[label][policy_reason])


def test_the_matrix_knows_every_label():
    assert {label for label in MATRIX if label} == set(Label.values)


@pytest.mark.parametrize("label", MATRIX)
def test_the_record_of_overrides_holds_every_correction(label):
    assert may_feed(label, Kind.OVERRIDES, policy_reason=False)


def test_an_unknown_label_is_an_error_and_never_a_silent_no():
    with pytest.raises(ValueError):
        may_feed("modelerror", Kind.FINE_TUNING, policy_reason=False)


def test_what_is_trainable_is_what_feeds_anything():
    assert feeds("model_error", policy_reason=True) == [kind for kind in LEARNING if kind != Kind.HARD_NEGATIVES]
    assert feeds("one_off_context", policy_reason=True) == []
    assert feeds(None, policy_reason=True) == []


@pytest.mark.parametrize(
    ("texts", "label"),
    [
        ({"incorrect_evidence": ["doc"]}, "bad_retrieval"),
        ({"missing_evidence": "the 2026 table"}, "bad_retrieval"),
        ({"better_retrieval_query": "returns 2026"}, "bad_retrieval"),
        ({"policy_reason": "30 days, not 60"}, "model_error"),
        ({"policy_reason": "30 days", "incorrect_evidence": ["doc"]}, "bad_retrieval"),
        ({"notes": "wrong", "missing_evidence": "  ", "incorrect_evidence": []}, None),
        ({}, None),
    ],
)
def test_a_review_suggests_the_label_that_its_words_point_to(texts, label):
    suggestion = suggest(texts)
    assert (suggestion and suggestion.label) == label


def test_every_label_has_a_meaning_to_choose_by():
    assert all(label.meaning for label in Label)
