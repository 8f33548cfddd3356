"""The ground floor's tables."""

from .audit import Denial
from .cases import Case
from .content import Content
from .customers import InterimTemplate, Promise
from .drafts import Draft, Release
from .events import CaseEvent
from .idempotency import IdempotencyKey
from .outbox import Delivery, WebhookEndpoint
from .people import Membership, TenantGroupPermission, TenantUserPermission, User
from .policies import Policy, PolicyVersion, RuleFailure, TriggerCondition
from .recalls import RecallRun
from .selftest import SelfTest
from .switch import AutomationSwitch, ResumeRequest
from .tenants import Tenant

__all__ = [
    "AutomationSwitch",
    "Case",
    "CaseEvent",
    "Content",
    "Delivery",
    "Denial",
    "Draft",
    "IdempotencyKey",
    "InterimTemplate",
    "Membership",
    "Policy",
    "PolicyVersion",
    "Promise",
    "RecallRun",
    "Release",
    "ResumeRequest",
    "RuleFailure",
    "SelfTest",
    "Tenant",
    "TenantGroupPermission",
    "TenantUserPermission",
    "TriggerCondition",
    "User",
    "WebhookEndpoint",
]
