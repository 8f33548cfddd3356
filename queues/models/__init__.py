"""Who should look at a case, by when."""

from .asides import Aside, Consultation
from .calendars import BusinessCalendar, SlaPolicy
from .entries import Claim, Entry, Passage
from .people import Reviewer, ReviewerSkill, Skill
from .queues import Queue, QueueGroupPermission, QueueUserPermission
from .quorum import QuorumRule
from .steps import SlaStep, StepFired

__all__ = [
    "Aside",
    "BusinessCalendar",
    "Claim",
    "Consultation",
    "Entry",
    "Passage",
    "Queue",
    "QueueGroupPermission",
    "QueueUserPermission",
    "QuorumRule",
    "Reviewer",
    "ReviewerSkill",
    "Skill",
    "SlaPolicy",
    "SlaStep",
    "StepFired",
]
