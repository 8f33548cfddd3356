"""What may be done, on whose authority."""

from .actions import ProposedAction
from .authorities import ApprovalAuthority, AuthorityGrant, AuthorityGroupPermission, AuthorityUserPermission
from .executions import ActionJob, Execution, ExecutionResult
from .revisions import ActionPreview, ActionRevision, ActionVote
from .types import ActionType, ActionTypeVersion, ImpactRule

__all__ = [
    "ActionJob",
    "ActionPreview",
    "ActionRevision",
    "ActionType",
    "ActionTypeVersion",
    "ActionVote",
    "ApprovalAuthority",
    "AuthorityGrant",
    "AuthorityGroupPermission",
    "AuthorityUserPermission",
    "Execution",
    "ExecutionResult",
    "ImpactRule",
    "ProposedAction",
]
