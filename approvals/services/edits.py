"""Changing what is asked for, trying its dry run again, and calling it off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, User
from cases.permissions import require

from .. import states
from ..binding import amount_text
from ..errors import ActionExpired, ActionNotWaiting, NoAuthority, ParamsInvalid, ReasonMissing, StalePayload
from ..models import ActionRevision, ProposedAction
from ..requests import check_request
from ..states import ActionState
from . import authorities, happenings, jobs, previews, reading
from .signing import CHANGED


@dataclass(frozen=True)
class Edit:
    """What is to be done instead. ``amount`` and ``currency`` are both there or both absent."""

    params: Mapping[str, Any]
    amount: Decimal | None = None
    currency: str = ""


@transaction.atomic
def edit(action_id: UUID, change: Edit, *, actor: User, payload_hash: bytes | None, reason: str) -> ProposedAction:
    """Write a new revision: a new dry run, a new hash, and signatures from the start.

    Whoever may approve actions of this type here may edit them, also beyond their own limit: they cannot be the only
    one to sign what they wrote. Raises ``Denied``, ``StalePayload``, ``ActionExpired``, ``ActionNotWaiting``,
    ``NoAuthority``, ``ReasonMissing``, ``ParamsInvalid``.
    """
    action = reading.locked(action_id)
    require(actor, "view_action", action.tenant)
    if action.payload_hash is not None and payload_hash != bytes(action.payload_hash):
        raise StalePayload(CHANGED)
    now = db_now()
    if action.state == ActionState.EXPIRED or action.expires_at <= now:
        raise ActionExpired("Its time to live has ended. Nothing was changed; it has to be proposed again.")
    if action.state not in (ActionState.PENDING_APPROVAL, ActionState.PREVIEW_FAILED):
        raise ActionNotWaiting(f"It cannot be edited now: {action.get_state_display().lower()}.")
    _require_editor(action, actor)
    if not reason.strip():
        raise ReasonMissing("Say why it is edited: whoever signs after you reads it. Nothing was changed.")
    before = reading.revision_of(action)
    amount = amount_text(change.amount, change.currency)
    check_request(action.action_type.schema, change.params, amount=_as_sent(change), currency=change.currency or None)
    if (dict(change.params), amount, change.currency) == (
        before.content.text.get("params", {}),
        amount_text(action.amount, action.currency),
        action.currency,
    ):
        raise ParamsInvalid([], "Nothing is different from what stands there. Approve it, or change something.")
    action.edit()
    action.revision += 1
    action.amount, action.currency, action.editor = change.amount, change.currency, actor
    action.approved_at = None
    text = before.content.text | {"params": dict(change.params), "amount": amount, "currency": change.currency or None}
    store_revision(action, text, author=actor, now=now)
    impact = reading.judge(action, reading.revision_of(action))
    previews.rejudge(action, impact, now=now)
    action.expires_at = now + timedelta(minutes=impact.valid_minutes)
    action.save_as(actor, f"edited: revision {action.revision}")
    happenings.tell(action, CaseEvent.Kind.ACTION_EDITED, actor, at=now, note=reason, revision=action.revision)
    jobs.schedule(action, at=now)
    return action


def _as_sent(change: Edit) -> str | None:
    """With the digits that were typed, so that one too many is seen."""
    return None if change.amount is None else f"{change.amount:f}"


def _require_editor(action: ProposedAction, actor: User) -> None:
    if action.action_type is None:
        raise ActionNotWaiting("The tenant has no action type of this name: it can only be cancelled.")
    own = authorities.exercisable(actor, [action.tenant_id]).filter(action_type=action.action_type_id)
    if not own.exists():
        raise NoAuthority(f"Only who may approve “{action.action_type}” may edit it. Nothing was changed.")


def store_revision(action: ProposedAction, text: dict[str, Any], *, author: User, now) -> ActionRevision:
    """The wording of the action's present revision, in the caller's transaction."""
    content = happenings.text_of(action, text)
    revision = ActionRevision(
        action=action,
        number=action.revision,
        author=author,
        at=now,
        content=content,
        content_digest=content.digest(),
    )
    revision.save(force_insert=True)
    return revision


@transaction.atomic
def retry_preview(action_id: UUID, *, actor: User) -> ProposedAction:
    """Ask the executor once more for a dry run that failed."""
    action = reading.locked(action_id)
    require(actor, "view_action", action.tenant)
    if action.state != ActionState.PREVIEW_FAILED:
        raise ActionNotWaiting("Its dry run has not failed: there is nothing to try again.")
    action.retry_preview()
    action.save_as(actor, "dry run tried again")
    jobs.schedule(action, at=db_now())
    return action


@transaction.atomic
def cancel(action_id: UUID, *, actor: User, reason: str = "") -> ProposedAction:
    """Call an action off, until it is sent to its executor: its proposer, or whoever may withdraw cases."""
    action = reading.locked(action_id)
    require(actor, "view_action", action.tenant)
    if actor.pk != action.proposer_id:
        require(actor, "withdraw_case", action.tenant)
    if action.state not in states.BEFORE_EXECUTION:
        raise ActionNotWaiting(f"It cannot be cancelled any more: {action.get_state_display().lower()}.")
    now = db_now()
    action.cancel()
    happenings.end(action, CaseEvent.Kind.ACTION_CANCELLED, actor, at=now, note=reason)
    return action
