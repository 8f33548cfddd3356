"""What people decided, and what it teaches."""

from .advice import LearnedWeights, ThresholdEvidence
from .challenges import (
    Challenge,
    ChallengePlan,
    ChallengePolicy,
    ChallengeResult,
    PlantedChallenge,
    ResultSeen,
    TrainingAlert,
)
from .drift import DriftAlert, DriftLook
from .dwell import Dwell, DwellPolicy
from .evidence import EvidencePack
from .exports import Dataset, DatasetVersion, Export, Push, PushTarget
from .firsts import BlindFirstPolicy, FirstOpinion
from .friction import FrictionCap
from .labels import CorrectionLabel
from .looks import SecondLook
from .metrics import MetricDay, MetricHour, MetricMark, MetricState
from .polls import Poll
from .reviews import Correction, Review, ReviewDraft
from .routes import RouteQuality
from .shadows import ShadowPolicy, ShadowVerdict
from .snippets import TextSnippet
from .weekly import ExportedLabel, ExportedOverride, WeeklyExport

__all__ = [
    "BlindFirstPolicy",
    "Challenge",
    "ChallengePlan",
    "ChallengePolicy",
    "ChallengeResult",
    "Correction",
    "CorrectionLabel",
    "Dataset",
    "DatasetVersion",
    "DriftAlert",
    "DriftLook",
    "Dwell",
    "DwellPolicy",
    "EvidencePack",
    "Export",
    "ExportedLabel",
    "ExportedOverride",
    "FirstOpinion",
    "FrictionCap",
    "LearnedWeights",
    "MetricDay",
    "MetricHour",
    "MetricMark",
    "MetricState",
    "PlantedChallenge",
    "Poll",
    "Push",
    "PushTarget",
    "ResultSeen",
    "Review",
    "ReviewDraft",
    "RouteQuality",
    "SecondLook",
    "ShadowPolicy",
    "ShadowVerdict",
    "TextSnippet",
    "ThresholdEvidence",
    "TrainingAlert",
    "WeeklyExport",
]
