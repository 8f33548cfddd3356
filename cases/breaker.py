"""Has something changed? Sequential tests that look at every observation and raise few false alarms.

**Shares** (overrides, denials, escalations …) are watched by a Bernoulli CUSUM: a hit adds the logarithm of p1/p0, a
miss that of (1 − p1)/(1 − p0), the sum never falls below 0, and it alarms at its limit. p0 is the baseline, p1 the
baseline moved by the smallest shift worth detecting (Page 1954; Reynolds and Stoumbos 1999). Both weights are rounded
to whole numbers of one unit, so that the sum is exact and has few values: how many observations pass on average before
a false alarm is then the solution of one banded linear system (Brook and Evans 1972), and the limit is the least one
that makes it long enough.

**Volumes** are watched by a CUSUM of counts per slot. A count x becomes 2√(x + ⅜), which is nearly normal with the
variance 1 whatever the mean (Anscombe 1948), divided by the spread that the baseline showed where counts vary by more
than chance. The limit follows from Siegmund's approximation (Siegmund 1985, with b = h + 1.166):
(exp(2kb) − 2kb − 1) / 2k².

A learned baseline is an estimate. The test takes it at the edge of its interval that lies towards the alarm, so that
the stated rate holds unless the baseline was unlucky (``GUARD``). Figures: ``tests/bench/breaking.py``.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

GUARD = 0.8416  # standard deviations: a baseline is unlucky in one of five, on one side
WIDTH = 1.96  # standard deviations: the 95 % interval that is shown
FINEST = 60  # steps into which the smaller weight is divided at most
LEAST, MOST = 0.002, 0.998  # shares beyond are taken as these: nothing is known to happen never


class Direction(StrEnum):
    RISE = "rise"
    FALL = "fall"


@dataclass
class ShareSide:
    """One direction of a share's test. ``value`` alarms at ``limit``; ``n`` and ``hits`` are those since it was 0.

    ``since`` is the instant of the first of them, in ISO 8601.
    """

    direction: Direction
    hit: int
    miss: int
    limit: int
    value: int = 0
    n: int = 0
    hits: int = 0
    since: str = ""

    def see(self, is_hit: bool, at: str = "") -> bool:
        """Take one observation in; True is an alarm."""
        self.value = max(0, self.value + (self.hit if is_hit else self.miss))
        self.n, self.hits = (self.n + 1, self.hits + is_hit) if self.value else (0, 0)
        self.since = at if self.n == 1 else self.since
        return self.value >= self.limit


@dataclass
class VolumeSide:
    """One direction of a volume's test: ``k`` is half the shift and ``spread`` the deviation, on the scale of roots."""

    direction: Direction
    expected: float
    spread: float
    k: float
    limit: float
    value: float = 0.0
    n: int = 0
    hits: int = 0
    since: str = ""

    def see(self, count: int, at: str = "") -> bool:
        """Take the count of one slot in; True is an alarm."""
        moved = (root(count) - root(self.expected)) / self.spread
        self.value = max(0.0, self.value + (moved if self.direction == Direction.RISE else -moved) - self.k)
        self.n, self.hits = (self.n + 1, self.hits + count) if self.value else (0, 0)
        self.since = at if self.n == 1 else self.since
        return self.value > 0 and self.value >= self.limit


Side = ShareSide | VolumeSide


def to_json(sides: Sequence[Side]) -> list[dict[str, Any]]:
    return [asdict(side) for side in sides]


def from_json(stored: Sequence[dict[str, Any]]) -> list[Side]:
    return [(VolumeSide if "k" in one else ShareSide)(**one) for one in stored]


