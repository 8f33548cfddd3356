"""Which sentence of a draft each piece of evidence supports, by the words that they share. Pure.

A help for the eye and no judgement: shared words say that two texts speak of the same thing, not that they agree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_SHARED = 2  # words
LEAST_SHARE = 0.3  # of the words of the shorter text
SENTENCES = 200  # of a draft; what comes after is one piece
SHORTEST = 4  # characters; shorter words are mostly grammar, but for numbers

_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n+|(?<=[。！？])")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Sentence:
    """A stretch of the draft with the space behind it, and the numbers of the evidence beside it."""

    text: str
    evidence: tuple[int, ...] = ()


def supported(draft: str, quotes: Sequence[str]) -> list[Sentence]:
    """``draft`` cut into sentences, whose texts put together are the draft again. Evidence is numbered from 1."""
    texts = sentences(draft)
    words = [_words(text) for text in texts]
    beside: dict[int, list[int]] = {}
    for number, quote in enumerate(quotes, start=1):
        if (place := _nearest(_words(quote), words)) is not None:
            beside.setdefault(place, []).append(number)
    return [Sentence(text, tuple(beside.get(place, ()))) for place, text in enumerate(texts)]


def sentences(text: str) -> list[str]:
    """``text`` cut behind each sentence and line."""
    cuts = [match.end() for match in _END.finditer(text) if 0 < match.end() < len(text)][: SENTENCES - 1]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True) if end > start]


def _nearest(quote: frozenset[str], candidates: Sequence[frozenset[str]]) -> int | None:
    """The place of the candidate that shares the most words, the shortest of several; None where none shares enough."""
    best, found = (0, 0), None
    for place, words in enumerate(candidates):
        shared = len(quote & words)
        if shared < LEAST_SHARED or shared < LEAST_SHARE * min(len(quote), len(words)):
            continue
        if (shared, -len(words)) > best or found is None:
            best, found = (shared, -len(words)), place
    return found


def _words(text: str) -> frozenset[str]:
    words = _WORD.findall(text.lower())
    return frozenset(word for word in words if len(word) >= SHORTEST or word.isdigit())
