"""The doors of feedback in the admin: reviews and the page where cases are decided, labels, and exports."""

from .corrections import CorrectionAdmin
from .exports import ExportAdmin, PushAdmin, PushTargetAdmin
from .looks import SecondLookAdmin
from .reviews import ReviewAdmin
from .shadows import ShadowPolicyAdmin
from .snippets import TextSnippetAdmin
from .thresholds import ThresholdEvidenceAdmin
from .weekly import WeeklyExportAdmin

__all__ = [
    "CorrectionAdmin",
    "ExportAdmin",
    "PushAdmin",
    "PushTargetAdmin",
    "ReviewAdmin",
    "SecondLookAdmin",
    "ShadowPolicyAdmin",
    "TextSnippetAdmin",
    "ThresholdEvidenceAdmin",
    "WeeklyExportAdmin",
]
