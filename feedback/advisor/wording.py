"""Recommendations and numbers in words for people. Pure."""

from .thresholds import Kind, Level, Recommendation


def percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def error_words(level: Level) -> str:
    """``1.1 % (0.6 to 1.9)``."""
    if level.error is None:
        return "unknown"
    low, high = level.interval
    return f"{percent(level.error)} ({low * 100:.1f} to {high * 100:.1f})"


def threshold_words(threshold: float) -> str:
    """Two digits, or as many more as it has."""
    text = f"{threshold:.4f}".rstrip("0")
    return text if len(text.partition(".")[2]) >= 2 else f"{threshold:.2f}"


def volume_words(change: int) -> str:
    if not change:
        return "as many cases a week go by themselves"
    return f"{abs(change):,} cases a week {'more' if change > 0 else 'fewer'} go by themselves"


def recommendation_words(one: Recommendation) -> str:
    """One sentence or two: what, how much, with which error, and why."""
    at, tolerance = threshold_words(one.level.threshold), percent(one.tolerance)
    now = f"the error at {threshold_words(one.current.threshold)} is {error_words(one.current)}"
    match one.kind:
        case Kind.LOWER | Kind.RAISE:
            return f"At {at}: {volume_words(one.change)}, expected error {error_words(one.level)}."
        case Kind.NONE:
            return (
                f"Let nothing pass for now: {now}, beyond the tolerated {tolerance}, and no stricter threshold is "
                "shown to stay within it."
            )
        case Kind.KEEP:
            return f"Keep {at}: {now}, within the tolerated {tolerance}, and no lower threshold is shown to be."
        case Kind.UNCLEAR:
            return (
                f"Unclear: {now}, and no threshold is shown to stay within the tolerated {tolerance}. "
                "Sample more automatic approvals, or wait for more decisions."
            )
        case _:
            return (
                f"Not enough data: to show an error within {tolerance} takes the like of {one.needed:,} cases that "
                f"people looked at and that would pass. At {at} there are {one.current.seen.kish:,.0f}."
            )
