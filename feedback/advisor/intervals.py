"""Exact intervals for a share of errors, also where some of the cases stand for many. Pure, and without a library:
three of its functions would be used, and each is a page of a book.

Where every case counts once, the interval is Clopper and Pearson's (1934). Where sampled cases stand for others, it is
theirs at an *effective* number of cases, as Korn and Graubard (1998) propose: the number of equally weighted cases that
would know as much. Of the two ways to reckon that number the smaller is taken, so that the interval is never narrower
than either allows:

* Kish's: (sum of w)^2 / sum of w^2, which holds whatever the outcomes are;
* by the outcomes: p (1 - p) / variance of the weighted share, which falls further where the errors weigh most.
"""

import math
from dataclasses import dataclass

LEVEL = 0.95  # of every interval here, two-sided
_TAIL = (1 - LEVEL) / 2
_TINY = 1e-300


@dataclass(frozen=True)
class Sums:
    """Of the cases that somebody looked at: how many, and what their weights add up to, of all and of the errors."""

    n: int = 0
    w: float = 0.0
    w2: float = 0.0
    errors: int = 0
    we: float = 0.0
    w2e: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.n + other.n,
            self.w + other.w,
            self.w2 + other.w2,
            self.errors + other.errors,
            self.we + other.we,
            self.w2e + other.w2e,
        )

    def scaled(self, factor: float) -> "Sums":
        """The same cases, each standing for ``factor`` times as many."""
        square = factor * factor
        return Sums(self.n, self.w * factor, self.w2 * square, self.errors, self.we * factor, self.w2e * square)

    @property
    def share(self) -> float | None:
        """The weighted share of errors (Hajek's ratio), or None where nobody has looked at anything."""
        return min(1.0, self.we / self.w) if self.w > 0 else None

    @property
    def kish(self) -> float:
        """How many equally weighted cases would know as much, whatever the outcomes: at most ``n``."""
        return min(float(self.n), self.w * self.w / self.w2) if self.w2 > 0 else 0.0

    @property
    def effective(self) -> float:
        """The same with the outcomes in view; never more than ``kish``."""
        share = self.share
        if share is None:
            return 0.0
        spread = self.w2e * (1 - 2 * share) + share * share * self.w2  # sum of w^2 (e - p)^2
        if not 0 < share < 1 or spread <= 0:
            return self.kish
        return min(self.kish, share * (1 - share) * self.w * self.w / spread)

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends in [0, 1]; the whole of it where nobody has looked at anything."""
        share, n = self.share, self.effective
        return (0.0, 1.0) if share is None else clopper_pearson(share * n, n)


def clopper_pearson(errors: float, n: float) -> tuple[float, float]:
    """The interval of ``LEVEL`` for a share of which ``errors`` in ``n`` were seen; either may be fractional."""
    if n <= 0:
        return 0.0, 1.0
    errors = min(max(errors, 0.0), n)
    low = 0.0 if errors < 1e-9 else beta_quantile(_TAIL, errors, n - errors + 1)
    high = 1.0 if n - errors < 1e-9 else beta_quantile(1 - _TAIL, errors + 1, n - errors)
    return low, high


def predicted(errors: float, n: float, coming: int) -> tuple[int, int]:
    """How many errors the next ``coming`` cases will show, after ``errors`` in ``n``: the least and the most.

    Thatcher's exact limits (1964), which assume that nothing changes: the beta-binomial counterparts of
    ``clopper_pearson``. What a person will see varies twice, with what is known so far and with what comes.
    """
    if n <= 0:
        return 0, coming
    errors = min(max(errors, 0.0), n)
    least, most = 0, coming
    if errors > 1e-9:
        mass = 0.0
        for count in range(coming + 1):
            mass += _beta_binomial(count, coming, errors, n - errors + 1)
            if mass > _TAIL:
                least = count
                break
    if n - errors > 1e-9:
        mass = 0.0
        for count in range(coming, -1, -1):
            mass += _beta_binomial(count, coming, errors + 1, n - errors)
            if mass > _TAIL:
                most = count
                break
    return least, most


def enough_for(tolerance: float) -> int:
    """How many cases without a single error show that the error is within ``tolerance``: fewer never can."""
    if tolerance <= 0:
        return 10**9
    return 1 if tolerance >= 1 else math.ceil(math.log(_TAIL) / math.log1p(-tolerance))


def _beta_binomial(count: int, n: int, a: float, b: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    return math.exp(choose + _log_beta(count + a, n - count + b) - _log_beta(a, b))


def beta_quantile(level: float, a: float, b: float) -> float:
    """Where the Beta(a, b) distribution reaches ``level``; both parameters above 0. By bisection, to 1e-9."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if beta_share(middle, a, b) < level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): DLMF 8.17.22, by Lentz's way through continued fractions."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # There the fraction converges slowly; the symmetric one does not.
        return 1.0 - beta_share(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)) / a
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    whole = d
    for m in range(1, 1000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + step / c
            c = c if abs(c) > _TINY else _TINY
            whole *= c * d
        if abs(c * d - 1.0) < 1e-13:
            break
    return front * whole


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
