"""The geometry of the page's pictures, in the units of an SVG's view box; colours and words belong to the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 22, 26


@dataclass(frozen=True)
class Tick:
    at: float
    value: float


@dataclass(frozen=True)
class Chart:
    """``lines`` are the points of each unbroken stretch, ``dots`` every value, ``marks`` where something changed."""

    lines: Sequence[str]
    dots: Sequence[tuple[float, float]]
    ticks: Sequence[Tick]
    marks: Sequence[float]
    labels: Sequence[tuple[float, str, datetime]]


def draw(
    values: Sequence[tuple[datetime, float | None]],
    marks: Sequence[datetime],
    start: datetime,
    end: datetime,
    *,
    most: float | None = None,
) -> Chart:
    """``values`` as a line over the window; a None breaks it. ``most`` is the top of the scale where it is known."""
    known = [value for _, value in values if value is not None]
    top = most or _round_up(max(known, default=0.0)) or 1.0
    if most and known and max(known) < most / 2:
        top = min(most, _round_up(max(known)) or most)

    def x(at: datetime) -> float:
        share = (max(at, start) - start) / (end - start)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM), 1)

    points = [(x(at), None if value is None else y(value)) for at, value in values]
    lines, stretch = [], []
    for at, height in [*points, (0.0, None)]:
        if height is not None:
            stretch.append(f"{at},{height}")
        elif stretch:
            lines.append(" ".join(stretch))
            stretch = []
    chosen = sorted({0, len(values) // 2, len(values) - 1}) if values else []
    anchors = {0: "start", len(values) - 1: "end"}
    return Chart(
        lines=lines,
        dots=[(at, height) for at, height in points if height is not None],
        ticks=[Tick(y(share * top), share * top) for share in (0, 0.5, 1)],
        marks=[x(at) for at in marks],
        labels=[(points[index][0], anchors.get(index, "middle"), values[index][0]) for index in chosen],
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    if value <= 0:
        return 0.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
