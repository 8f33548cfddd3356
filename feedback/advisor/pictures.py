"""The geometry of the page's pictures, in the units of an SVG's view box; colours and words belong to the template."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .calibration import Calibration
from .thresholds import Level
from .wording import percent

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 14, 16, 30
STEPS = 4  # of a scale


@dataclass(frozen=True)
class Tick:
    at: float
    words: str


@dataclass(frozen=True)
class Whisker:
    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Picture:
    """``band`` is a polygon, ``lines`` are polylines, ``marks`` are x of thresholds, ``limit`` the y of a limit."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    band: str = ""
    lines: Sequence[str] = ()
    whiskers: Sequence[Whisker] = ()
    marks: Sequence[float] = ()
    limit: float | None = None


def errors_by_threshold(levels: Sequence[Level], marks: Sequence[float], tolerance: float) -> Picture:
    """The error with its interval, where enough cases were seen for either to be told apart from anything."""
    known = [level for level in reversed(levels) if level.error is not None and level.interval[1] < 0.999]
    low = min((level.threshold for level in levels), default=0.0)
    highest = max((level.error or 0.0 for level in known), default=0.0)
    top = min(1.0, _round_up(max(highest, 3 * tolerance, 0.01)))  # The interval may go beyond: there it says little.
    x, y = _scales(low, 1.0, top)
    upper = [f"{x(level.threshold)},{y(level.interval[1])}" for level in known]
    lower = [f"{x(level.threshold)},{y(level.interval[0])}" for level in reversed(known)]
    return Picture(
        x_ticks=_along(low, x),
        y_ticks=[Tick(y(value), percent(value)) for value in _quarters(top)],
        band=" ".join([*upper, *lower]),
        lines=[" ".join(f"{x(level.threshold)},{y(level.error or 0.0)}" for level in known)],
        marks=[x(mark) for mark in marks if mark >= low],
        limit=y(tolerance),
    )


def volume_by_threshold(levels: Sequence[Level], marks: Sequence[float]) -> Picture:
    """Cases a week that go by themselves."""
    ordered = list(reversed(levels))
    low = min((level.threshold for level in levels), default=0.0)
    top = _round_up(max((level.per_week for level in levels), default=0.0)) or 1.0
    x, y = _scales(low, 1.0, top)
    return Picture(
        x_ticks=_along(low, x),
        y_ticks=[Tick(y(value), f"{value:,g}") for value in _quarters(top)],
        lines=[" ".join(f"{x(level.threshold)},{y(level.per_week)}" for level in ordered)],
        marks=[x(mark) for mark in marks if mark >= low],
    )


def reliability(found: Calibration) -> Picture:
    """Each bin's share of right drafts over its mean confidence; the second line is what a perfect one would show."""
    x, y = _scales(0.0, 1.0, 1.0)
    return Picture(
        x_ticks=_along(0.0, x),
        y_ticks=[Tick(y(value), percent(value, 0)) for value in _quarters(1.0)],
        lines=[" ".join(f"{x(one.confidence)},{y(one.right)}" for one in found.bins), f"{x(0)},{y(0)} {x(1)},{y(1)}"],
        whiskers=[
            Whisker(x(one.confidence), y(one.right), y(one.interval[1]), y(one.interval[0])) for one in found.bins
        ],
    )


Scale = Callable[[float], float]


def _scales(low: float, high: float, top: float) -> tuple[Scale, Scale]:
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LEFT + (value - low) / span * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (1 - min(value, top) / top) * (HEIGHT - TOP - BOTTOM), 1)

    return x, y


def _quarters(top: float) -> list[float]:
    return [top * step / STEPS for step in range(STEPS + 1)]


def _along(low: float, scale: Scale) -> list[Tick]:
    """From ``low`` to 1, in round steps."""
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if (1 - low) / step <= 7)
    first = math.ceil(round(low / step, 6))
    values = (number * step for number in range(first, round(1 / step) + 1))
    return [Tick(scale(value), f"{value:.2f}") for value in values]


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten, which four steps divide evenly."""
    if value <= 0:
        return 0.0
    power = 1e-6
    while power * 10 <= value * (1 + 1e-9):
        power *= 10
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * (1 - 1e-9))
