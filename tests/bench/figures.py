"""What a measurement gives, and the one table that shows all of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from cases.replay_report import percentile

COLUMNS = ("what", "n", "figure", "ratio", "beside")


@dataclass(frozen=True)
class Figure:
    """One row: ``n`` operations were measured; ``ratio`` is this figure over that of ``beside``."""

    what: str
    n: int
    figure: str
    ratio: float | None = None
    beside: str = ""

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.what, f"{self.n:,}", self.figure, ratio, self.beside)


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """Aligned Markdown."""
    rows = [COLUMNS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for index, row in enumerate(rows):
        cells = (
            f"{cell:>{width}}" if at in (1, 3) else f"{cell:<{width}}" for at, (cell, width) in _numbered(row, widths)
        )
        yield f"| {' | '.join(cells)} |"
        if index == 0:
            yield f"|{'|'.join('-' * (width + 1) + (':' if at in (1, 3) else '-') for at, width in enumerate(widths))}|"


def _numbered(row: Sequence[str], widths: Sequence[int]) -> Iterator[tuple[int, tuple[str, int]]]:
    return enumerate(zip(row, widths, strict=True))


def rate(rates: Sequence[float]) -> str:
    """The median of several rounds, in operations a second."""
    return f"{median(rates):,.0f}/s"


def latency(seconds: Sequence[float]) -> str:
    return f"p50 {ms(percentile(seconds, 0.50))}, p95 {ms(percentile(seconds, 0.95))}"


def ms(seconds: float | None) -> str:
    return f"{(seconds or 0) * 1000:.1f} ms"
