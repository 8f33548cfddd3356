"""What may be done, on whose authority."""

from .actions import ProposedAction
from .authorities import ApprovalAuthority, AuthorityGroupPermission, AuthorityUserPermission
from .types import ActionType, ImpactRule

__all__ = [
    "ActionType",
    "ApprovalAuthority",
    "AuthorityGroupPermission",
    "AuthorityUserPermission",
    "ImpactRule",
    "ProposedAction",
]
