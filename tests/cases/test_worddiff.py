"""Word differences are lossless, readable and quick; the edit distance is Levenshtein's."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import worddiff
from cases.worddiff import Chunk, diff, edit_distance

WORDS = st.sampled_from(
    ["refund", "the", "a", "bank", "40", " ", " ", "  ", "\n", "\n\n", ",", ".", "返金", "हिन्दी", "é", "👍🏽"]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=40).map("".join))


def before_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.op != "new")


def after_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if chunk.op != "gone")


def shown(before: str, after: str) -> str:
    marks = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return "".join(marks[chunk.op].format(chunk.text) for chunk in diff(before, after))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("", "", "", id="nothing-is-nothing"),
        pytest.param("", "Yes.", "{+Yes.+}", id="written-from-scratch"),
        pytest.param("Yes.", "", "[-Yes.-]", id="wiped"),
        pytest.param("Yes.", "Yes.", "Yes.", id="unchanged-is-one-chunk"),
        pytest.param("within 30 days", "within 40 days", "within [-30-]{+40+} days", id="one-word"),
        pytest.param(
            "30 days, sorry.", "30 days; sorry.", "30 days[-,-]{+;+} sorry.", id="punctuation-is-its-own-word"
        ),
        pytest.param("a  b", "a b", "a[-  -]{+ +}b", id="white-space-counts"),
        pytest.param(
            "the quick fox", "a slow dog", "[-the quick fox-]{+a slow dog+}", id="lone-spaces-do-not-part-a-rewrite"
        ),
        pytest.param(
            "We can refund you.",
            "They may refund us.",
            "[-We can-]{+They may+} refund [-you-]{+us+}.",
            id="a-longer-common-word-parts-two-changes",
        ),
        pytest.param("One.\n\nTwo.", "Uno.\n\nDos.", "[-One-]{+Uno+}.\n\n[-Two-]{+Dos+}.", id="paragraphs-stay-apart"),
        pytest.param(
            "返金は40日以内に", "返金は30日以内に", "返金は[-40-]{+30+}日以内に", id="japanese-needs-no-spaces"
        ),
        pytest.param("हिन्दी लिखा", "हिन्दी लिखो", "हिन्दी [-लिखा-]{+लिखो+}", id="vowel-signs-stay-with-their-word"),
        pytest.param("yes [yes]", "yes (yes)", "yes [-[-]{+(+}yes[-]-]{+)+}", id="brackets-change-round-a-word"),
    ],
)
def test_a_change_reads_as_a_person_would_mark_it(before, after, expected):
    assert shown(before, after) == expected


@given(TEXTS, TEXTS)
def test_both_texts_can_be_put_together_again(before, after):
    chunks = diff(before, after)
    assert before_of(chunks) == before
    assert after_of(chunks) == after


@given(TEXTS, TEXTS)
def test_chunks_are_never_empty_and_never_repeat_their_kind(before, after):
    chunks = diff(before, after)
    assert all(chunk.text for chunk in chunks)
    order = [chunk.op for chunk in chunks]
    assert all(one != other and (one, other) != ("new", "gone") for one, other in pairwise(order))


@given(TEXTS, TEXTS, st.integers(0, 30))
def test_nothing_is_lost_when_the_texts_are_too_long_to_compare_word_by_word(before, after, cells):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worddiff, "MAX_CELLS", cells)
        chunks = diff(before, after)
    assert (before_of(chunks), after_of(chunks)) == (before, after)


def test_too_long_for_words_falls_back_to_lines_and_to_words_within_them(monkeypatch):
    lines = [f"line {number} of the terms\n" for number in range(50)]
    before = "".join(lines)
    after = before.replace("line 7 of", "line seven of").replace("line 40 of", "line forty of")
    monkeypatch.setattr(worddiff, "MAX_CELLS", 35 * 35)
    assert [chunk.text for chunk in diff(before, after) if chunk.op != "same"] == ["7", "seven", "40", "forty"]


def test_too_long_for_lines_is_one_replacement(monkeypatch):
    monkeypatch.setattr(worddiff, "MAX_CELLS", 3)
    assert shown("See a b c d.", "See e f g h.") == "[-See a b c d.-]{+See e f g h.+}"


def test_ten_thousand_words_take_less_than_a_third_of_a_second():
    dice = random.Random(7)
    words = [f"word{number}" for number in range(2000)] + ["the", "of"] * 200
    before = [dice.choice(words) for _ in range(10_000)]
    after = [word if dice.random() > 0.2 else dice.choice(words) for word in before]
    unrelated = [dice.choice(words) for _ in range(10_000)]
    for other in (after, unrelated):
        assert fastest(lambda other=other: diff(" ".join(before), " ".join(other))) < 0.3


@pytest.mark.parametrize(
    ("before", "after", "distance", "share"),
    [
        pytest.param("", "", 0, 0.0, id="two-empty-texts"),
        pytest.param("", "abcd", 4, 1.0, id="all-new"),
        pytest.param("kitten", "sitting", 3, 3 / 7, id="textbook"),
        pytest.param("refund", "refund", 0, 0.0, id="unchanged"),
        pytest.param("aé", "ae", 1, 0.5, id="characters-not-bytes"),
        pytest.param("👍🏽", "👍", 1, 0.5, id="a-skin-tone-is-a-character"),
    ],
)
def test_edit_distance_counts_characters(before, after, distance, share):
    assert edit_distance(before, after) == (distance, pytest.approx(share))


@given(TEXTS, TEXTS)
def test_edit_distance_is_a_distance(before, after):
    distance, share = edit_distance(before, after)
    assert edit_distance(after, before) == (distance, share)
    assert abs(len(before) - len(after)) <= distance <= max(len(before), len(after))
    assert (distance == 0) == (before == after)
    assert 0 <= share <= 1


@given(TEXTS, TEXTS, st.integers(0, 200))
def test_beyond_the_bound_the_distance_is_never_understated(before, after, cells):
    exact, _ = edit_distance(before, after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worddiff, "MAX_CHARACTER_CELLS", cells)
        bounded, share = edit_distance(before, after)
    assert exact <= bounded <= max(len(before), len(after))
    assert 0 <= share <= 1


def test_a_hundred_kilobytes_are_measured_within_two_seconds_whatever_was_changed():
    dice = random.Random(7)
    before = "".join(dice.choice("abcdefgh ijklmnop\n") for _ in range(100_000))
    unrelated = "".join(dice.choice("abcdefgh ijklmnop\n") for _ in range(100_000))
    corrected = before.replace("abc", "xyz")
    assert fastest(lambda: edit_distance(before, corrected)) < 0.5
    assert fastest(lambda: edit_distance(before, unrelated)) < 2
    assert fastest(lambda: edit_distance(before * 5, unrelated * 5)) < 2


def fastest(work) -> float:
    """Seconds of the quickest of three runs: the machine may be busy with something else."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
