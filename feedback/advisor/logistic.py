"""Weights learned from decisions: a logistic regression whose weights are never below 0. Pure and deterministic.

No library: the one function that is needed has at most a handful of unknowns, and a library of that size would have to
be shipped, locked and audited for it. The minimum is unique and found by projected Newton steps (Bertsekas 1982).

*Monotone*: no weight is below 0, so that a better signal never lowers the confidence, and a missing one, which counts
as 0, never raises it. *Regularised towards what is there*: first the weights set by hand are kept in their ratio and
only a curve is fitted to them (Platt 1999); then each weight may leave that starting point at a price. With few
decisions the result is the hand-set order, calibrated; the more decisions, the more they count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cases.confidence import logistic

PRICE = 1.0  # the penalty is PRICE / 2 times the squared distance of each weight from its start, in log odds
STEPS, HALVINGS = 60, 40
CLOSE = 1e-9
FLAT = 1e-6  # of the curve alone: it has a minimum also where the signals part right from wrong perfectly


@dataclass(frozen=True)
class Example:
    """A decision on a draft: its signals on the common scale, whether the draft was right, and for how many it stands.

    ``scores`` stand in the order of the weights, each in [0, 1].
    """

    scores: tuple[float, ...]
    is_right: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Fit:
    """The chance of being right is ``logistic(intercept + sum of weight * score)``."""

    intercept: float
    weights: tuple[float, ...]

    def chance(self, scores: Sequence[float]) -> float:
        return logistic(self.intercept + math.fsum(w * s for w, s in zip(self.weights, scores, strict=True)))


def fit(examples: Sequence[Example], hand_set: Sequence[float], *, price: float = PRICE) -> Fit:
    """Fit ``examples``, which must hold right and wrong ones; ``hand_set`` are weights of any scale, not all 0.

    Examples' weights are brought to a mean of 1 first, so that a sample counts as often as it was looked at.
    """
    total = math.fsum(hand_set)
    shares = [weight / total for weight in hand_set]
    scale = len(examples) / math.fsum(example.weight for example in examples)
    weights = [example.weight * scale for example in examples]
    right = [1.0 if example.is_right else 0.0 for example in examples]
    means = [(1.0, math.fsum(w * s for w, s in zip(shares, one.scores, strict=True))) for one in examples]
    odds, slope = _minimise(means, right, weights, [0.0, 0.0], [0.0, 1.0], [0.0, FLAT])
    start = [odds, *(slope * share for share in shares)]
    rows = [(1.0, *example.scores) for example in examples]
    found = _minimise(rows, right, weights, start, start, [0.0, *(price for _ in shares)])
    return Fit(round(found[0], 6), tuple(round(weight, 6) for weight in found[1:]))


def _minimise(
    rows: Sequence[tuple[float, ...]],
    right: Sequence[float],
    weights: Sequence[float],
    centre: Sequence[float],
    start: Sequence[float],
    prices: Sequence[float],
) -> list[float]:
    """The penalised likelihood's minimum; every unknown but the first is at least 0."""
    at = list(start)
    loss = _loss(rows, right, weights, at, centre, prices)
    for _ in range(STEPS):
        slope, bend = _derivatives(rows, right, weights, at, centre, prices)
        free = [j for j in range(len(at)) if j == 0 or at[j] > 0 or slope[j] < 0]
        move = _solve([[bend[i][j] for j in free] for i in free], [-slope[i] for i in free])
        step, is_better = 1.0, False
        for _ in range(HALVINGS):
            tried = list(at)
            for j, by in zip(free, move, strict=True):
                tried[j] = at[j] + step * by if j == 0 else max(0.0, at[j] + step * by)
            there = _loss(rows, right, weights, tried, centre, prices)
            if there < loss:
                is_better = True
                break
            step /= 2
        if not is_better:
            break
        gain, at, loss = loss - there, tried, there
        if gain < CLOSE * (1 + abs(loss)):
            break
    return at


def _loss(rows, right, weights, at, centre, prices) -> float:
    parts = []
    for row, y, weight in zip(rows, right, weights, strict=True):
        odds = sum(a * x for a, x in zip(at, row, strict=True))
        parts.append(weight * (max(odds, 0.0) - odds * y + math.log1p(math.exp(-abs(odds)))))
    parts += [price / 2 * (a - c) ** 2 for a, c, price in zip(at, centre, prices, strict=True)]
    return math.fsum(parts)


def _derivatives(rows, right, weights, at, centre, prices) -> tuple[list[float], list[list[float]]]:
    size = len(at)
    slope = [price * (a - c) for a, c, price in zip(at, centre, prices, strict=True)]
    bend = [[0.0] * size for _ in at]
    for row, y, weight in zip(rows, right, weights, strict=True):
        chance = logistic(sum(a * x for a, x in zip(at, row, strict=True)))
        miss, curve = weight * (chance - y), weight * chance * (1 - chance)
        for i in range(size):
            if row[i]:
                slope[i] += miss * row[i]
                by, line = curve * row[i], bend[i]
                for j in range(i + 1):
                    line[j] += by * row[j]
    for i in range(size):
        bend[i][i] += prices[i] + 1e-9  # A signal that nobody sends has no curvature of its own.
        for j in range(i):
            bend[j][i] = bend[i][j]
    return slope, bend


def _solve(matrix: list[list[float]], values: list[float]) -> list[float]:
    """Gauss with pivots; the matrix is symmetric and positive definite."""
    size = len(values)
    rows = [[*line, value] for line, value in zip(matrix, values, strict=True)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            for j in range(k, size + 1):
                rows[i][j] -= factor * rows[k][j]
    found = [0.0] * size
    for i in range(size - 1, -1, -1):
        found[i] = (rows[i][size] - sum(rows[i][j] * found[j] for j in range(i + 1, size))) / rows[i][i]
    return found
