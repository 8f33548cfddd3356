"""When a challenge is due, by a policy and a person's record. Pure: told the time, and given the dice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Rates:
    """A ``ChallengePolicy`` as numbers; the field names are its own."""

    base_rate: float
    rate_after_miss: float
    quiet_days: int
    rate_after_quiet: float
    least_minutes: int
    most_per_day: int
    pause_misses: int
    pause_among: int

    @property
    def highest(self) -> float:
        return max(self.base_rate, self.rate_after_miss, self.rate_after_quiet)


# Measured by ``tests.bench.detecting``: with 60 cases a day, who misses half of what is wrong is paused within two
# weeks, and who misses one in twenty hardly ever.
DEFAULTS = Rates(
    base_rate=0.02,
    rate_after_miss=0.1,
    quiet_days=14,
    rate_after_quiet=0.08,
    least_minutes=30,
    most_per_day=2,
    pause_misses=4,
    pause_among=8,
)


@dataclass(frozen=True)
class Record:
    """What a person had so far. ``since`` is when they began to be challenged at all, for the long quiet of a new
    colleague; ``results`` are the counted ones, newest first, True where it was caught."""

    since: datetime
    last_at: datetime | None = None
    within_a_day: int = 0
    is_planned: bool = False
    results: Sequence[bool] = ()


def chance(rates: Rates, record: Record, now: datetime) -> float:
    """The chance in [0, 1] that a challenge follows a case decided at ``now``; 0 where none may."""
    if record.is_planned or record.within_a_day >= rates.most_per_day:
        return 0.0
    if record.last_at and now - record.last_at < timedelta(minutes=rates.least_minutes):
        return 0.0
    due = [rates.base_rate]
    if record.results and not record.results[0]:
        due.append(rates.rate_after_miss)
    if now - (record.last_at or record.since) >= rates.quiet_days * DAY:
        due.append(rates.rate_after_quiet)
    return max(due)


def misses_that_pause(rates: Rates, results: Sequence[bool]) -> int:
    """How many misses stand among the last results where that is enough to pause the person, else 0."""
    misses = sum(not is_caught for is_caught in results[: rates.pause_among])
    return misses if rates.pause_misses and misses >= rates.pause_misses else 0


# --- the cap on friction ----------------------------------------------------------------------------------------------

DEFAULT_PERCENT = 15
LOOKED_AT = 50  # of a person's last reviews
FEW = 20  # Somebody with fewer is looked at as if they had so many: the first cases of a new colleague are no sample.


def _among(cases: int) -> int:
    """Of how many reviews the share is, once there is one more."""
    return min(max(cases + 1, FEW), LOOKED_AT)


def share_left(taken: int, cases: int, percent: float) -> float:
    """What is left of the stated share, in [0, 1], once one more of the last ``cases`` is taken; below 0 where that
    would be too much."""
    return percent / 100 - (taken + 1) / _among(cases)


def has_room(taken: int, cases: int, percent: float) -> bool:
    """Whether one more keeps within the stated share, to the last one."""
    return 100 * (taken + 1) <= percent * _among(cases)
