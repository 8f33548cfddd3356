"""What happens to a case besides reviews: withdrawal, recall, reopening, a wish for a person, late drafts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ..clock import db_now
from ..errors import IllegalState
from ..models import Case, CaseEvent, Delivery, User
from ..models.people import system_actor
from ..outcome import is_final
from ..permissions import require
from ..states import OPEN, State
from .decisions import cancel_outcome, forget_decision
from .events import nudge_deliveries, record


class NotOpen(IllegalState):
    code = "case_not_open"


class NotDecided(IllegalState):
    code = "case_not_decided"


class TextsErased(IllegalState):
    code = "case_texts_erased"


def locked(case_id: UUID) -> Case:
    """The case under its row lock, which everything that changes it takes first.

    ``no_key``: rows that only point at the case (an event, a claim) are written without waiting for it. Otherwise a
    claim or a sweep that holds the entry would wait here for somebody who waits for the entry.

    First the lock, then the reading, in two statements: after a wait PostgreSQL looks again at the locked row alone,
    and a join to the draft that it had before would find nothing.
    """
    Case.objects.select_for_update(no_key=True).only("pk").get(pk=case_id)
    return Case.objects.with_text().get(pk=case_id)


@transaction.atomic
def withdraw(case_id: UUID, *, actor: User, reason: str = "") -> Case:
    """The caller cancels; only while people have not decided."""
    case = locked(case_id)
    require(actor, "withdraw_case", case.tenant)
    if case.state not in OPEN:
        raise NotOpen("This case is decided and cannot be withdrawn. Ask for it to be reopened instead.")
    case.withdraw()
    case.redraft_by = None
    case.save_as(actor, "withdrawn")
    record(case, CaseEvent.Kind.WITHDRAWN, actor, note=reason)
    return case


@transaction.atomic
def reopen(case_id: UUID, *, actor: User, reason: str) -> Case:
    """An appeal: a decided case goes back to people, an automatic approval is recalled. The old outcome stays."""
    case = locked(case_id)
    require(actor, "reopen_case", case.tenant)
    if case.content.is_erased:
        raise TextsErased("Its texts were erased: nobody could decide it again. Send a new case. Nothing was changed.")
    if case.state == State.AUTO_APPROVED:
        return _return_to_people(case, CaseEvent.Kind.RECALLED, actor, note=reason)
    if case.state in (State.APPROVED, State.REJECTED) and is_final(case, db_now()):
        return _return_to_people(case, CaseEvent.Kind.REOPENED, actor, note=reason)
    raise NotDecided("Only a case whose decision is final can be reopened. Before that, undo the decision.")


@transaction.atomic
def escalate(case_id: UUID, *, actor: User, note: str = "") -> Case:
    """The customer wants a person. An automatic approval is recalled; a case that waits already just says so."""
    case = locked(case_id)
    require(actor, "submit_case", case.tenant)
    if case.content.is_erased:
        raise TextsErased("Its texts were erased: nobody could decide it again. Send a new case. Nothing was changed.")
    if case.state == State.AUTO_APPROVED:
        return _return_to_people(case, CaseEvent.Kind.RECALLED, actor, note=note, trigger="user_escalation")
    if case.state not in OPEN:
        raise NotOpen("A person has decided this case already. Ask for it to be reopened instead.")
    record(case, CaseEvent.Kind.ESCALATED, actor, note=note)
    return case


def recall(case: Case, *, actor: User, now: datetime, trigger: str, **data: Any) -> None:
    """An automatic approval goes to people after all, in the caller's transaction; ``trigger`` is the code that says
    why."""
    _return_to_people(case, CaseEvent.Kind.RECALLED, actor, at=now, trigger=trigger, **data)


def overturn(case: Case, *, actor: User, now: datetime) -> None:
    """A person looked at a sampled automatic approval and disagrees: it waits again, in the caller's transaction."""
    recall(case, actor=actor, now=now, trigger="audit_overturned")


def reopen_after_look(case: Case, *, actor: User, now: datetime) -> None:
    """Somebody looked at a decision again and disagrees: the case waits again, in the caller's transaction."""
    _return_to_people(case, CaseEvent.Kind.REOPENED, actor, at=now, trigger="second_look")


def _return_to_people(case: Case, kind: CaseEvent.Kind, actor: User, **details) -> Case:
    if kind == CaseEvent.Kind.RECALLED:
        case.recall()
    else:
        case.reopen()
    forget_decision(case)
    case.save_as(actor, kind.label.lower())
    record(case, kind, actor, **details)
    return case


def resume_overdue_redrafts(*, limit: int = 500) -> int:
    """Cases whose new draft did not come in time go back to a person; returns how many. Safe to run twice at once."""
    now = db_now()
    count = 0
    overdue = Case.objects.filter(state=State.NEEDS_EDIT, redraft_by__lt=now).values_list("pk", flat=True)
    for case_id in list(overdue.order_by("redraft_by")[:limit]):
        with transaction.atomic():
            case = (
                Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
                .with_text()
                .filter(pk=case_id, state=State.NEEDS_EDIT, redraft_by__lt=now)
                .first()
            )
            if case is None:
                continue
            case.resume_review()
            case.redraft_by = None
            case.save_as(system_actor(), "no new draft in time")
            record(case, CaseEvent.Kind.REDRAFT_OVERDUE, system_actor(), at=now)
            count += 1
    return count


def fall_back(case: Case, *, actor: User, now: datetime, trigger: str) -> None:
    """What a decided case counted on will not happen: it waits for a person again, in the caller's transaction, while
    nobody outside has heard of the decision. ``trigger`` says why. A case that people have not decided stays as it is.
    """
    if case.state not in (State.APPROVED, State.AUTO_APPROVED):
        return
    cancel_outcome(case)
    kind = CaseEvent.Kind.RECALLED if case.state == State.AUTO_APPROVED else CaseEvent.Kind.REOPENED
    _return_to_people(case, kind, actor, at=now, trigger=trigger)


def settle_action(case: Case, actor: User) -> None:
    """One linked action has reached its end, in the caller's transaction: the last one releases the outcome."""
    case.open_actions -= 1
    case.save_as(actor, "linked action ended")
    if case.open_actions == 0 and Delivery.objects.filter(event__case=case, is_held=True).update(is_held=False):
        transaction.on_commit(nudge_deliveries)
