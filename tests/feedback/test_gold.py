"""What is right in a challenge, when one is due, and how the envelope is drawn: tables for pure code."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from feedback.dose import Rates, Record, chance, misses_that_pause
from feedback.envelopes import customer_like, deadline_like, like_recent, same_shape, trace_parts, varied
from feedback.gold import Expected, faults, similarity

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RIGHT = Expected(
    right_verdicts=("edit", "reject"),
    right_decision="deny",
    must_contain=("30 days",),
    must_not_contain=("60 days",),
    right_answer="You can return it within 30 days.",
    least_similarity=50,
)
ANSWER = "You can return it within 30  DAYS only."


@pytest.mark.parametrize(
    ("said", "missed"),
    [
        ({"verdict": "reject"}, 0),
        ({"verdict": "accept"}, 1),
        ({"verdict": "needs_edit"}, 1),
        ({"verdict": "edit", "decision": "deny", "answer": ANSWER}, 0),
        ({"verdict": "edit", "decision": "approve", "answer": ANSWER}, 1),
        ({"verdict": "edit", "decision": "deny", "answer": ANSWER.replace("30", "60")}, 2),
        ({"verdict": "edit", "decision": "deny", "answer": "Within 30 days. No."}, 0),
        ({"verdict": "edit", "decision": "deny", "answer": "30 days " + "and something else entirely " * 9}, 1),
    ],
)
def test_a_review_is_judged_by_its_verdict_and_an_edit_by_its_words(said, missed):
    assert len(faults(RIGHT, **said)) == missed


def test_rules_survive_being_stored():
    assert Expected.from_document(RIGHT.as_document()) == RIGHT


def test_similarity_does_not_mind_order_and_case():
    assert similarity("Within 30 days", "30 days within") == 100


RATES = Rates(0.02, 0.1, 14, 0.08, 30, 2, 3, 10)
YEAR = NOW - timedelta(days=365)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(NOW - timedelta(days=1)), 0.02),
        (Record(NOW - timedelta(days=15)), 0.08),
        (Record(YEAR, last_at=NOW - timedelta(days=2)), 0.02),
        (Record(YEAR, last_at=NOW - timedelta(days=20)), 0.08),
        (Record(YEAR, last_at=NOW - timedelta(days=2), results=(False, True)), 0.1),
        (Record(YEAR, last_at=NOW - timedelta(days=2), results=(True, False)), 0.02),
        (Record(YEAR, last_at=NOW - timedelta(minutes=29)), 0.0),
        (Record(YEAR, last_at=NOW - timedelta(hours=2), within_a_day=2), 0.0),
        (Record(YEAR, is_planned=True), 0.0),
    ],
)
def test_the_chance_follows_the_record(record, expected):
    assert chance(RATES, record, NOW) == expected


@pytest.mark.parametrize(
    ("results", "misses"),
    [
        ((), 0),
        ((False, False), 0),
        ((False, True, False, False), 3),
        ((False, *[True] * 8, False, False), 0),
        ((False,) * 10, 10),
    ],
)
def test_so_many_misses_among_the_last_pause(results, misses):
    assert misses_that_pause(RATES, results) == misses


def test_no_policy_of_pausing_pauses_nobody():
    assert misses_that_pause(Rates(0.02, 0.1, 14, 0.08, 30, 2, 0, 10), (False,) * 10) == 0


def test_an_external_id_is_one_that_a_sequence_has_left_out_or_its_next():
    """The next one is taken by a real case soon, and the challenge would stand there without any."""
    names = ["conv-0120", "conv-0118", "conv-0117", "conv-0115"]
    assert {like_recent(names, random.Random(n)) for n in range(50)} == {"conv-0119", "conv-0116"}
    dense = ["conv-0120", "conv-0119", "conv-0118"]
    assert {like_recent(dense, random.Random(n)) for n in range(50)} == {"conv-0121"}


def test_an_external_id_without_a_sequence_keeps_its_shape():
    names = ["TKT-7F21-99", "TKT-1A00-12", "TKT-9C44-57"]
    made = like_recent(names, random.Random(4))
    assert made != names[0] and made.startswith("TKT-") and len(made) == len(names[0])
    assert like_recent([], random.Random(4)) == like_recent(["none"], random.Random(4)) == ""


def test_a_hexadecimal_id_stays_hexadecimal():
    made = same_shape("3f9a12bc-7e40", random.Random(4))
    assert made != "3f9a12bc-7e40" and set(made) <= set("0123456789abcdef-")


def test_a_signal_is_near_the_real_one_within_its_bounds_and_as_long():
    made = [varied(0.97, random.Random(n)) for n in range(200)]
    assert all(0 <= value <= 1 and len(str(value)) <= 4 for value in made)
    assert 1.0 not in made or made.count(1.0) < 20
    assert varied(0.0, random.Random(1)) == 0.0 and varied(1, random.Random(1)) == 1


def test_a_deadline_is_as_far_ahead_and_as_round():
    whole = NOW.replace(hour=18)
    assert deadline_like(whole, NOW, NOW + timedelta(seconds=40)) == "2026-11-21T18:01:00Z"
    exact = whole + timedelta(seconds=7)
    assert deadline_like(exact, NOW, NOW + timedelta(seconds=1)) == "2026-11-21T18:00:08Z"


def test_a_trace_comes_where_the_real_case_has_one():
    assert trace_parts("", "", random.Random(1)) == {}
    made = trace_parts("x", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", random.Random(1))
    assert len(made["traceparent"]) == 55 and made["traceparent"].endswith("-01")
    assert set(trace_parts("4bf92f35", "", random.Random(1))) == {"trace_id"}


def test_a_customer_has_what_the_real_one_has_and_nothing_of_it():
    made = customer_like(
        {"reference": "cust_981", "email": "a1@x.de", "locale": "de"}, random.Random(2), with_address=False
    )
    assert made.keys() == {"reference", "locale"} and made["reference"] != "cust_981" and made["locale"] == "de"
