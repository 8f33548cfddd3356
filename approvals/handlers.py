"""What approvals do when something happens to cases: the event seam's receiver, in the same transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import CaseEvent
from cases.services.events import Happening

from .services.proposals import Proposal, end_actions, propose_all


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """Store the actions that came with new cases, and cancel those of a withdrawn one; per case its ``action_id``."""
    proposals = [_proposal(happening) for happening in happenings if _proposes(happening)]
    actions = propose_all(proposals, actor=happenings[0].actor, now=happenings[0].event.at) if proposals else []
    for happening in happenings:
        if happening.event.kind == CaseEvent.Kind.WITHDRAWN:
            end_actions(happening.case, actor=happening.actor, now=happening.event.at)
    return {action.case_id: {"action_id": action.wire_id} for action in actions}


def _proposes(happening: Happening) -> bool:
    return happening.event.kind == CaseEvent.Kind.OPENED and bool(happening.payload.get("proposed_action"))


def _proposal(happening: Happening) -> Proposal:
    payload = happening.payload
    return Proposal(happening.case, payload["proposed_action"], payload["raw"]["proposed_action"])
