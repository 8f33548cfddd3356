"""Publishing an action type: whatever an approval is bound to gets a new number when it changes."""

import hashlib
from typing import Any

from django.db import transaction

from cases.clock import db_now
from cases.digests import canonical
from cases.models import User
from cases.permissions import require

from ..facts import rules_of
from ..models import ActionType, ActionTypeVersion


def executor_document(action_type: ActionType) -> dict[str, Any]:
    """What an approval holds on to of who carries it out; the secrets may change without it."""
    return {
        "kind": action_type.executor_kind,
        "executor": action_type.executor,
        "schema": action_type.schema,
        "honours_keys": action_type.honours_keys,
        "is_active": action_type.is_active,
    }


def executor_digest(action_type: ActionType) -> str:
    """SHA-256 of ``executor_document``, in hex."""
    return hashlib.sha256(canonical(executor_document(action_type))).hexdigest()


@transaction.atomic
def publish(action_type: ActionType, *, actor: User, reason: str) -> ActionTypeVersion:
    """Save ``action_type`` and keep what it says now; its impact rules must be saved before.

    A changed executor or schema raises ``executor_version``, changed rules ``policy_version``: approvals that are bound
    to the numbers before no longer hold, and their actions are previewed and shown again. Returns the version in force.
    """
    require(actor, "change_action", action_type.tenant)
    ActionType.objects.select_for_update(no_key=True).filter(pk=action_type.pk).first()
    last = action_type.versions.order_by("-published_at", "-id").first()
    executor = executor_document(action_type)
    rules = [rule.to_document() for rule in rules_of([action_type])[action_type.pk]]
    is_new_executor = last is None or last.executor != executor
    are_new_rules = last is None or last.rules != rules
    action_type.executor_version = (last.executor_version if last else 0) + is_new_executor
    action_type.policy_version = (last.policy_version if last else 0) + are_new_rules
    action_type.full_clean()
    action_type.save_as(actor, reason)
    if last and not (is_new_executor or are_new_rules):
        return last
    version = ActionTypeVersion(
        action_type=action_type,
        executor_version=action_type.executor_version,
        policy_version=action_type.policy_version,
        executor=executor,
        rules=rules,
        published_by=actor,
        published_at=db_now(),
    )
    version.save(force_insert=True)
    return version
