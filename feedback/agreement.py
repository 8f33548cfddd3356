"""How far reviewers agree beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha for nominal data. Pure.

All three are 1 for perfect agreement, 0 for what chance alone would give, and below 0 for less. They differ in what
chance is: each person's own habits (Cohen), or everybody's together (Fleiss, Krippendorff); and in what they take: two
people on the same items (Cohen), a fixed number of ratings for each item (Fleiss), or any number of two and more, with
gaps (Krippendorff). None is given where everybody always says the same one thing: nothing is left to agree on.

Sources: J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20 (1960);
J. L. Fleiss, "Measuring Nominal Scale Agreement Among Many Raters", Psychological Bulletin 76 (1971);
K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). The interval is the percentile bootstrap over
items (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

SMALL = 30  # items, below which a number says little
RESAMPLES = 400
SHARE = 0.95  # of the resampled numbers lie within the interval

Label = Hashable
Item = Sequence[Label]  # what the people said of one case, in any order


@dataclass(frozen=True)
class Estimate:
    """``value`` with its interval, from ``items`` cases; ``is_small`` warns that they are few."""

    value: float | None
    low: float | None
    high: float | None
    items: int

    @property
    def is_small(self) -> bool:
        return self.items < SMALL


def cohen_kappa(pairs: Sequence[tuple[Label, Label]]) -> float | None:
    """Of two people on the same items: (first's label, second's label) for each."""
    if not pairs:
        return None
    size = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    observed = sum(one == other for one, other in pairs) / size
    expected = sum(count * second[label] for label, count in first.items()) / size**2
    return _beyond(observed, expected)


def fleiss_kappa(items: Sequence[Item]) -> float | None:
    """Of items with the same number of ratings each, two at least; raises ``ValueError`` for others."""
    if not items:
        return None
    ratings = len(items[0])
    if ratings < 2 or any(len(item) != ratings for item in items):
        raise ValueError("Fleiss' kappa needs the same number of ratings for each item, two at least.")
    counts = [Counter(item) for item in items]
    observed = sum(_agreeing(count) for count in counts) / (len(items) * ratings * (ratings - 1))
    total = sum(counts, Counter())
    expected = sum((count / (len(items) * ratings)) ** 2 for count in total.values())
    return _beyond(observed, expected)


def krippendorff_alpha(items: Sequence[Item]) -> float | None:
    """Nominal alpha of items with any number of ratings; those with less than two say nothing and are left out."""
    paired = [Counter(item) for item in items if len(item) > 1]
    values = sum(count.total() for count in paired)
    if values < 2:
        return None
    observed = sum(_agreeing(count) / (count.total() - 1) for count in paired) / values
    total = sum(paired, Counter())
    expected = sum(count * (count - 1) for count in total.values()) / (values * (values - 1))
    return _beyond(observed, expected)


def estimate(measure: Callable[[Sequence], float | None], items: Sequence, *, seed: int = 1) -> Estimate:
    """``measure`` of ``items`` with its bootstrap interval; the same items give the same interval."""
    value = measure(items)
    if value is None:
        return Estimate(None, None, None, len(items))
    dice = random.Random(seed)
    drawn = (measure(dice.choices(items, k=len(items))) for _ in range(RESAMPLES))
    known = sorted(number for number in drawn if number is not None)
    if not known:
        return Estimate(value, None, None, len(items))
    edge = (1 - SHARE) / 2
    low, high = (known[min(len(known) - 1, int(place * len(known)))] for place in (edge, 1 - edge))
    return Estimate(value, low, high, len(items))


def _agreeing(count: Counter) -> int:
    """Ordered pairs of equal ratings of one item."""
    return sum(number * (number - 1) for number in count.values())


def _beyond(observed: float, expected: float) -> float | None:
    return None if expected >= 1 else (observed - expected) / (1 - expected)
