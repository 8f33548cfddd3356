"""What people decided, and what it teaches."""

from .exports import Dataset, DatasetVersion, Export, Push, PushTarget
from .labels import CorrectionLabel
from .reviews import Correction, Review, ReviewDraft
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "Correction",
    "CorrectionLabel",
    "Dataset",
    "DatasetVersion",
    "Export",
    "ExportedLabel",
    "ExportedOverride",
    "Push",
    "PushTarget",
    "Review",
    "ReviewDraft",
    "WeeklyExport",
]
