"""Work against people, hour by hour: how many people the work takes, and what is left at the end of each hour. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .forecast import Expected

BUSY = 0.85  # of an hour at work, the share that goes into cases


@dataclass(frozen=True)
class HourLoad:
    """One coming hour. ``work`` and ``left`` are hours of one person's work, ``left`` at its end; None while nobody
    knows how long a case takes. ``people`` are there on average, ``unplanned`` of them without hours of their own."""

    at: datetime
    cases: Expected
    work: float | None
    most_work: float | None
    people: float
    unplanned: float
    left: float | None

    @property
    def needed(self) -> int | None:
        """The people whom the expected work takes."""
        return None if self.work is None else math.ceil(round(self.work / BUSY, 6))

    @property
    def is_short(self) -> bool:
        """More work is expected than those who are there can do."""
        return self.work is not None and self.work > self.people * BUSY + 1e-9


@dataclass(frozen=True)
class DayLoad:
    """A day of the tenant's zone: ``cases`` with the interval of a day, the rest summed over its hours."""

    at: datetime
    cases: Expected
    work: float | None
    there: float
    left: float | None
    short_hours: int


def balance(
    starts: Sequence[datetime],
    cases: Sequence[Expected],
    people: Sequence[float],
    unplanned: Sequence[float],
    *,
    seconds_per_case: float | None,
    waiting: int,
) -> list[HourLoad]:
    """Each hour's work, and what is left of it: who is there works off what waits, the rest waits on.

    ``seconds_per_case`` is the handling time of all the reviews that a case takes; ``waiting`` cases begin it.
    """
    found = []
    hours = None if seconds_per_case is None else seconds_per_case / 3600
    left = None if hours is None else waiting * hours
    for start, coming, there, without in zip(starts, cases, people, unplanned, strict=True):
        work = most = None
        if hours is not None and left is not None:
            work, most = coming.mean * hours, coming.high * hours
            left = max(0.0, left + work - there * BUSY)
        found.append(HourLoad(start, coming, work, most, there, without, left))
    return found
