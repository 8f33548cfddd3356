"""What became of a case, and since when anybody outside may know."""

from datetime import datetime
from typing import Any

from . import states
from .models import Case


def is_final(case: Case, now: datetime) -> bool:
    """Whether the outcome may leave the house: decided, past the undo window, and every linked action at its end."""
    return case.final_at is not None and case.final_at <= now and case.open_actions == 0


def public_state(case: Case, now: datetime) -> str:
    """The state that callers see: a decision that may still be undone looks like a review that goes on."""
    if case.state in states.DECIDED and not is_final(case, now):
        return states.State.PENDING_REVIEW.value
    return case.state


def outcome_document(case: Case, now: datetime) -> dict[str, Any] | None:
    """``{verdict, final_decision, final_answer, decided_by, decided_at}``, or None until ``is_final``."""
    if not is_final(case, now):
        return None
    return {
        "verdict": case.verdict,
        "final_decision": case.final_decision or None,
        "final_answer": final_answer(case),
        "decided_by": case.decided_by,
        "decided_at": case.decided_at,
    }


def final_answer(case: Case) -> str | None:
    """The answer that took effect: the person's own, or the accepted draft; None where nothing takes effect."""
    if case.state not in (states.State.APPROVED, states.State.AUTO_APPROVED):
        return None
    if case.final_content_id:
        return case.final_content.text.get("final_answer")
    return case.current_draft.content.text.get("model_draft")
