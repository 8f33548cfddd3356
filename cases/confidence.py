"""One confidence out of many signals: the weighted mean of those that the policy uses.

A policy may use weights that were learned from past decisions instead of its own. They are log odds: the same mean, by
learned shares, is then read off a logistic curve, so that the confidence is the chance of being right.

Pure. Four properties hold for every input and are tested: the result lies in [0, 1], the order of the signals does not
matter, a better signal never lowers it, and holding a signal back never raises it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cases.vocabulary import Signal, Use

# What a missing signal counts as. Only the worst value will do: with any prior above 0, a caller whose signal came out
# below that prior would gain by not sending it.
PRIOR = 0.0

STRONG_FROM = 0.9
FAIR_FROM = 0.7
AMBIGUOUS_BELOW = 0.5  # of the margin that the policy calls clear
DIGITS = 4


@dataclass(frozen=True)
class SignalRule:
    """What a policy makes of one signal. Only the ratio of the weights matters; a weight is at least 0."""

    weight: float
    use: Use


@dataclass(frozen=True)
class Learned:
    """Weights fitted on a tenant's own reviews, in log odds for a signal that goes from 0 to 1; none is below 0.

    ``version`` numbers them within their policy. ``clear_margin`` is the one that they were fitted with.
    """

    version: int
    intercept: float
    weights: Mapping[str, float]
    clear_margin: float


@dataclass(frozen=True)
class Contribution:
    """One signal's part in a confidence.

    ``value`` is what the caller reported, None when it is missing; ``weight`` is its share of all weights in use, in
    [0, 1]; ``points`` is what it adds to the weighted mean, at most ``weight``; ``reading`` is a word for people.
    """

    signal: str
    value: float | None
    weight: float
    points: float
    reading: str

    @property
    def lost(self) -> float:
        """The points that a perfect signal would have added on top."""
        return self.weight - self.points


@dataclass(frozen=True)
class Confidence:
    """A value in [0, 1] with four digits, what it is made of, and the required signals that are missing.

    Contributions stand in the order of ``Signal``; signals that the policy does not use have none.
    """

    value: float
    contributions: tuple[Contribution, ...] = ()
    missing_required: tuple[str, ...] = ()


def combine(
    signals: Mapping[str, float],
    rules: Mapping[str, SignalRule],
    *,
    clear_margin: float,
    learned: Learned | None = None,
) -> Confidence:
    """The weighted mean of the signals that ``rules`` uses; a missing one counts as ``PRIOR``.

    ``clear_margin`` (above 0) is the rerank margin that counts as 1. A reported value outside [0, 1] is taken as the
    nearer end, and one that is no finite number as missing. Signals that are unused or have no rule change nothing.
    The mean is cut to four digits, never rounded up, so that it reaches a threshold only where the exact mean does.

    With ``learned``, its weights stand for those of ``rules``, which still say what is in use, and the mean is read off
    its curve; where nothing at all is reported, the confidence is 0 as ever.
    """
    in_use = [(name, rules[name]) for name in Signal if name in rules and rules[name].use != Use.UNUSED]
    if learned:
        clear_margin = learned.clear_margin
        in_use = [(name, SignalRule(learned.weights.get(name, 0.0), rule.use)) for name, rule in in_use]
    total = math.fsum(rule.weight for _, rule in in_use)
    contributions, products, missing = [], [], []
    for name, rule in in_use:
        value = reported(signals.get(name))
        score = scored(name, value, clear_margin)
        share = rule.weight / total if total else 0.0
        products.append(share * score)
        contributions.append(
            Contribution(str(name), value, round(share, 6), round(share * score, 6), _reading(name, value, score))
        )
        if value is None and rule.use == Use.REQUIRED:
            missing.append(str(name))
    mean = math.fsum(products)
    if learned:
        is_silent = all(one.value is None for one in contributions)
        mean = 0.0 if is_silent else logistic(learned.intercept + total * mean)
    return Confidence(_cut(mean), tuple(contributions), tuple(missing))


def reported(value: object) -> float | None:
    """The value as a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # An integer beyond any float.
        return None
    return number if math.isfinite(number) else None


def logistic(odds: float) -> float:
    """The chance that ``odds``, in log odds, stand for."""
    if odds >= 0:
        return 1 / (1 + math.exp(-odds))
    grown = math.exp(odds)  # Of a number below 0: no overflow.
    return grown / (1 + grown)


def scored(name: str, value: float | None, clear_margin: float) -> float:
    """The signal on the common scale: in [0, 1], higher is safer; a missing one counts as ``PRIOR``."""
    if value is None:
        return PRIOR
    if name == Signal.RERANK_MARGIN:
        value = value / clear_margin
    return min(1.0, max(0.0, value))


def _reading(name: Signal, value: float | None, score: float) -> str:
    if value is None:
        return "missing"
    if name == Signal.RERANK_MARGIN and score < AMBIGUOUS_BELOW:
        return "ambiguous"
    if name == Signal.RERANK_MARGIN:
        return "clear" if score >= 1.0 else "fair"
    return "strong" if score >= STRONG_FROM else "fair" if score >= FAIR_FROM else "weak"


def _cut(mean: float) -> float:
    """Four digits, downwards. Rounding to twelve first removes the noise of binary fractions, so that signals which
    are all 0.95 give 0.95; both steps never decrease, so a better signal still never lowers the result."""
    scale = 10**DIGITS
    return min(1.0, max(0.0, math.floor(round(mean * scale, 12 - DIGITS)) / scale))
