"""Recording what happens to actions, with a case or without, and what their end does to their case."""

from datetime import datetime
from typing import Any

from cases.models import CaseEvent, Content, User
from cases.services import lifecycle
from cases.services.events import record, record_for

from ..models import ProposedAction
from . import jobs

K = CaseEvent.Kind

# What a case that people had answered learns: the answer counted on something that will not happen.
REOPENS = {K.ACTION_FAILED: "action_failed", K.ACTION_REJECTED: "action_rejected", K.ACTION_EXPIRED: "action_expired"}


def tell(
    action: ProposedAction, kind: CaseEvent.Kind, actor: User, *, at: datetime, note: str = "", **data: Any
) -> None:
    """Append an event about ``action``, in the caller's transaction, with the case locked where there is one."""
    facts = {"action": action.name, "impact": action.impact, "state": str(action.state), **data}
    if action.case:
        record(action.case, kind, actor, at=at, note=note, subject=action.wire_id, **facts)
    else:
        record_for(action.tenant, kind, actor, subject=action.wire_id, note=note, at=at, **facts)


def end(action: ProposedAction, kind: CaseEvent.Kind, actor: User, *, at: datetime, note: str = "", **data) -> None:
    """Save an action whose last transition was just made, tell it, and let its case go on.

    A decided case whose action came to nothing waits for a person again before its outcome could leave the house.
    """
    action.save_as(actor, kind.label)
    jobs.drop(action)
    tell(action, kind, actor, at=at, note=note, **data)
    if action.case:
        if kind in REOPENS:
            lifecycle.fall_back(action.case, actor=actor, now=at, trigger=REOPENS[kind])
        lifecycle.settle_action(action.case, actor)


def text_of(action: ProposedAction, body: dict[str, Any]) -> Content:
    """A new row of text that belongs to ``action``, found by erasure through its case and its customer."""
    content = Content(
        tenant_id=action.tenant_id,
        owner=Content.Owner.ACTION,
        case_id=action.case_id,
        body=body,
        customer_key=action.content.customer_key,
    )
    content.save(force_insert=True)
    return content