def interval(hits: int, n: int, z: float = WIDTH) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927), both ends in [0, 1]; the whole of it where nothing was seen."""
    if not n:
        return 0.0, 1.0
    share, square = hits / n, z * z / n
    middle, half = share + square / 2, z * math.sqrt(share * (1 - share) / n + square / (4 * n))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def rate_interval(total: int, slots: int, z: float = WIDTH) -> tuple[float, float]:
    """The interval of a mean count per slot, by the same roots."""
    if not slots:
        return 0.0, 0.0
    middle, half = math.sqrt(total + 3 / 8), z / 2
    return max(0.0, (max(0.0, middle - half) ** 2 - 3 / 8) / slots), ((middle + half) ** 2 - 3 / 8) / slots


# --- shares ----------------------------------------------------------------------------------------------------------


def share_sides(
    directions: Sequence[Direction], *, shift: float, every: int, hits: int = 0, n: int = 0, share: float | None = None
) -> list[Side]:
    """The tests against a baseline of ``hits`` in ``n``, or of exactly ``share``.

    ``shift`` is in shares (0.1: ten percentage points), ``every`` the observations between two false alarms on average;
    two directions have them together.
    """
    low, high = (share, share) if share is not None else interval(hits, n, GUARD)
    every *= len(directions)
    sides: list[Side] = []
    for direction in directions:
        if direction == Direction.RISE:
            up, down, limit = share_test(round(high, 3), shift, every)
            sides.append(ShareSide(direction, up, -down, limit))
        else:  # A fall of the hits is a rise of the misses.
            up, down, limit = share_test(round(1 - low, 3), shift, every)
            sides.append(ShareSide(direction, -down, up, limit))
    return sides


@lru_cache(maxsize=1000)
def share_test(baseline: float, shift: float, every: int) -> tuple[int, int, int]:
    """What a hit adds, what a miss takes, and the limit, for a rise from ``baseline``: whole numbers of one unit."""
    p0 = min(max(baseline, LEAST), MOST)
    p1 = min(p0 + shift, 1 - (1 - p0) / 4)
    up, down = math.log(p1 / p0), math.log((1 - p0) / (1 - p1))
    hit, miss = _whole(up, down, p0, p1)
    unit = (up / hit + down / miss) / 2
    drift = (1 - p0) * down - p0 * up
    limit = max(hit, round(_least_root(every * drift) / unit))
    known: dict[int, float] = {}

    def enough(limit: int) -> bool:
        if limit not in known:
            known[limit] = run_length(p0, hit, miss, limit)
        return known[limit] >= every

    for _ in range(6):  # The length grows by about e for each 1/unit.
        enough(limit)
        step = round((math.log(every) - math.log(known[limit])) / unit)
        if not step or limit + step < hit:
            break
        limit += step
    while enough(limit) and limit > 1:
        limit -= 1
    while not enough(limit):
        limit += 1
    return hit, miss, limit


def _whole(up: float, down: float, p0: float, p1: float) -> tuple[int, int]:
    """``up`` and ``down`` as small whole numbers whose sum drifts nearly as theirs does, before and after the shift."""
    before, after = (1 - p0) * down - p0 * up, p1 * up - (1 - p1) * down
    for steps in range(1, FINEST + 1):
        hit, miss = (
            (max(1, round(up / down * steps)), steps) if up > down else (steps, max(1, round(down / up * steps)))
        )
        unit = (up / hit + down / miss) / 2
        drifts = ((1 - p0) * miss - p0 * hit) * unit, (p1 * hit - (1 - p1) * miss) * unit
        if abs(drifts[0] / before - 1) < 0.1 and abs(drifts[1] / after - 1) < 0.1:
            return hit, miss
    return hit, miss


def _least_root(target: float) -> float:
    """h with exp(h) − h − 1 = ``target``: the limit, were there no overshoot."""
    h = math.log(target + 2)
    for _ in range(30):
        h -= (math.exp(h) - h - 1 - target) / (math.exp(h) - 1)
    return h


def run_length(share: float, hit: int, miss: int, limit: int) -> float:
    """How many observations pass on average, at ``share``, until the sum reaches ``limit`` from 0.

    From each value i below the limit: L(i) = 1 + share · L(i + hit) + (1 − share) · L(max(i − miss, 0)), and L is 0
    from the limit on. Gauss's elimination within the band; the matrix is diagonally dominant: no row is exchanged.
    """
    width = hit + miss + 1
    rows, right = [], [1.0] * limit
    for i in range(limit):
        row = [0.0] * width  # Column j stands at j - i + miss.
        row[miss] = 1.0
        row[max(i - miss, 0) - i + miss] -= 1 - share
        if i + hit < limit:
            row[hit + miss] -= share
        rows.append(row)
    for i in range(limit):
        pivot = rows[i]
        for j in range(i + 1, min(i + miss, limit - 1) + 1):
            row, place = rows[j], i - j + miss
            if not row[place]:
                continue
            factor = row[place] / pivot[miss]
            for k in range(miss + 1, width):
                if pivot[k]:
                    row[k - miss + place] -= factor * pivot[k]
            right[j] -= factor * right[i]
    lengths = [0.0] * limit
    for i in range(limit - 1, -1, -1):
        ahead = sum(rows[i][miss + k] * lengths[i + k] for k in range(1, min(hit, limit - 1 - i) + 1))
        lengths[i] = (right[i] - ahead) / rows[i][miss]
    return lengths[0]


# --- volumes ---------------------------------------------------------------------------------------------------------


def root(count: float) -> float:
    return 2 * math.sqrt(count + 3 / 8)


def volume_sides(
    directions: Sequence[Direction], *, shift: float, every: int, counts: Sequence[int] = (), mean: float | None = None
) -> list[Side]:
    """The tests against the slots ``counts``, or against exactly ``mean`` a slot; ``shift`` 0.5 is half as many more.

    A fall is tested for the same factor: by half more, or to two thirds. ``every`` is in slots.
    """
    expected, spread, doubt = mean or 0.0, 1.0, 0.0
    if mean is None:
        expected = sum(counts) / len(counts)
        middle = sum(map(root, counts)) / len(counts)
        spread = max(1.0, math.sqrt(sum((root(count) - middle) ** 2 for count in counts) / max(1, len(counts) - 1)))
        doubt = GUARD * spread / math.sqrt(len(counts))
    sides: list[Side] = []
    for direction in directions:
        sign = 1 if direction == Direction.RISE else -1
        edge = max(0.0, root(expected) + sign * doubt)
        start = max(0.0, (edge / 2) ** 2 - 3 / 8)
        moved = start * (1 + shift) if sign > 0 else start / (1 + shift)
        k = max(0.1, abs(root(moved) - root(start)) / spread / 2)
        sides.append(VolumeSide(direction, start, spread, k, _siegmund(k, every * len(directions))))
    return sides


def _siegmund(k: float, every: int) -> float:
    """The limit whose approximate run length is ``every``; not below 0."""
    return max(0.0, _least_root(every * 2 * k * k) / (2 * k) - 1.166)
