"""What a decision does to a case. Called by the rooms above with the case locked; they say who may."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..event_bodies import OUTCOME_KINDS
from ..models import Case, CaseEvent, Content, Delivery, User
from ..states import State
from ..vocabulary import Verdict
from .events import record


@dataclass(frozen=True)
class Decision:
    """A person's verdict with the texts and codes that it put in the AI's place."""

    verdict: Verdict
    final_decision: str = ""
    content: Content | None = None
    reason_code: str = ""


def decide(case: Case, decision: Decision, *, actor: User, now: datetime) -> None:
    """Move ``case`` by a person's decision and record it. Final after the tenant's undo window."""
    match decision.verdict:
        case Verdict.ACCEPT | Verdict.EDIT:
            case.approve()
        case Verdict.REJECT:
            case.reject()
        case Verdict.NEEDS_EDIT:
            return _ask_for_draft(case, decision, actor=actor, now=now)
    case.verdict = decision.verdict
    case.final_decision = decision.final_decision
    case.final_content = decision.content if decision.verdict == Verdict.EDIT else None
    case.decided_by = Case.DecidedBy.HUMAN
    case.decided_at = now
    case.final_at = now + timedelta(seconds=case.tenant.undo_seconds)
    case.save_as(actor, f"review: {decision.verdict}")
    record(
        case,
        CaseEvent.Kind.DECIDED,
        actor,
        at=now,
        verdict=decision.verdict,
        final_decision=decision.final_decision,
        reason_code=decision.reason_code,
    )


def _ask_for_draft(case: Case, decision: Decision, *, actor: User, now: datetime) -> None:
    case.ask_for_draft()
    case.redraft_by = now + timedelta(minutes=case.tenant.redraft_minutes)
    case.save_as(actor, "review: needs_edit")
    record(case, CaseEvent.Kind.DRAFT_REQUESTED, actor, at=now, reason_code=decision.reason_code)


def forget_decision(case: Case) -> None:
    """Empty what a decision had written; the transition itself is the caller's."""
    case.verdict = case.final_decision = case.decided_by = ""
    case.final_content = case.decided_at = case.final_at = case.redraft_by = None


def undo(case: Case, *, actor: User, now: datetime) -> None:
    """Take back a decision that is not final: the case waits again, and what was about to be sent is cancelled."""
    if case.state == State.NEEDS_EDIT:
        case.resume_review()
    else:
        case.reopen()
    forget_decision(case)
    case.save_as(actor, "decision undone")
    cancel_outcome(case)
    record(case, CaseEvent.Kind.UNDONE, actor, at=now)


def cancel_outcome(case: Case) -> None:
    """What was about to be sent of a decision that no longer stands is not sent."""
    Delivery.objects.filter(
        event__case=case,
        event__kind__in=[*OUTCOME_KINDS, CaseEvent.Kind.DRAFT_REQUESTED],
        state=Delivery.State.PENDING,
        attempts=0,
    ).update(state=Delivery.State.CANCELLED)
