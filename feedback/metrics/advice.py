"""Do not route every hard question: what people change of the cases that each rule sends them, and what to do about it.

A rule whose cases people nearly always leave as they were costs their time and catches little.
"""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054  # of a two-sided interval of 95 %
ENOUGH = 30  # judged drafts, below which nothing is advised
SELDOM, OFTEN = 0.05, 0.30


def wilson(changed: int, n: int) -> tuple[float, float]:
    """The score interval of 95 % for a share (Wilson 1927); (0, 1) where nothing was seen."""
    if not n:
        return 0.0, 1.0
    share, scale = changed / n, 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / scale
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Advice:
    """Of ``n`` decisions on drafts that ``name`` sent to people, ``changed`` did not leave the AI's word as it was."""

    name: str
    n: int
    changed: int
    key: str = ""

    @property
    def share(self) -> float:
        return self.changed / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.changed, self.n)

    @property
    def share_words(self) -> str:
        return f"{self.share * 100:.1f} %"

    @property
    def interval_words(self) -> str:
        low, high = self.interval
        return f"{low * 100:.1f} to {high * 100:.1f} %"

    @property
    def words(self) -> str:
        low, high = self.interval
        if self.n < ENOUGH:
            return f"Too few to say: wait for {ENOUGH} decisions."
        if high < SELDOM:
            return "People change almost nothing: retire it, or sample these cases instead."
        if high < OFTEN / 2:
            return "People seldom change anything: tighten it, so that it sends fewer cases."
        if low > OFTEN:
            return "People change many of these: keep it, and mend the AI where they do."
        return "Keep it, and look again when there is more."
