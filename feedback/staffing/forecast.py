"""How many cases will come in each hour: the mean of the same hour of past weeks, with an interval. Pure.

The mean of a slot (an hour of the week, or a day of it) is drawn a little towards what is usual, as if one more season
had looked like ``usual``:

    mean = (cases of the slot + usual) / (seasons + 1)

so that an hour in which nothing has happened to come yet is not promised to stay empty. Counts vary more than a Poisson
process lets them, by a factor that all slots share (quasi-Poisson; McCullagh and Nelder 1989, section 6.2):

    spread = sum of (count - slot's mean)^2 / slot's mean, over the counts less the slots, and at least 1

A coming count varies by itself and the mean is uncertain, so the interval of 95 % is mean ± 1.96 sqrt(spread mean
(1 + 1 / (seasons + 1))), its ends widened to whole cases and never below 0. Trends are not followed: what grows by a
tenth in eight weeks is forecast a twentieth too low.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Z = 1.959963984540054  # of a two-sided interval of 95 %
LONGEST = 8  # seasons of a week


class Season(Enum):
    """After how many hours the pattern begins anew: the longest of which at least ``LEAST`` have been seen."""

    WEEK = 168
    DAY = 24
    HOUR = 1

    @classmethod
    def for_history(cls, hours: int) -> tuple["Season", int]:
        """The season for so many hours of history, and how many whole ones of it are read."""
        for season in cls:
            whole = min(hours, LONGEST * cls.WEEK.value) // season.value
            if whole >= LEAST:
                return season, whole
        return cls.HOUR, max(1, hours)


LEAST = 2


@dataclass(frozen=True)
class Seen:
    """The counts of one slot, one for each season: what they and their squares add up to."""

    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(self.total + other.total, self.squares + other.squares)


@dataclass(frozen=True)
class Expected:
    """Of one coming hour or day: the mean, and the variance of what will come around it."""

    mean: float = 0.0
    variance: float = 0.0

    @property
    def low(self) -> int:
        return max(0, math.floor(round(self.mean - Z * math.sqrt(self.variance), 9)))

    @property
    def high(self) -> int:
        return math.ceil(round(self.mean + Z * math.sqrt(self.variance), 9))

    def scaled(self, factor: float) -> "Expected":
        """With ``factor`` times as many cases, which vary alike."""
        return Expected(self.mean * factor, self.variance * factor)


def forecast(
    seen: Mapping[int, Seen], *, slots: int, seasons: int, usual: Mapping[int, float] | None = None
) -> list[Expected]:
    """What each of ``slots`` lets expect; a slot that is not in ``seen`` had no case. ``usual`` is per slot; without
    it, the mean of all slots."""
    everywhere = sum(one.total for one in seen.values()) / (slots * seasons)
    spread = spread_of(seen, seasons)
    found = []
    for slot in range(slots):
        total = seen.get(slot, Seen()).total
        mean = (total + (usual or {}).get(slot, everywhere)) / (seasons + 1)
        found.append(Expected(mean, spread * mean * (1 + 1 / (seasons + 1))))
    return found


def spread_of(seen: Mapping[int, Seen], seasons: int) -> float:
    """How many times more than a Poisson process the counts vary around their slot's mean; at least 1."""
    if seasons < 2:
        return 1.0
    chi, freedom = 0.0, 0
    for one in seen.values():
        if one.total > 0:
            mean = one.total / seasons
            chi += (one.squares - seasons * mean * mean) / mean
            freedom += seasons - 1
    return max(1.0, chi / freedom) if freedom else 1.0
