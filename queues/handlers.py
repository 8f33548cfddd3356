"""What queues do when something happens to cases: the event seam's receiver, in the same transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import CaseEvent
from cases.services.events import Happening
from cases.states import State

from .models import Entry
from .services import entries
from .services.entries import Arrival

K = CaseEvent.Kind
_COMES_BACK = {K.RECALLED, K.REOPENED}
_LEAVES = {K.DECIDED, K.WITHDRAWN, K.AUDITED, K.LOOKED_AGAIN}
_RESUMES = {K.DRAFT_RECEIVED, K.REDRAFT_OVERDUE}


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """Open, move, pause or close the cases' entries; per case its queue, the reason and the deadline.

    New cases are taken in together, however many there are; what happens to a known case is done one by one, under
    the lock of its entry.
    """
    at = happenings[0].event.at  # What is told together happened together.
    arrivals = [Arrival(h.case, h.draft) for h in happenings if _waits(h)]
    samples = [Arrival(h.case, h.draft, kind=Entry.Kind.AUDIT) for h in happenings if _is_sampled(h)]
    opened = entries.open_entries([*arrivals, *samples], at=at)[: len(arrivals)]  # A sample's entry is not told.
    moved = [entry for happening in happenings if (entry := _move(happening))]
    return {
        entry.case_id: {"queue": entry.queue.slug, "queue_reason": entry.queue_reason, "sla_deadline": entry.due_at}
        for entry in (*opened, *moved)
    }


def _waits(happening: Happening) -> bool:
    return happening.event.kind == K.OPENED and happening.case.state == State.PENDING_REVIEW


def _is_sampled(happening: Happening) -> bool:
    return happening.event.kind == K.AUTO_APPROVED and happening.draft.is_sampled


def _move(happening: Happening) -> Entry | None:
    """What an event does to a case that is known already; the entry where its reader learns of it."""
    case, draft, at, kind = happening.case, happening.draft, happening.event.at, happening.event.kind
    if kind in _COMES_BACK:
        entries.close_entry(case, at=at, end=kind)  # A sample's own entry, where the customer came first.
        entry = entries.open_entry(case, draft, at=at, came_back=True)
        if kind == K.REOPENED and not str(happening.event.data.get("trigger", "")).startswith("action_"):
            entries.keep_out_deciders(entry)
        return entry
    if kind == K.UNDONE:
        return entries.restore_entry(case, draft, at=at, to=happening.actor)
    if kind in _RESUMES:
        return entries.resume_entry(case, draft, at=at)
    if kind == K.ESCALATED:
        return entries.hurry(case)
    if kind == K.DRAFT_REQUESTED:
        entries.pause_entry(case, at=at, reason="Waiting for a new draft")
    elif kind in _LEAVES:
        entries.close_entry(case, at=at, end=kind)
    return None
