"""What is right in a challenge, and whether a review found it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rapidfuzz import fuzz

from cases.vocabulary import Verdict

RIGHT_VERDICTS = (Verdict.EDIT, Verdict.REJECT, Verdict.NEEDS_EDIT)  # The AI is wrong: to accept is never right.


@dataclass(frozen=True)
class Expected:
    """The rules of one planted challenge, with its slots filled. The rules on the answer hold for an edit alone."""

    right_verdicts: tuple[str, ...]
    right_decision: str = ""
    must_contain: tuple[str, ...] = ()
    must_not_contain: tuple[str, ...] = ()
    right_answer: str = ""
    least_similarity: int | None = None
    explanation: str = ""

    def as_document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Expected":
        lists = {
            name: tuple(document.get(name) or ()) for name in ("right_verdicts", "must_contain", "must_not_contain")
        }
        names = {field.name for field in fields(cls)}
        return cls(**({name: value for name, value in document.items() if name in names} | lists))


def faults(expected: Expected, *, verdict: str, decision: str = "", answer: str = "") -> list[str]:
    """What a review missed, in words for its writer; none where it found what is wrong."""
    if verdict not in expected.right_verdicts:
        right = " or ".join(Verdict(one).label.lower() for one in expected.right_verdicts)
        return [f"Right was: {right}. You chose: {Verdict(verdict).label.lower()}."]
    if verdict != Verdict.EDIT:
        return []
    found = []
    if expected.right_decision and decision != expected.right_decision:
        found.append(f"The right decision was “{expected.right_decision}”.")
    said = _plain(answer)
    found += [f"Your answer does not say “{text}”." for text in expected.must_contain if _plain(text) not in said]
    found += [f"Your answer still says “{text}”." for text in expected.must_not_contain if _plain(text) in said]
    if expected.least_similarity and similarity(answer, expected.right_answer) < expected.least_similarity:
        found.append("Your answer is further from the right one than it may be.")
    return found


def similarity(one: str, other: str) -> float:
    """Percent of the words of two texts that are the same, in whatever order (rapidfuzz's token sort ratio)."""
    return fuzz.token_sort_ratio(_plain(one), _plain(other))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()
