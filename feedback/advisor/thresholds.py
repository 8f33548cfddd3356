"""What each threshold would let through, with which error, and which one the evidence supports. Pure.

The error at a threshold is that of the cases that would pass, estimated from those that people looked at. Cases that
went to people were (or will be) looked at by themselves; of automatic approvals only a sample was. The two are set
together by how many of each would pass (post-stratification), so that a backlog on one side does not tilt the result.

The recommendation is a fixed-sequence test. Where to begin depends on no outcome: at the strictest threshold with
enough cases to show anything. From there it goes down as long as the upper end of the interval stays within the
tolerance, and recommends the last threshold before the first failure. However many thresholds are looked at, the
chance that the error at the recommended one is beyond the tolerance is at most 2.5 %, the one-sided share of the
interval (Angelopoulos et al., Learn then Test, 2021, section 3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .evidence import Group
from .intervals import Sums, enough_for, predicted

STEP = 0.01
NONE_PASS = 1.0  # A draft passes only strictly above the threshold.
UNSEEN_MOST = 0.05  # of the cases that would pass, where nobody looked at any of their kind


class Kind(StrEnum):
    LOWER = "lower"
    RAISE = "raise"
    NONE = "none"  # let nothing pass
    KEEP = "keep"
    UNCLEAR = "unclear"
    TOO_FEW = "too_few"


ACTS = frozenset({Kind.LOWER, Kind.RAISE, Kind.NONE})


@dataclass(frozen=True)
class Level:
    """A threshold: how many of the past cases would pass, and the error among them. ``seen`` is scaled to those cases;
    it is empty where nothing can be said."""

    threshold: float
    cases: int
    per_week: float
    seen: Sums

    @property
    def error(self) -> float | None:
        return self.seen.share

    @property
    def interval(self) -> tuple[float, float]:
        return self.seen.interval

    def expected(self, coming: int) -> tuple[int, int]:
        """How many errors the next ``coming`` cases that people look at will show, at least and at most."""
        n = self.seen.effective
        return predicted((self.error or 0.0) * n, n, coming)


@dataclass(frozen=True)
class Recommendation:
    """``level`` is what is recommended: the present one where nothing should change."""

    kind: Kind
    current: Level
    level: Level
    tolerance: float
    needed: int  # cases to look at, without which nothing can be shown

    @property
    def acts(self) -> bool:
        return self.kind in ACTS

    @property
    def change(self) -> int:
        """Cases a week that more (or, below 0, fewer) go by themselves."""
        return round(self.level.per_week - self.current.per_week)


def grid(current: float, floor: float) -> list[float]:
    """The thresholds that are looked at, the strictest first: steps of ``STEP`` from ``floor`` up, and ``current``."""
    first, last = math.ceil(round(floor / STEP, 6)), round(1 / STEP) - 1
    steps = {round(number * STEP, 4) for number in range(first, last + 1)}
    return sorted(steps | {current}, reverse=True)


def levels(groups: Sequence[Group], thresholds: Sequence[float], *, weeks: float) -> list[Level]:
    """One for each of ``thresholds`` (the strictest first); ``weeks`` is the time in which the cases came in."""
    waiting = sorted((group for group in groups if group.can_pass), key=lambda group: -group.confidence)
    cases = {False: 0, True: 0}
    seen = {False: Sums(), True: Sums()}
    found, at = [], 0
    for threshold in thresholds:
        while at < len(waiting) and waiting[at].confidence > threshold:
            group = waiting[at]
            cases[group.was_automatic] += group.cases
            seen[group.was_automatic] += group.seen
            at += 1
        passing = sum(cases.values())
        found.append(Level(threshold, passing, passing / weeks, _together(cases, seen)))
    return found


def _together(cases: dict[bool, int], seen: dict[bool, Sums]) -> Sums:
    """Both ways, each standing for all of its cases; nothing where too many are of a way that nobody looked at."""
    unseen = sum(cases[way] for way in cases if seen[way].w <= 0)
    if unseen > UNSEEN_MOST * sum(cases.values()):
        return Sums()
    whole = Sums()
    for way, sums in seen.items():
        if sums.w > 0:
            whole += sums.scaled(cases[way] / sums.w)
    return whole


def recommend(found: Sequence[Level], *, current: float, tolerance: float) -> Recommendation:
    """What ``found`` (the strictest first, ``current`` among them) says against ``tolerance``, a share in [0, 1]."""
    now = next(level for level in found if level.threshold == current)
    needed = enough_for(tolerance)

    def answer(kind: Kind, level: Level = now) -> Recommendation:
        return Recommendation(kind, now, level, tolerance, needed)

    first = next((place for place, level in enumerate(found) if level.seen.kish >= needed), None)
    if first is None:
        return answer(Kind.TOO_FEW)
    best = None
    for level in found[first:]:
        if level.interval[1] > tolerance:
            break
        best = level
    low, high = now.interval
    if best is None or (best.threshold > current and high <= tolerance):
        if low > tolerance:
            return answer(Kind.NONE, Level(NONE_PASS, 0, 0.0, Sums()))
        return answer(Kind.KEEP if high <= tolerance else Kind.UNCLEAR)
    if best.threshold == current or best.cases == now.cases:
        return answer(Kind.KEEP)
    return answer(Kind.LOWER if best.threshold < current else Kind.RAISE, best)
