"""What is asked of a second person about authorities and action types, where the tenant wants four eyes on them."""

from typing import Any

from django.contrib.auth.models import Group

from cases.models import User
from cases.services.changes import Second, SecondNeeded, Wish, needed
from cases.vocabulary import FourEyes

from ..facts import rules_of
from ..models import ActionType, ApprovalAuthority

AUTHORITY = ("code", "name", "action_type_id", "max_amount", "currency", "max_impact", "is_active")
TYPE = (
    *("name", "title", "schema", "is_active"),
    *("executor_kind", "executor", "executor_timeout_seconds", "honours_keys"),
)
RULE = (
    *("position", "condition", "impact", "approvals"),
    *("valid_minutes", "decide_minutes", "authority_code", "may_run_alone"),
)


def fields(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def require_second_for_authority(
    authority: ApprovalAuthority, *, actor: User, reason: str, second: Second | None
) -> None:
    """Raise ``SecondNeeded`` where the tenant asks for four eyes on authorities."""
    if not needed(authority.tenant, FourEyes.AUTHORITY, actor, second):
        return
    stored = ApprovalAuthority.objects.filter(pk=authority.pk).select_related("action_type").first()
    document = fields(authority, AUTHORITY)
    raise SecondNeeded(
        Wish(
            kind="authority",
            tenant=authority.tenant,
            right="change_action",
            subject=stored or authority,
            document=document,
            actor=actor,
            reason=reason,
            before=_told(stored) if stored else {},
            after=_told(authority),
            is_new=stored is None,
        )
    )


def _told(authority: ApprovalAuthority) -> dict[str, Any]:
    told = fields(authority, AUTHORITY) | {"action": str(authority.action_type)}
    amount = authority.max_amount
    return {name: value for name, value in told.items() if name != "action_type_id"} | {
        "max_amount": f"{amount:.2f}" if amount is not None else None
    }


def require_second_for_grant(
    authority: ApprovalAuthority, holder: User | Group, *, actor: User, reason: str, second: Second | None
) -> None:
    """Raise ``SecondNeeded`` where the tenant asks for four eyes on authorities: to give one, never to take it."""
    if not needed(authority.tenant, FourEyes.AUTHORITY, actor, second):
        return
    key = {"group": holder.pk} if isinstance(holder, Group) else {"user": str(holder.pk)}
    raise SecondNeeded(
        Wish(
            kind="grant",
            tenant=authority.tenant,
            right="change_action",
            subject=authority,
            document=key,
            actor=actor,
            reason=reason,
            after={"given to": holder.name if isinstance(holder, Group) else str(holder)} | _told(authority),
        )
    )


def waits(action_type: ActionType, actor: User) -> bool:
    return needed(action_type.tenant, FourEyes.ACTION, actor, None)


def require_second_for_type(action_type: ActionType, *, actor: User, reason: str, second: Second | None) -> None:
    """Raise ``SecondNeeded`` where the tenant asks for four eyes on action types. Its rules are read as the caller's
    transaction holds them."""
    if not needed(action_type.tenant, FourEyes.ACTION, actor, second):
        return
    rules = [] if action_type._state.adding else [fields(rule, RULE) for rule in action_type.impact_rules.all()]
    last = action_type.versions.order_by("-published_at", "-id").first()
    is_new = last is None  # The form of a new type saves it first, for its rules to point at.
    stored = None if is_new else action_type.history.order_by("-history_id").first()
    before = (fields(stored, TYPE) if stored else {}) | {"rules": last.rules if last else []}
    raise SecondNeeded(
        Wish(
            kind="action",
            tenant=action_type.tenant,
            right="change_action",
            subject=action_type,
            document=fields(action_type, TYPE) | {"rules": rules},
            actor=actor,
            reason=reason,
            before=before,
            after=fields(action_type, TYPE)
            | {"rules": [rule.to_document() for rule in rules_of([action_type])[action_type.pk]]},
            is_new=is_new,
        )
    )
