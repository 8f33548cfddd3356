"""Has a rate moved, at equal traffic? A test that may be asked as often as one likes.

**The change** is post-stratified: the mean after less the mean before in each stratum, weighted by the stratum's share
of the traffic *after*. A change of the traffic alone is none.

**Its variance** is that of the two means in each stratum. Where days before the release differed from each other by
more than chance, it is multiplied by how much more (the variance of the days' residuals over that of single facts):
else every busy Monday would be a finding.

**The test** is sequential, since beats and people look at it again and again: the mixture sequential probability ratio
of Robbins (1970), as Johari, Pekelis and Walsh use it for experiments ("Always valid inference", 2017). With a normal
estimate of variance V and a mixture N(0, t²) over the true change,

    L = sqrt(V / (V + t²)) · exp(change² t² / (2 V (V + t²)))

exceeds 1/p with a probability of p at most *at any time*, if nothing changed. The facts before are fixed and those
after grow, so that the estimates have independent increments in 1/V, which is what that needs. t is ``LIKELY`` standard
deviations of one fact. The interval holds at all times for the same reason: it is wider than one that is looked at
once.

**Many metrics** are tested of one release: Holm's procedure (1979) over their p-values, at ``LEVEL`` together. It holds
at all times, as they do, and whatever the metrics have to do with one another. So of releases that changed nothing, one
in twenty raises any alarm, in all of its life.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .cells import Cell, Group, Segment, Strata, strata_of, summed

LEVEL = 0.05
LIKELY = 0.2  # standard deviations: a small effect by Cohen's book
LEAST = 30  # facts on either side, below which nothing is said
DAYS = 7  # before the release, from which on they tell how days differ
PRIOR = 5  # facts of the common spread that each side's own begins with


@dataclass(frozen=True)
class Change:
    """One metric before and after. ``value`` is the change at equal traffic, ``before`` and ``after`` the plain means.

    ``covered`` is the share of the facts after that could be compared; ``spread`` the standard deviation of one fact,
    ``inflation`` how much more than by chance days differ (1: not at all).
    """

    before: float
    after: float
    n_before: int
    n_after: int
    value: float
    variance: float
    null_variance: float
    spread: float
    inflation: float
    covered: float
    strata: Mapping[Segment, tuple[Cell, Cell]]  # (before, after)
    weights: Mapping[Segment, float]
    of: Strata

    @property
    def p(self) -> float:
        """Always valid: looking again does not spend it."""
        return always_valid_p(self.value, self.null_variance, self.spread)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 % that holds at all times."""
        half = always_valid_half(max(self.variance, self.null_variance), self.spread, LEVEL)
        return self.value - half, self.value + half


def compare(groups: Sequence[Group]) -> Change | None:
    """The change from the groups before to those after; None where there are too few to compare."""
    strata = strata_of(groups)
    sides: dict[Segment, list[Cell]] = defaultdict(lambda: [Cell(), Cell()])
    for group in groups:
        if group.segment in strata.of:
            side = sides[strata.of[group.segment]]
            side[group.is_after] += group.cell
    whole = [summed(group for group in groups if group.is_after == is_after) for is_after in (False, True)]
    pairs = {name: (before, after) for name, (before, after) in sides.items() if before.b > 0 and after.b > 0}
    n_before, n_after = (sum(pair[side].n for pair in pairs.values()) for side in (0, 1))
    if min(n_before, n_after) < LEAST:
        return None
    total = sum(after.b for _, after in pairs.values())
    weights = {name: after.b / total for name, (_, after) in pairs.items()}
    value = math.fsum(weights[name] * (after.mean - before.mean) for name, (before, after) in pairs.items())
    null = own = plain = 0.0
    for name, (before, after) in pairs.items():
        square, common, size = weights[name] ** 2, common_variance(before, after), before.scale + after.scale
        null += square * common * size
        own += square * sum(side.scale * _own(side, common) for side in (before, after))
        plain += weights[name] * common
    if null <= 0:  # Every fact says the same: nothing can have changed.
        return None
    inflation = _inflation(groups, strata, pairs, weights)
    return Change(
        before=whole[0].mean,
        after=whole[1].mean,
        n_before=whole[0].n,
        n_after=whole[1].n,
        value=value,
        variance=own * inflation,
        null_variance=null * inflation,
        spread=math.sqrt(plain),
        inflation=inflation,
        covered=total / whole[1].b,
        strata=pairs,
        weights=weights,
        of=strata,
    )


def common_variance(*sides: Cell) -> float:
    """The variance of one fact around the mean that both sides have if nothing changed; where weights differ, each
    side counts as the number of equally weighted facts that would know as much."""
    sizes = [1 / side.scale for side in sides]
    whole = sum(sizes)
    mean = sum(size * side.mean for size, side in zip(sizes, sides, strict=True)) / whole
    spread = sum(size * side.spread(mean) / side.bb for size, side in zip(sizes, sides, strict=True))
    return spread / max(1.0, whole - 1)


def _own(side: Cell, common: float) -> float:
    """The variance of one fact of a side, drawn a little towards the common one: ten times the same is no certainty."""
    unit = side.bb / side.n
    return (side.spread(side.mean) + PRIOR * unit * common) / ((side.n + PRIOR) * unit)


def _inflation(groups: Iterable[Group], strata: Strata, pairs: Mapping, weights: Mapping) -> float:
    """How much more than single facts do the days before the release vary together? 1 or more."""
    days: dict[int, float] = defaultdict(float)
    single = 0.0
    for group in groups:
        name = strata.of.get(group.segment)
        if group.is_after or name not in pairs:
            continue
        before = pairs[name][0]
        factor = weights[name] / before.b
        days[group.day] += factor * (group.cell.a - before.mean * group.cell.b)
        single += factor * factor * group.cell.spread(before.mean)
    if len(days) < DAYS or single <= 0:
        return 1.0
    together = math.fsum(residual * residual for residual in days.values()) * len(days) / (len(days) - 1)
    return max(1.0, together / single)


# --- the sequential test ----------------------------------------------------------------------------------------------


def always_valid_p(change: float, variance: float, spread: float) -> float:
    mixed = (LIKELY * spread) ** 2
    log_ratio = 0.5 * math.log(variance / (variance + mixed)) + change * change * mixed / (
        2 * variance * (variance + mixed)
    )
    return 1.0 if log_ratio <= 0 else math.exp(-min(log_ratio, 700.0))


def always_valid_half(variance: float, spread: float, level: float) -> float:
    """Half the width of the interval: the changes from which the ratio above stays below 1/``level``."""
    mixed = (LIKELY * spread) ** 2
    if mixed <= 0:
        return 0.0
    bound = 2 * math.log(1 / level) + math.log((variance + mixed) / variance)
    return math.sqrt(variance * (variance + mixed) / mixed * bound)


def holm(values: Mapping[str, float], *, of: int, found: int = 0, level: float = LEVEL) -> frozenset[str]:
    """The names that are found now. ``of`` metrics are watched, ``found`` of them were found at earlier looks."""
    names = []
    for name, p in sorted(values.items(), key=lambda item: item[1]):
        if p > level / max(1, of - found - len(names)):
            break
        names.append(name)
    return frozenset(names)
