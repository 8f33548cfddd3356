"""What people decided, and what it teaches."""

from .labels import CorrectionLabel
from .looks import SecondLook
from .metrics import MetricHour, MetricMark, MetricState
from .polls import Poll
from .reviews import Correction, Review, ReviewDraft
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "Correction",
    "CorrectionLabel",
    "ExportedLabel",
    "ExportedOverride",
    "MetricHour",
    "MetricMark",
    "MetricState",
    "Poll",
    "Review",
    "ReviewDraft",
    "SecondLook",
    "WeeklyExport",
]
