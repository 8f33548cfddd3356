"""The closed word lists of the product: each is stored, sent on the wire and shown, always as written here."""

from datetime import timedelta

from django.db.models import IntegerChoices, TextChoices

DUE_SOON = timedelta(minutes=30)  # So long before its deadline a waiting case is marked and counted as due soon.


class Kind(TextChoices):
    ANSWER = "answer", "Answer"
    DECISION = "decision", "Decision"


class Risk(TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical, for comparing."""
        return list(Risk).index(self)


class Route(TextChoices):
    AUTO_APPROVE = "auto_approve", "Automatic approval"
    QUICK_REVIEW = "quick_review", "Quick review"
    FULL_INVESTIGATION = "full_investigation", "Full investigation"


class Trigger(TextChoices):
    """Why a person has to look. A tenant's own CEL conditions raise one of these."""

    LOW_CONFIDENCE = "low_confidence", "Low confidence"
    HIGH_STAKES = "high_stakes", "High stakes"
    POLICY_BOUNDARY = "policy_boundary", "Close to the edge of the policy"
    TOOL_RISK = "tool_risk", "A tool failed or its action is risky"
    USER_ESCALATION = "user_escalation", "The customer asked for a person"
    QUALITY_FAILURE = "quality_failure", "A quality check failed"
    AUTOMATION_STOPPED = "automation_stopped", "Automation is stopped"
    MISSING_SIGNALS = "missing_signals", "A required signal is missing"
    NO_DRAFT = "no_draft", "There is no draft"
    RULE_FAILED = "rule_failed", "A rule of the policy failed"
    UNKNOWN_DOMAIN = "unknown_domain", "The policy does not know the domain"
    UNKNOWN_LANGUAGE = "unknown_language", "The policy does not know the language"


class Signal(TextChoices):
    """What a caller may report about a draft; all in [0, 1] and higher is safer, but for ``rerank_margin``."""

    CALIBRATED_CONFIDENCE = "calibrated_confidence", "Calibrated confidence"
    SELF_CONFIDENCE = "self_confidence", "The model's own confidence"
    RETRIEVAL_SCORE = "retrieval_score", "Retrieval score"
    RERANK_MARGIN = "rerank_margin", "Margin of the best passage"
    ANSWER_GROUNDEDNESS = "answer_groundedness", "Groundedness"
    TOOL_SUCCESS = "tool_success", "Tools that succeeded"
    POLICY_CLASSIFIER_SCORE = "policy_classifier_score", "Policy classifier"
    JUDGE_SCORE = "judge_score", "Judge model"


class Use(TextChoices):
    """What a policy makes of a signal."""

    REQUIRED = "required", "Required"
    OPTIONAL = "optional", "Optional"
    UNUSED = "unused", "Not used"


class Verdict(TextChoices):
    ACCEPT = "accept", "Accept"
    EDIT = "edit", "Edit"
    REJECT = "reject", "Reject"
    NEEDS_EDIT = "needs_edit", "Ask for a new draft"


class Role(TextChoices):
    """Role groups of a membership; what each may do stands in ``permissions.TENANT_RIGHTS``."""

    REVIEWER = "reviewer", "Reviewer"
    SENIOR_REVIEWER = "senior_reviewer", "Senior reviewer"
    APPROVER = "approver", "Approver"
    SUPERVISOR = "supervisor", "Supervisor"
    COMPLIANCE = "compliance", "Compliance"
    TENANT_ADMIN = "tenant_admin", "Tenant admin"
    INTEGRATION = "integration", "Integration (service account)"


class FourEyes(TextChoices):
    """What a tenant may ask a second person for (``services.changes``); resuming automation has its own setting."""

    POLICY = "policy", "Policies"
    AUTHORITY = "authority", "Approval authorities and who holds them"
    ACTION = "action", "Action types and their impact rules"
    ROLES = "roles", "Roles that somebody gets"
    RECORDS = "records", "Keeping less: views of cases, retention periods"


class KeepViews(TextChoices):
    """Whose views of cases a tenant keeps (``services.data_views``)."""

    NONE = "none", "Nobody's"
    OTHERS = "others", "Everybody's but those of who holds the case"
    ALL = "all", "Everybody's"


class Depth(IntegerChoices):
    """How deep a stopped switch cuts."""

    DECISIONS = 1, "No automatic decision or execution"
    DISPATCH = 2, "No dispatch at all, people's included"


class Stage(IntegerChoices):
    """How far a resumption goes: the percentage of what would pass by itself that does."""

    PEOPLE = 0, "What people approve is dispatched again; nothing runs by itself"
    TENTH = 10, "10 % of what would pass by itself does"
    HALF = 50, "50 % of what would pass by itself does"
    ALL = 100, "Everything that passes by itself does"
