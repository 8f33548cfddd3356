"""The ground floor's tables."""

from .access import AccessEvent, BackupCode
from .audit import Denial
from .breakers import BreakerAlarm, BreakerMark, BreakerReset, BreakerRule, BreakerState
from .cases import Case
from .changes import ChangeAnswer, ChangeRequest
from .content import Content
from .customer_notices import CustomerNotice, CustomerNoticeSettings, CustomerOptOut, CustomerTemplate
from .customers import InterimTemplate, Promise
from .data_views import DataView
from .drafts import Draft, Release
from .erasure import ErasureReceipt, LegalHold, RetentionRule
from .evaluations import EvaluationCount
from .events import CaseEvent
from .heartbeats import Heartbeat
from .idempotency import IdempotencyKey
from .notices import Notice, NoticeChannel
from .outbox import Delivery, WebhookEndpoint
from .people import Membership, TenantGroupPermission, TenantUserPermission, User
from .policies import Policy, PolicyVersion, RuleFailure, TriggerCondition
from .recalls import RecallRun
from .removals import AuditRemoval
from .saved_filters import SavedFilter
from .seals import HeadReceipt, Seal, SealedTable, SealPublishing, SealShape, SealVerification
from .selftest import SelfTest
from .switch import AutomationSwitch, ResumeRequest
from .tenants import Tenant

__all__ = [
    "AccessEvent",
    "AuditRemoval",
    "AutomationSwitch",
    "BackupCode",
    "BreakerAlarm",
    "BreakerMark",
    "BreakerReset",
    "BreakerRule",
    "BreakerState",
    "Case",
    "CaseEvent",
    "ChangeAnswer",
    "ChangeRequest",
    "Content",
    "CustomerNotice",
    "CustomerNoticeSettings",
    "CustomerOptOut",
    "CustomerTemplate",
    "DataView",
    "Delivery",
    "Denial",
    "Draft",
    "ErasureReceipt",
    "EvaluationCount",
    "HeadReceipt",
    "Heartbeat",
    "IdempotencyKey",
    "InterimTemplate",
    "LegalHold",
    "Membership",
    "Notice",
    "NoticeChannel",
    "Policy",
    "PolicyVersion",
    "Promise",
    "RecallRun",
    "Release",
    "ResumeRequest",
    "RetentionRule",
    "RuleFailure",
    "SavedFilter",
    "Seal",
    "SealPublishing",
    "SealShape",
    "SealVerification",
    "SealedTable",
    "SelfTest",
    "Tenant",
    "TenantGroupPermission",
    "TenantUserPermission",
    "TriggerCondition",
    "User",
    "WebhookEndpoint",
]
