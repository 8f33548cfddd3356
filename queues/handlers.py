"""What queues do when something happens to a case: the event seam's receiver, in the same transaction."""

from typing import Any

from cases.models import CaseEvent
from cases.services.events import Happening
from cases.states import State

from .models import Entry
from .services import entries

K = CaseEvent.Kind
_COMES_BACK = {K.RECALLED, K.REOPENED}
_LEAVES = {K.DECIDED, K.WITHDRAWN, K.AUDITED}
_RESUMES = {K.DRAFT_RECEIVED, K.REDRAFT_OVERDUE}


def on_event(happening: Happening) -> dict[str, Any] | None:
    """Open, move, pause or close the case's entry; answers with the queue, its reason and the deadline."""
    case, draft, at, kind = happening.case, happening.draft, happening.event.at, happening.event.kind
    entry = None
    if kind == K.OPENED and case.state == State.PENDING_REVIEW:
        entry = entries.open_entry(case, draft, at=at)
    elif kind == K.AUTO_APPROVED and draft.is_sampled:
        entries.open_entry(case, draft, at=at, kind=Entry.Kind.AUDIT)
    elif kind in _COMES_BACK:
        entries.close_entry(case, at=at, end=kind)  # A sample's own entry, where the customer came first.
        entry = entries.open_entry(case, draft, at=at, came_back=True)
    elif kind == K.UNDONE:
        entry = entries.restore_entry(case, draft, at=at, to=happening.actor)
    elif kind == K.DRAFT_REQUESTED:
        entries.pause_entry(case, at=at, reason="Waiting for a new draft")
    elif kind in _RESUMES:
        entry = entries.resume_entry(case, draft, at=at)
    elif kind == K.ESCALATED:
        entry = entries.hurry(case)
    elif kind in _LEAVES:
        entries.close_entry(case, at=at, end=kind)
    if entry is None:
        return None
    return {"queue": entry.queue.slug, "queue_reason": entry.queue_reason, "sla_deadline": entry.due_at}
