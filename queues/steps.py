"""The steps of an SLA: at which share of its time what happens, and when that share is reached. Pure.

A share is in percent of the open time from the start of a deadline's clock to the deadline, and may be above 100. A
step may come again after each further share; ``LAST_SHARE`` ends that, so that no case is spoken of for ever.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import TextChoices

from cases.calendars import ALWAYS, Calendar, CalendarError, add_working, at_share, working_between

LAST_SHARE = 1000  # percent
SHORTEST_AGAIN = 10  # percent
# What comes after the deadline of a shorter time is measured as if it had been this long: a deadline of a minute, or
# one that was missed before the case came in, would otherwise be spoken of at every sweep.
SHORTEST_SPAN = timedelta(minutes=30)


class StepKind(TextChoices):
    """In the order in which steps of one share happen: a case is told of before it moves."""

    RAISE_PRIORITY = "raise_priority", "raise the priority"
    WARN = "warn", "warn who holds it"
    NOTIFY = "notify", "notify holder and supervisors"
    ESCALATE = "escalate", "escalate"


_RANK = {kind: rank for rank, kind in enumerate(StepKind)}


@dataclass(frozen=True)
class Step:
    """``kind`` happens at ``share`` percent, and again every ``again_every`` percent after it where that is set."""

    share: int
    kind: StepKind
    again_every: int | None = None

    def shares_after(self, share: int) -> Iterable[int]:
        if self.again_every is None:
            return [self.share] if self.share > share else []
        every = max(self.again_every, SHORTEST_AGAIN)
        passed = max(0, (share - self.share) // every + 1)
        return range(self.share + passed * every, LAST_SHARE + 1, every)


STANDARD = (
    Step(50, StepKind.WARN),
    Step(80, StepKind.NOTIFY),
    Step(100, StepKind.ESCALATE, again_every=50),
)
"""What happens under an SLA that names no steps of its own."""


@dataclass(frozen=True)
class Clock:
    """A deadline's clock: what passes between ``start`` and ``due``. A pause moves both by the same open time."""

    start: datetime
    due: datetime
    calendar: Calendar

    def reaches(self, share: int) -> datetime | None:
        """The instant of ``share``; None when no such instant can be found. Broken hours count as clock time."""
        for calendar in (self.calendar, ALWAYS):
            try:
                return _reached(self.start, self.due, calendar, share)
            except CalendarError:
                continue
        return None


def _reached(start: datetime, due: datetime, calendar: Calendar, share: int) -> datetime:
    if share <= 100:
        return at_share(start, due, calendar, share / 100)
    span = max(working_between(calendar, start, due), SHORTEST_SPAN)
    return add_working(calendar, max(start, due), span * (share - 100) / 100)


@lru_cache(maxsize=4096)
def next_steps(steps: tuple[Step, ...], share: int) -> tuple[int, tuple[StepKind, ...]] | None:
    """The first share above ``share`` at which anything happens, and all that happens there, in order."""
    ahead = [(next(iter(step.shares_after(share)), None), step.kind) for step in steps]
    shares = [at for at, _ in ahead if at is not None]
    if not shares:
        return None
    nearest = min(shares)
    return nearest, tuple(sorted({kind for at, kind in ahead if at == nearest}, key=_RANK.__getitem__))


def looked_at_next(steps: Sequence[Step], share: int, clock: Clock, *, is_missed: bool) -> datetime | None:
    """When somebody has to look at the case again: at its next step, or when its deadline passes unmarked."""
    ahead = next_steps(tuple(steps), share)
    instants = [clock.reaches(ahead[0]) if ahead else None, None if is_missed else clock.due]
    return min((at for at in instants if at is not None), default=None)
