"""Slots: what is filled in, that it cannot be remembered, and what is refused."""

import random
import re
from datetime import UTC, datetime

import pytest

from feedback.disguise import disguise
from feedback.slots import SlotInvalid, amount_like, check_slots, fill, shaped

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLOTS = {
    "name1": "name",
    "email1": "email name1",
    "id1": "id ord_#####",
    "phone1": "phone +1 ### ####",
    "amount1": "amount 1,249.90",
    "date1": "date -40 %d %B %Y",
}
TEXT = "[[name1]] ([[name1.first]], [[email1]], [[phone1]]) paid [[amount1]] for [[id1]] on [[date1]]. [[name1.last]]"


def test_one_seed_fills_alike_and_another_one_differently():
    one, same, other = (fill(TEXT, SLOTS, seed=seed, now=NOW) for seed in (7, 7, 8))
    assert one == same != other


def test_every_slot_gets_what_it_looks_like():
    text = fill(TEXT, SLOTS, seed=7, now=NOW)
    found = re.fullmatch(
        r"(\w+) (\w+) \(\1, (\S+@\S+), \+1 \d{3} \d{4}\) paid 1,2\d\d\.\d\d for ord_[1-9]\d{4} on 12 October 2026\. \2",
        text,
    )
    assert found, text
    assert found[2].lower() in found[3] or found[1].lower() in found[3] or found[3][0] == found[1][0].lower()


def test_texts_are_filled_however_deep_and_alike():
    body = fill({"a": ["[[id1]]"], "b": {"c": "[[id1]]"}, "d": 4}, SLOTS, seed=3, now=NOW)
    assert body["a"][0] == body["b"]["c"] and body["d"] == 4


def test_an_instant_is_before_the_arrival():
    (at,) = re.findall(r"2026-11-21T1[01]:\d\d:\d\dZ", fill("[[at:-3600]]", {}, seed=1, now=NOW))
    assert at < "2026-11-21T12"


def test_an_amount_keeps_its_marks_and_stays_near():
    made = {amount_like("1,249.90", random.Random(n)) for n in range(50)}
    assert len(made) > 10
    assert all(re.fullmatch(r"1,2\d\d\.\d\d", text) for text in made)


def test_a_shape_keeps_its_words():
    assert re.fullmatch(r"cust_[1-9]\d\d-[A-Z][A-Z]", shaped("cust_###-^^", random.Random(1)))


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ({}, "is used and not defined"),
        ({"id1": "id"}, "looks like"),
        ({"id1": "thing x"}, "is none of"),
        ({"id1": "amount lots"}, "is no amount"),
        ({"id1": "date soon"}, "a date is"),
        ({"id1": "email name9"}, "no name of a person"),
        ({"Id": "id #"}, "is no slot's name"),
    ],
)
def test_what_means_nothing_is_refused_in_words(slots, words):
    with pytest.raises(SlotInvalid, match=words):
        check_slots({"user_question": "[[id1]]"}, slots)


CASE = {
    "external_id": "conv-8812",
    "user_question": "Hi, my name is Anna Miller. Order ord_48213 of 12 October 2026 cost $649.90, +49 170 555 1234.",
    "messages": [{"role": "user", "content": "Anna here, anna.miller@example.com", "at": "2026-11-21T11:00:00Z"}],
    "customer": {"reference": "cust_98144", "email": "anna.miller@example.com", "phone": "+49 170 555 1234"},
    "model_draft": "Dear Anna, order ord_48213 (649.90 USD, the limit is 500 USD) is refunded.",
    "evidence": [{"document_id": "refunds-v3", "quote": "Refunds up to 500 USD.", "score": 0.8}],
    "tool_results": [{"tool": "get_order", "status": "ok", "output": "ord_48213: A. Miller"}],
    "proposed_action": {"action": "issue_refund"},
    "signals": {"judge_score": 0.4},
    "tags": ["beta-12345"],
}


def test_a_disguise_leaves_nothing_of_the_customer_and_all_of_the_house():
    body, slots = disguise(CASE, opened=NOW)
    text = str(body)
    for told in ("Anna", "Miller", "48213", "98144", "649.90", "12 October", "555", "example.com", "conv-8812"):
        assert told not in text, told
    assert "500 USD" in text and "refunds-v3" in text
    assert not {"signals", "external_id", "tags"} & set(body)
    check_slots(body, slots)
    assert body["messages"][0]["at"] == "[[at:-3600]]"
    filled = fill(body, slots, seed=5, now=NOW)
    assert "[[" not in str(filled)
    assert filled["user_question"].count("12 October 2026") == 1  # The same days before its arrival.


def test_a_name_is_the_same_person_everywhere():
    body, slots = disguise(CASE, opened=NOW)
    filled = fill(body, slots, seed=5, now=NOW)
    name = re.search(r"my name is (\w+) (\w+)\.", filled["user_question"])
    assert filled["model_draft"].startswith(f"Dear {name[1]},")
    assert name[2] in filled["tool_results"][0]["output"]
