"""Does the confidence mean what it says? Reliability by bins, the Brier score and the expected calibration error.

A draft counts as right where the first person who decided it accepted it as it was. Sampled automatic approvals stand
for those that nobody looked at, each with the weight of its sample. Pure.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .evidence import Group, total
from .intervals import Sums

BINS = 10  # of equal width


@dataclass(frozen=True)
class Bin:
    """Cases with a confidence from ``start`` to below ``end`` (the last bin includes 1)."""

    start: float
    end: float
    confidence: float  # the weighted mean of those seen
    seen: Sums

    @property
    def right(self) -> float:
        """The weighted share of drafts that were right."""
        return 1 - (self.seen.share or 0.0)

    @property
    def interval(self) -> tuple[float, float]:
        """Of ``right``."""
        low, high = self.seen.interval
        return 1 - high, 1 - low


@dataclass(frozen=True)
class Calibration:
    """``brier``: the mean squared distance of the confidence from what was right (0: perfect; 0.25: a coin's).
    ``error``: the expected calibration error, the mean distance of the bins from the diagonal (Naeini et al. 2015).
    Both are None where nothing was seen."""

    bins: Sequence[Bin]
    seen: Sums
    brier: float | None
    error: float | None


def calibrate(groups: Iterable[Group]) -> Calibration:
    """Over every group, whether or not its cases could have passed."""
    groups = [group for group in groups if group.seen.w > 0]
    whole = total(groups)
    if not groups:
        return Calibration((), whole, None, None)
    by_bin: dict[int, list[Group]] = {}
    for group in groups:
        by_bin.setdefault(min(BINS - 1, int(group.confidence * BINS + 1e-9)), []).append(group)
    bins = []
    for number, members in sorted(by_bin.items()):
        seen = total(members)
        mean = math.fsum(group.confidence * group.seen.w for group in members) / seen.w
        bins.append(Bin(number / BINS, (number + 1) / BINS, mean, seen))
    squares = math.fsum(
        (one.seen.w - one.seen.we) * (1 - one.confidence) ** 2 + one.seen.we * one.confidence**2 for one in groups
    )
    distance = math.fsum(one.seen.w * abs(one.right - one.confidence) for one in bins)
    return Calibration(tuple(bins), whole, squares / whole.w, distance / whole.w)
