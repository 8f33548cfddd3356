"""Groundedness by words: the formula's properties, scripts of many kinds, and texts that try to break it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.groundedness import evaluate, groundedness
from tests import real
from tests.bench.grounding import read_grounded
from tests.feedback.labelled import auc_of

EVIDENCE = ["Shoes may be returned within 30 days. The refund is 42.00 USD and takes 5 days."]


@pytest.mark.parametrize(
    ("draft", "evidence", "least", "most"),
    [
        ("Shoes may be returned within 30 days.", EVIDENCE, 1.0, 1.0),
        ("You may return your shoes within 30 days.", EVIDENCE, 0.6, 0.9),
        ("Shoes may be returned within 60 days.", EVIDENCE, 0.7, 0.8),  # one wrong number of seven units
        ("Elephants never forget a face they love.", EVIDENCE, 0.0, 0.0),
        ("The refund is 42 USD.", EVIDENCE, 1.0, 1.0),
        ("Sie können 1.250,00 € zurückerhalten.", ["Die Kundin kann 1250 € zurückerhält"], 0.5, 1.0),
        ("退款将在五天内到账。", ["退款将在五天内到账，运费不退。"], 1.0, 1.0),
        ("我们会赠送一台新电脑。", ["退款将在五天内到账，运费不退。"], 0.0, 0.1),
        ("คืนเงินภายในห้าวัน", ["บริษัทจะคืนเงินภายในห้าวันทำการ"], 1.0, 1.0),
        ("환불은 5일 안에 됩니다", ["환불은 5일 안에 처리됩니다"], 0.7, 1.0),
        ("रिफंड पाँच दिनों में मिलेगा।", ["आपका रिफंड पाँच दिनों में मिलेगा।"], 1.0, 1.0),
        ("سيصلك المبلغ خلال خمسة أيام", ["سيصلك المبلغ خلال خمسة أيام عمل"], 1.0, 1.0),
    ],
)
def test_a_draft_is_as_grounded_as_its_words(draft, evidence, least, most):
    assert least <= groundedness(draft, evidence) <= most


def test_a_wrong_number_costs_more_than_a_wrong_word():
    number = groundedness("Shoes may be returned within 60 days.", EVIDENCE)
    word = groundedness("Hats may be returned within 30 days.", EVIDENCE)
    assert number < word < 1


def test_one_invented_sentence_shows_among_many_that_are_copied():
    copied = " ".join(EVIDENCE * 5)
    assert groundedness(copied, EVIDENCE) == 1.0
    assert groundedness(f"{copied} Vouchers worth plenty await everybody tomorrow.", EVIDENCE) < 0.6


@pytest.mark.parametrize(
    "sent",
    [
        {"model_draft": "Yes."},
        {"model_draft": "  ", "evidence": [{"document_id": "a", "quote": "Yes."}]},
        {"evidence": [{"document_id": "a", "quote": "Yes."}]},
        {"model_draft": "Yes.", "evidence": [{"document_id": "a", "quote": ""}]},
        {"model_draft": "Yes.", "tool_results": [{"tool": "t", "status": "error", "output": "Yes."}]},
        {"model_draft": "?!…", "evidence": [{"document_id": "a", "quote": "Yes."}]},
    ],
)
def test_nothing_to_ground_is_no_value(sent):
    assert evaluate(sent) is None


def test_policies_and_answers_of_tools_are_evidence_too():
    sent = {"model_draft": "Delivered on Monday, returns within thirty days."}
    assert evaluate(sent | {"policies": [{"policy_id": "p", "text": "returns within thirty days"}]}) > 0.4
    both = {
        "policies": [{"policy_id": "p", "text": "returns within thirty days"}],
        "tool_results": [{"tool": "t", "status": "ok", "output": '{"delivered on": "Monday"}'}],
    }
    assert evaluate(sent | both) == 1.0


@settings(max_examples=40)
@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=3), st.text(max_size=100))
def test_it_is_in_bounds_and_more_evidence_never_lowers_it(draft, evidence, more):
    less, with_more = groundedness(draft, evidence), groundedness(draft, [*evidence, more])
    for value in (less, with_more):
        assert value is None or 0 <= value <= 1
    if less is not None:
        assert with_more >= less


@pytest.mark.parametrize("unit", ["a", "a ", "a. ", "1,000", "1", "語", "\u0301", "_", "\n", "1.1"])
def test_a_long_text_takes_no_long_time(unit):
    text = unit * (200_000 // len(unit))
    started = time.thread_time()
    groundedness(text, [text] * 3)
    assert time.thread_time() - started < 3


@real.needed
def test_it_tells_answers_that_people_found_grounded_from_the_others():
    rows = read_grounded(real.DATA / "answers_begin.jsonl")
    assert len(rows) == 430
    assert auc_of([(row.ours, row.is_right) for row in rows]) > 0.95
    assert auc_of([(row.ours, row.is_right) for row in rows]) >= auc_of([(row.callers, row.is_right) for row in rows])
