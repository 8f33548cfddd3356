"""What people decided, and what it teaches."""

from .advice import LearnedWeights, ThresholdEvidence
from .exports import Dataset, DatasetVersion, Export, Push, PushTarget
from .labels import CorrectionLabel
from .looks import SecondLook
from .metrics import MetricHour, MetricMark, MetricState
from .polls import Poll
from .reviews import Correction, Review, ReviewDraft
from .shadows import ShadowPolicy, ShadowVerdict
from .snippets import TextSnippet
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "Correction",
    "CorrectionLabel",
    "Dataset",
    "DatasetVersion",
    "Export",
    "ExportedLabel",
    "ExportedOverride",
    "LearnedWeights",
    "MetricHour",
    "MetricMark",
    "MetricState",
    "Poll",
    "Push",
    "PushTarget",
    "Review",
    "ReviewDraft",
    "SecondLook",
    "ShadowPolicy",
    "ShadowVerdict",
    "TextSnippet",
    "ThresholdEvidence",
    "WeeklyExport",
]
