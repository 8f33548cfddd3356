"""What people decided."""

from .metrics import MetricHour, MetricMark, MetricState
from .reviews import Review, ReviewDraft

__all__ = ["MetricHour", "MetricMark", "MetricState", "Review", "ReviewDraft"]
