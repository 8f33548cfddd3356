"""Which sentence each piece of evidence stands beside, as a table. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.support import sentences, supported

DRAFT = "You can return the shoes within 60 days. Print the label at home.\n\nDrop the box at any shop."


@pytest.mark.parametrize(
    ("quote", "sentence"),
    [
        ("Shoes may be returned within 30 days.", "You can return the shoes within 60 days."),
        ("The label can be printed at home.", "Print the label at home."),
        ("Gift cards never expire.", None),
        ("Shoes.", None),  # One word is no overlap.
        ("", None),
    ],
)
def test_evidence_stands_beside_the_sentence_that_shares_its_words(quote, sentence):
    found = [piece.text.strip() for piece in supported(DRAFT, [quote]) if piece.evidence]
    assert found == ([sentence] if sentence else [])


def test_several_pieces_may_stand_beside_one_sentence():
    quotes = ["Shoes may be returned within 30 days.", "60 days for shoes of members."]
    assert supported(DRAFT, quotes)[0].evidence == (1, 2)


@given(st.text(max_size=300))
def test_the_sentences_put_together_are_the_draft(text):
    assert "".join(sentences(text)) == text
    assert "".join(piece.text for piece in supported(text, ["a quote of words"])) == text


def test_a_hostile_draft_of_ends_is_cut_in_bounded_time():
    assert len(sentences(". " * 50_000)) <= 200
