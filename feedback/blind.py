"""When a person speaks before the AI, and what the AI then did to their mind. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

RISKY = ("high", "critical")
STREAK = 20  # decisions in a row that accept the draft; then the record asks for a look of one's own


@dataclass(frozen=True)
class Shares:
    """A ``BlindFirstPolicy`` as numbers in percent; the field names are its own."""

    percent: int
    percent_risky: int
    percent_on_record: int

    def of_case(self, risk: str) -> float:
        """The chance in [0, 1] for a case of this risk."""
        return max(self.percent, self.percent_risky if risk in RISKY else 0) / 100

    def highest(self, risk: str) -> float:
        """The chance in [0, 1] whoever it is: a lot beyond it is never drawn."""
        return max(self.of_case(risk), self.percent_on_record / 100)

    def chance(self, risk: str, *, missed_last: bool, accepted_in_a_row: int) -> float:
        """The chance in [0, 1] for a person with this record."""
        on_record = missed_last or accepted_in_a_row >= STREAK
        return self.highest(risk) if on_record else self.of_case(risk)


class Turn(StrEnum):
    """What became of a first opinion."""

    AGREED = "agreed"  # It was the AI's.
    MOVED = "moved"  # It was another, and the AI's was decided.
    STOOD = "stood"  # It was another, and was decided.
    THIRD = "third"  # A third one was decided, or none.


def turn(first: str, ais: str, final: str) -> Turn:
    """For decisions, which can be compared; texts are left to people."""
    if first == ais:
        return Turn.AGREED
    if final == ais:
        return Turn.MOVED
    return Turn.STOOD if final == first else Turn.THIRD


@dataclass(frozen=True)
class Anchoring:
    """Of ``differed`` first opinions that were not the AI's, ``moved`` ended as the AI's."""

    moved: int = 0
    differed: int = 0


def anchoring(turns: Iterable[Turn]) -> Anchoring:
    turns = list(turns)
    return Anchoring(turns.count(Turn.MOVED), len(turns) - turns.count(Turn.AGREED))
