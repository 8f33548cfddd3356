"""Are learned weights as good as those set by hand? Two paired tests on decisions that neither has seen. Pure.

* AUC: the chance that a right draft has more confidence than a wrong one (ties count half), compared by DeLong, DeLong
  and Clarke-Pearson (1988), which knows that both were asked about the same drafts.
* Brier score: the mean squared distance from what was right, compared by the paired differences of each draft.

Both have closed forms: the same decisions give the same answer, without resampling. *Not worse* means that the end of
the 95 % interval of the difference that lies on the bad side is within a margin, which is stated beside it. That is a
test of non-inferiority: too few decisions fail it, which "no significant difference" would not.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

Z = 1.959963984540054
AUC_MARGIN = 0.01
BRIER_MARGIN = 0.005
LEAST = 30  # right ones and wrong ones held out, each


@dataclass(frozen=True)
class Difference:
    """Learned less hand-set, with its interval of 95 %."""

    hand_set: float
    learned: float
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.learned - self.hand_set


@dataclass(frozen=True)
class Trial:
    """``auc`` (more is better) and ``brier`` (less is better) are None where there is too little to compare."""

    right: int
    wrong: int
    auc: Difference | None = None
    brier: Difference | None = None

    @property
    def is_not_worse(self) -> bool:
        if self.auc is None or self.brier is None:
            return False
        return self.auc.low >= -AUC_MARGIN and self.brier.high <= BRIER_MARGIN

    def to_json(self) -> dict:
        """As it is kept: every number of the test, with its margins."""
        kept = {"right": self.right, "wrong": self.wrong, "margins": {"auc": AUC_MARGIN, "brier": BRIER_MARGIN}}
        for name, one in (("auc", self.auc), ("brier", self.brier)):
            kept[name] = one and {
                key: round(value, 6)
                for key, value in vars(one).items()  # hand_set, learned, low, high
            }
        return kept

    @classmethod
    def from_json(cls, kept: dict) -> "Trial":
        found = {name: kept[name] and Difference(**kept[name]) for name in ("auc", "brier")}
        return cls(kept["right"], kept["wrong"], **found)


@dataclass(frozen=True)
class Scored:
    """A decision held out: what each way would have said of the draft, whether it was right, and its weight."""

    hand_set: float
    learned: float
    is_right: bool
    weight: float = 1.0


def compare(rows: Sequence[Scored]) -> Trial:
    right = [row for row in rows if row.is_right]
    wrong = [row for row in rows if not row.is_right]
    if min(len(right), len(wrong)) < LEAST:
        return Trial(len(right), len(wrong))
    return Trial(len(right), len(wrong), _auc(right, wrong), _brier(rows))


def auc(right: Sequence[tuple[float, float]], wrong: Sequence[tuple[float, float]]) -> float:
    """Of (score, weight) pairs."""
    return _mean([value for value, _ in _placements(right, wrong)], [weight for _, weight in right])


def _auc(right: Sequence[Scored], wrong: Sequence[Scored]) -> Difference:
    """DeLong's: the difference of two AUCs is a mean over the right ones and one over the wrong ones."""
    values, variance = {}, 0.0
    sides: dict[bool, list[float]] = {True: [0.0] * len(right), False: [0.0] * len(wrong)}
    for sign, name in ((1, "learned"), (-1, "hand_set")):
        of_right = [(getattr(row, name), row.weight) for row in right]
        of_wrong = [(getattr(row, name), row.weight) for row in wrong]
        values[name] = auc(of_right, of_wrong)
        mirrored = [(-score, weight) for score, weight in of_wrong], [(-score, weight) for score, weight in of_right]
        for side, places in ((True, _placements(of_right, of_wrong)), (False, _placements(*mirrored))):
            sides[side] = [known + sign * place for known, (place, _) in zip(sides[side], places, strict=True)]
    for side, rows in ((True, right), (False, wrong)):
        variance += _variance(sides[side], [row.weight for row in rows])
    return _difference(values["hand_set"], values["learned"], variance)


def _brier(rows: Sequence[Scored]) -> Difference:
    weights = [row.weight for row in rows]

    def squares(name: str) -> list[float]:
        return [(getattr(row, name) - (1.0 if row.is_right else 0.0)) ** 2 for row in rows]

    old, new = squares("hand_set"), squares("learned")
    variance = _variance([b - a for a, b in zip(old, new, strict=True)], weights)
    return _difference(_mean(old, weights), _mean(new, weights), variance)


def _difference(hand_set: float, learned: float, variance: float) -> Difference:
    value, half = learned - hand_set, Z * math.sqrt(max(0.0, variance))
    return Difference(hand_set, learned, value - half, value + half)


def _placements(of: Sequence[tuple[float, float]], among: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """For each of ``of`` the weighted share of ``among`` that it beats, ties counting half, with its own weight."""
    ordered = sorted(among)
    scores = [score for score, _ in ordered]
    below = [0.0, *accumulate(weight for _, weight in ordered)]
    places = []
    for score, weight in of:
        first, last = bisect_left(scores, score), bisect_right(scores, score)
        places.append(((below[first] + below[last]) / 2 / below[-1], weight))
    return places


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / math.fsum(weights)


def _variance(values: Sequence[float], weights: Sequence[float]) -> float:
    """Of the weighted mean; with equal weights the sample variance over n."""
    mean, total, n = _mean(values, weights), math.fsum(weights), len(values)
    squares = math.fsum((w * (v - mean)) ** 2 for v, w in zip(values, weights, strict=True))
    return squares / total**2 * n / (n - 1)
