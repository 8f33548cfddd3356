"""Findings in words for people."""

from ..metrics.definitions import BY_METRIC, Metric, Unit
from ..metrics.wording import value_words
from .causes import Cause
from .cells import ANY
from .findings import Finding, Moved

WORDS = {
    Cause.TRAFFIC: "the mix of traffic",
    Cause.POLICY: "the policy",
    Cause.RETRIEVAL: "retrieval",
    Cause.MODEL: "the model",
}


def metric_of(finding: Finding) -> Metric:
    return BY_METRIC[finding.metric]


def size_words(metric: Metric, size: float, plus: str = "+") -> str:
    """A change in the metric's unit: ``+6.3 points``, ``−12 s``; what rounds to nothing has no sign."""
    words = f"{abs(size) * 100:.1f} points" if metric.unit == Unit.SHARE else value_words(metric, abs(size))
    if not any(digit in words for digit in "123456789"):
        return words
    return f"{'−' if size < 0 else plus}{words}"


def interval_words(finding: Finding) -> str:
    """``+3.1 to +9.5 points``."""
    metric = metric_of(finding)
    low, high = size_words(metric, finding.low), size_words(metric, finding.high)
    return f"{low.removesuffix(' points')} to {high}"


def cause_words(finding: Finding) -> str:
    """``mostly the model``, or why nobody can tell, and of how much where much of the traffic is new."""
    words = _cause_words(finding)
    return (
        words
        if finding.parts.is_traffic_known
        else f"{words}, in the {finding.covered * 100:.0f} % that can be compared"
    )


def _cause_words(finding: Finding) -> str:
    main = finding.parts.main
    if not main:
        return "several causes, none of them most of it"
    if len(main) == 1:
        return f"mostly {WORDS[main[0]]}"
    return f"not identifiable, {' and '.join(WORDS[cause] for cause in main)} changed together"


def part_words(finding: Finding, cause: Cause) -> str:
    part = finding.parts.of(cause)
    if part is not None:
        return size_words(metric_of(finding), part)
    is_open = cause == Cause.TRAFFIC or cause in finding.parts.rest_of
    return "not identifiable" if is_open else "not measured"


def moved_words(finding: Finding) -> str:
    """``billing, de: from 20.1 % to 41.0 %``; empty where no segment stands out."""
    moved, metric = finding.moved, metric_of(finding)
    if moved is None:
        return ""
    return f"{segment_words(moved)}: from {value_words(metric, moved.before)} to {value_words(metric, moved.after)}"


def segment_words(moved: Moved) -> str:
    return ", ".join(name for name in moved.segment if name != ANY)


def sentence(finding: Finding) -> str:
    metric, moved = metric_of(finding), moved_words(finding)
    return (
        f"{metric.title} {'rose' if finding.change > 0 else 'fell'} by {size_words(metric, abs(finding.change), '')} "
        f"at equal traffic (95 %: {interval_words(finding)}), from {value_words(metric, finding.before)} to "
        f"{value_words(metric, finding.after)}: {cause_words(finding)}.{f' Most in {moved}.' if moved else ''}"
    )
