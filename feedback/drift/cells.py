"""Sums of facts, and the strata in which two sides are compared.

Every metric is a sum of ``a`` over a sum of ``b`` (see ``metrics.definitions``); for each fact ``b`` is 1, or its
weight. Five sums are enough for the mean and its variance, whatever ``a`` is: 0 or 1, seconds, a score.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEAST_FACTS = 10  # of a stratum, on either side: fewer are pooled with their neighbours
ANY = "*"

Segment = tuple[str, str, str]  # domain, language, risk


@dataclass(frozen=True)
class Cell:
    """Of ``n`` facts the sums of a, b, a², ab and b²."""

    n: int = 0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    ab: float = 0.0
    bb: float = 0.0

    def __add__(self, other: "Cell") -> "Cell":
        return Cell(
            self.n + other.n,
            self.a + other.a,
            self.b + other.b,
            self.aa + other.aa,
            self.ab + other.ab,
            self.bb + other.bb,
        )

    @property
    def mean(self) -> float:
        """Not to be asked where there is no fact."""
        return self.a / self.b

    @property
    def scale(self) -> float:
        """What a fact's variance is multiplied by to be that of the mean: 1/n, or 1/Kish's number with weights."""
        return self.bb / (self.b * self.b)

    def spread(self, mean: float) -> float:
        """The sum of (a - mean b)², at least 0."""
        return max(0.0, self.aa - 2 * mean * self.ab + mean * mean * self.bb)


@dataclass(frozen=True)
class Group:
    """Facts of one kind on one side. ``day`` is any number that days have for themselves; ``level`` is the tenth of
    [0, 1] that their retrieval signal lies in, None where none was sent."""

    is_after: bool
    day: int
    segment: Segment
    level: int | None
    cell: Cell


def summed(groups: Iterable[Group]) -> Cell:
    return sum((group.cell for group in groups), Cell())


@dataclass(frozen=True)
class Strata:
    """``of`` is each segment's stratum; a segment without one is ``fresh``: nothing like it was seen before."""

    of: Mapping[Segment, Segment]
    fresh: frozenset[Segment]


def strata_of(groups: Iterable[Group]) -> Strata:
    """Domain by language by risk, as fine as the facts allow.

    What has fewer than ``LEAST_FACTS`` on a side is pooled within its domain, and what is left of that over all of
    them. It looks at how many facts there are and never at what they say. Traffic of which there was nothing before is
    compared with nothing: it has no stratum, and counts as a change of the traffic.
    """
    counts: dict[Segment, list[int]] = defaultdict(lambda: [0, 0])
    known_domains = set()
    for group in groups:
        counts[group.segment][group.is_after] += group.cell.n
        if not group.is_after and group.cell.n:
            known_domains.add(group.segment[0])
    fresh = {
        segment
        for segment, (before, after) in counts.items()
        if segment[0] not in known_domains or (not before and after >= LEAST_FACTS)
    }
    strata, left = {}, {segment: both for segment, both in counts.items() if segment not in fresh}
    for level in range(3):
        pools: dict[Segment, list[int]] = defaultdict(lambda: [0, 0])
        for segment, both in left.items():
            pool = pools[_pooled(segment, level)]
            pool[0] += both[0]
            pool[1] += both[1]
        for segment in list(left):
            pool = _pooled(segment, level)
            if min(pools[pool]) >= LEAST_FACTS or (level == 2 and min(pools[pool]) > 0):
                strata[segment] = pool
                del left[segment]
    return Strata(strata, frozenset(fresh | {segment for segment, (_, after) in left.items() if after}))


def _pooled(segment: Segment, level: int) -> Segment:
    return (segment, (segment[0], ANY, ANY), (ANY, ANY, ANY))[level]
