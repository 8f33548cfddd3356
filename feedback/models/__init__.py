"""What people decided, and what it teaches."""

from .labels import CorrectionLabel
from .reviews import Correction, Review, ReviewDraft
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "Correction",
    "CorrectionLabel",
    "ExportedLabel",
    "ExportedOverride",
    "Review",
    "ReviewDraft",
    "WeeklyExport",
]
