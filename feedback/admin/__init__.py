"""The doors of feedback in the admin: reviews and the page where cases are decided, labels, and exports."""

from .challenge_results import ChallengeResultAdmin, PlantedChallengeAdmin
from .challenges import (
    BlindFirstPolicyAdmin,
    ChallengeAdmin,
    ChallengePolicyAdmin,
    DwellPolicyAdmin,
    FrictionCapAdmin,
)
from .corrections import CorrectionAdmin
from .drift import DriftAlertAdmin
from .evidence import EvidencePackAdmin
from .exports import ExportAdmin, PushAdmin, PushTargetAdmin
from .looks import SecondLookAdmin
from .reviews import ReviewAdmin
from .shadows import ShadowPolicyAdmin
from .snippets import TextSnippetAdmin
from .thresholds import ThresholdEvidenceAdmin
from .training import TrainingAlertAdmin
from .weekly import WeeklyExportAdmin

__all__ = [
    "BlindFirstPolicyAdmin",
    "ChallengeAdmin",
    "ChallengePolicyAdmin",
    "ChallengeResultAdmin",
    "CorrectionAdmin",
    "DriftAlertAdmin",
    "DwellPolicyAdmin",
    "EvidencePackAdmin",
    "ExportAdmin",
    "FrictionCapAdmin",
    "PlantedChallengeAdmin",
    "PushAdmin",
    "PushTargetAdmin",
    "ReviewAdmin",
    "SecondLookAdmin",
    "ShadowPolicyAdmin",
    "TextSnippetAdmin",
    "ThresholdEvidenceAdmin",
    "TrainingAlertAdmin",
    "WeeklyExportAdmin",
]
