"""Figures as people read them."""

from decimal import Decimal
from fractions import Fraction

from .definitions import Metric, Unit

Number = Fraction | float | int | None


def value_words(metric: Metric, value: Number) -> str:
    """``12.3 %``, ``4 min 12 s``, ``3.9``; a dash where there is nothing to divide by."""
    if value is None:
        return "–"
    match metric.unit:
        case Unit.SHARE:
            return f"{float(value) * 100:.1f} %"
        case Unit.SECONDS:
            return seconds_words(float(value))
        case _:
            return f"{float(value):.1f}"


def count_words(n: int | Decimal) -> str:
    """How many facts; sums of weights to one place."""
    return f"{n:,}" if isinstance(n, int) else f"{n:,.1f}".removesuffix(".0")


def change_words(metric: Metric, before: Number, now: Number) -> str:
    """How ``now`` differs from ``before``, and whether that is better; empty where one of them is missing."""
    if before is None or now is None:
        return ""
    difference = now - before
    if not difference:
        return "the same"
    sign = "+" if difference > 0 else "−"
    size = abs(difference)
    words = f"{float(size) * 100:.1f} points" if metric.unit == Unit.SHARE else value_words(metric, size)
    if metric.lower_is_better is None:
        return f"{sign}{words}"
    is_better = (difference < 0) == metric.lower_is_better
    return f"{sign}{words}, {'better' if is_better else 'worse'}"


def seconds_words(seconds: float) -> str:
    """Two units at most."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
