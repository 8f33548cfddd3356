"""What approvals do when something happens to a case: the event seam's receiver, in the same transaction."""

from typing import Any

from cases.models import CaseEvent
from cases.services.events import Happening

from .services.proposals import end_actions, propose


def on_event(happening: Happening) -> dict[str, Any] | None:
    """Store the action that came with a case, and cancel it when the case is withdrawn."""
    kind, case, actor, at = happening.event.kind, happening.case, happening.actor, happening.event.at
    if kind == CaseEvent.Kind.OPENED and (proposal := happening.payload.get("proposed_action")):
        raw = happening.payload["raw"]["proposed_action"]
        return {"action_id": propose(case, proposal, raw, actor=actor, now=at).wire_id}
    if kind == CaseEvent.Kind.WITHDRAWN:
        end_actions(case, actor=actor, now=at)
    return None
