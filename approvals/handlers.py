"""What approvals do when something happens to cases: the event seam's receiver, in the same transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import CaseEvent
from cases.services.events import Happening

from .models import ProposedAction
from .services import jobs
from .services.lifetimes import end_actions
from .services.proposals import Proposal, propose_all
from .states import ActionState

K = CaseEvent.Kind


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """Store the actions that came with new cases, let approved ones go when their case is decided, cancel those of a
    withdrawn one; per case its ``action_id``."""
    proposals = [_proposal(happening) for happening in happenings if _proposes(happening)]
    actions = propose_all(proposals, actor=happenings[0].actor, now=happenings[0].event.at) if proposals else []
    for happening in happenings:
        if happening.event.kind == K.WITHDRAWN:
            end_actions(happening.case, actor=happening.actor, now=happening.event.at)
        elif happening.event.kind == K.DECIDED and happening.case.open_actions:
            _wake(happening)
    return {action.case_id: {"action_id": action.wire_id} for action in actions}


def _proposes(happening: Happening) -> bool:
    return happening.event.kind == K.OPENED and bool(happening.payload.get("proposed_action"))


def _proposal(happening: Happening) -> Proposal:
    case, payload = happening.case, happening.payload
    return Proposal(case.tenant, case, payload["proposed_action"], payload["raw"]["proposed_action"])


def _wake(happening: Happening) -> None:
    """What is approved already goes as soon as the decision is final."""
    waiting = ProposedAction.objects.filter(case=happening.case, state=ActionState.APPROVED)
    jobs.schedule_all(list(waiting), at=happening.case.final_at, waits_for="the decision of its case to be final")
