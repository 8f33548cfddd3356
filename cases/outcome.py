"""What became of a case, and since when anybody outside may know."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from . import states
from .models import Case, CaseEvent

FELL_BACK = frozenset({CaseEvent.Kind.RECALLED, CaseEvent.Kind.REOPENED})


def is_final(case: Case, now: datetime) -> bool:
    """Whether the outcome may leave the house: decided, past the undo window, and every linked action at its end."""
    return case.final_at is not None and case.final_at <= now and case.open_actions == 0


def public_state(case: Case, now: datetime) -> str:
    """The state that callers see: a decision that may still be undone looks like a review that goes on."""
    if case.state in states.DECIDED and not is_final(case, now):
        return states.State.PENDING_REVIEW.value
    return case.state


def in_public_state(cases: QuerySet[Case], state: str, now: datetime) -> QuerySet[Case]:
    """The cases that callers see in ``state``: ``public_state`` as a condition, so that no filter tells more."""
    hidden = Q(state__in=states.DECIDED) & (Q(final_at__gt=now) | Q(open_actions__gt=0))
    if state == states.State.PENDING_REVIEW:
        return cases.filter(Q(state=state) | hidden)
    return cases.filter(~hidden, state=state)


def events_for_callers(events: Iterable[CaseEvent], case: Case, now: datetime) -> list[CaseEvent]:
    """The public ones of a case's ``events``, oldest first, without a decision that was undone or is not final yet."""
    kinds = CaseEvent.Kind
    shown: list[CaseEvent] = []
    for event in events:
        if event.kind == kinds.UNDONE:
            _drop_last(shown, kinds.DECIDED, kinds.DRAFT_REQUESTED)
        elif event.kind in FELL_BACK and str(event.data.get("trigger", "")).startswith("action_"):
            _drop_last(shown, kinds.DECIDED, kinds.AUTO_APPROVED)  # It never was final: an action came to nothing.
            shown.append(event)
        elif event.is_public:
            shown.append(event)
    if case.state in states.DECIDED and not is_final(case, now):
        _drop_last(shown, kinds.DECIDED, kinds.AUTO_APPROVED)
    return shown


def _drop_last(events: list[CaseEvent], *kinds: str) -> None:
    for index in reversed(range(len(events))):
        if events[index].kind in kinds:
            del events[index]
            return


def outcome_document(case: Case, now: datetime, actions: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
    """``{verdict, final_decision, final_answer, decided_by, decided_at, actions}``, or None until ``is_final``.

    ``actions`` are the case's, as ``details.details_of`` tells them: by then each is at its end.
    """
    if not is_final(case, now):
        return None
    return {
        "verdict": case.verdict,
        "final_decision": case.final_decision or None,
        "final_answer": final_answer(case),
        "decided_by": case.decided_by,
        "decided_at": case.decided_at,
        "actions": list(actions),
    }


def final_answer(case: Case) -> str | None:
    """The answer that took effect: the person's own, or the accepted draft; None where nothing takes effect."""
    if case.state not in (states.State.APPROVED, states.State.AUTO_APPROVED):
        return None
    if case.final_content_id:
        return case.final_content.text.get("final_answer")
    return case.current_draft.content.text.get("model_draft")
