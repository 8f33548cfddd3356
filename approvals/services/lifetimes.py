"""The ends that nobody decides: time runs out, or the case ends without approval."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from cases import states as case_states
from cases.clock import db_now
from cases.models import Case, CaseEvent, User
from cases.models.people import system_actor

from .. import states
from ..models import ProposedAction
from . import happenings, reading

BATCH = 200


def expire(action: ProposedAction, *, now: datetime) -> None:
    """End a locked action whose time to live is over."""
    action.expire()
    happenings.end(action, CaseEvent.Kind.ACTION_EXPIRED, system_actor(), at=now)


def expire_due(*, limit: int = BATCH) -> int:
    """End the actions whose time to live is over; returns how many. Safe to run twice at once."""
    now = db_now()
    due = ProposedAction.objects.filter(state__in=states.BEFORE_EXECUTION, expires_at__lte=now)
    count = 0
    for action_id in list(due.order_by("expires_at").values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            action = reading.locked(action_id)
            if action.state in states.BEFORE_EXECUTION and action.expires_at <= now:
                expire(action, now=now)
                count += 1
    return count


def end_actions(case: Case, *, actor: User, now: datetime, why: str = "its case ended without approval") -> int:
    """Cancel the actions of a locked case that ended without approval, or another ``why``; returns how many."""
    count = 0
    waiting = case.actions.filter(state__in=states.BEFORE_EXECUTION).select_for_update(of=("self",)).order_by("id")
    for action in waiting.select_related("content"):
        action.case = case
        action.cancel()
        happenings.end(action, CaseEvent.Kind.ACTION_CANCELLED, actor, at=now, why=why)
        count += 1
    return count


def sweep_ended_cases(*, limit: int = BATCH) -> int:
    """Cancel the actions of cases whose rejection has become final; returns how many. Until then it can be undone."""
    now = db_now()
    ended = Q(state=case_states.State.REJECTED, final_at__lte=now) | Q(state=case_states.State.WITHDRAWN)
    count = 0
    for case_id in list(
        Case.objects.filter(ended, open_actions__gt=0, actions__state__in=states.BEFORE_EXECUTION)
        .values_list("pk", flat=True)
        .distinct()[:limit]
    ):
        with transaction.atomic():
            case = (
                Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
                .select_related("tenant", "current_draft")
                .filter(ended, pk=case_id, open_actions__gt=0)
                .first()
            )
            if case:
                count += end_actions(case, actor=system_actor(), now=now)
    return count
