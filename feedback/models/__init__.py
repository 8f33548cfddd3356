"""What people decided, and what it teaches."""

from .labels import CorrectionLabel
from .metrics import MetricHour, MetricMark, MetricState
from .reviews import Correction, Review, ReviewDraft
from .snippets import TextSnippet
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "Correction",
    "CorrectionLabel",
    "ExportedLabel",
    "ExportedOverride",
    "MetricHour",
    "MetricMark",
    "MetricState",
    "Review",
    "ReviewDraft",
    "TextSnippet",
    "WeeklyExport",
]
