"""Signs that somebody approves without looking: none of them proves it. Pure.

Each is a count beside what it was counted among, so that its interval can stand beside it. They are for the person and
for whoever supervises them; nobody is ranked by them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .blind import Anchoring
from .metrics.advice import wilson

# People read 238 words of English a minute, of some six characters with the space behind them (Brysbaert, How many
# words do we read per minute?, 2019). Who took less than half of that time has not read it all.
CHARACTERS_PER_SECOND = 2 * 238 * 6 / 60
DEEP = 80  # percent of a page: who came so far down has seen what there is
FEW = 20  # decisions, below which a share says little


@dataclass(frozen=True)
class Dwelt:
    """What the page recorded of one claim, where the tenant has switched that on: for how many seconds it was in front,
    whether there was more of it than fitted the window, the share of it in percent that came into the window, and how
    many pieces of evidence and folded parts were opened or marked."""

    seconds: int
    is_long: bool
    depth: int
    opened: int

    @property
    def is_unread(self) -> bool:
        """There was more to see, and nobody scrolled to it or opened anything."""
        return self.is_long and self.depth < DEEP and not self.opened


@dataclass(frozen=True)
class Look:
    """One review of a draft: ``characters`` of the question and the draft were there to be read in ``seconds``."""

    accepted: bool
    seconds: float
    characters: int
    dwelt: Dwelt | None = None

    @property
    def is_fast(self) -> bool:
        """By the time in front of the page where that is recorded: a claim can lie in another tab."""
        seconds = min(self.seconds, self.dwelt.seconds) if self.dwelt else self.seconds
        return seconds < self.characters / CHARACTERS_PER_SECOND


@dataclass(frozen=True)
class Share:
    """``count`` of ``among``, with Wilson's interval of 95 %."""

    count: int
    among: int

    @property
    def percent(self) -> int:
        return round(100 * self.count / self.among) if self.among else 0

    @property
    def interval(self) -> str:
        low, high = wilson(self.count, self.among)
        return f"{100 * low:.0f} to {100 * high:.0f} %"

    @property
    def is_few(self) -> bool:
        return self.among < FEW


@dataclass(frozen=True)
class Habits:
    """One person's way of working. ``streak`` is how many of the last decisions in a row accepted the draft;
    ``longest`` the most that ever did so."""

    accepted: Share
    fast: Share
    streak: int
    longest: int
    caught: Share = field(default_factory=lambda: Share(0, 0))
    moved: Share = field(default_factory=lambda: Share(0, 0))
    unread: Share = field(default_factory=lambda: Share(0, 0))

    @property
    def stands_out(self) -> list[str]:
        """What is worth a talk, in words; nothing that chance alone explains well."""
        words = []
        if wilson(self.fast.count, self.fast.among)[0] > 0.2:
            words.append("decides faster than the texts can be read")
        if wilson(self.unread.count, self.unread.among)[0] > 0.2:
            words.append("decides without scrolling or opening anything")
        accepts = wilson(self.accepted.count, self.accepted.among)[0]
        if accepts > 0.9 and self.caught.among and self.caught.count < self.caught.among:
            words.append("accepts nearly everything, and challenges got past")
        if wilson(self.moved.count, self.moved.among)[0] > 0.5:
            words.append("mostly gives up their own opinion for the AI’s")
        return words


def habits(looks: Sequence[Look], *, caught: Share, anchored: Anchoring) -> Habits:
    """``looks`` newest first."""
    lengths = list(_streaks(look.accepted for look in looks))
    dwelt = [look.dwelt for look in looks if look.dwelt]
    return Habits(
        accepted=Share(sum(look.accepted for look in looks), len(looks)),
        fast=Share(sum(look.is_fast for look in looks), len(looks)),
        streak=lengths[0],
        longest=max(lengths),
        caught=caught,
        moved=Share(anchored.moved, anchored.differed),
        unread=Share(sum(one.is_unread for one in dwelt), len(dwelt)),
    )


def _streaks(accepted: Iterable[bool]) -> Iterable[int]:
    """The lengths of the unbroken runs, also those of none."""
    length = 0
    for was_accepted in accepted:
        if was_accepted:
            length += 1
        else:
            yield length
            length = 0
    yield length
