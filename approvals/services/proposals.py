"""Storing what the AI wants done, and ending it when its case does."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from cases import states as case_states
from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, User
from cases.models.people import system_actor
from cases.services.events import record
from cases.services.lifecycle import settle_action

from .. import states
from ..facts import judge
from ..models import ProposedAction

BATCH = 200


def propose(
    case: Case, proposal: Mapping[str, Any], raw: Mapping[str, Any], *, actor: User, now: datetime
) -> ProposedAction:
    """Store a case's action in the case's own transaction. It waits for its preview, and nothing runs before.

    ``proposal`` is parsed, ``raw`` as it was sent. Whatever authority the model claims in it stays a claim.
    """
    action_type, impact = judge(
        case.tenant, proposal, domain=case.domain, customer_known=case.content.customer_key is not None
    )
    content = Content(tenant=case.tenant, owner=Content.Owner.ACTION, case_id=case.pk, body=dict(raw))
    content.save(force_insert=True)
    action = ProposedAction(
        tenant=case.tenant,
        case=case,
        action_type=action_type,
        name=proposal["action"],
        amount=proposal.get("amount"),
        currency=proposal.get("currency") or "",
        impact=impact.impact,
        required_approvals=impact.approvals,
        may_run_alone=impact.may_run_alone,
        proposer=actor,
        proposed_at=now,
        expires_at=now + timedelta(minutes=impact.valid_minutes),
        content=content,
    )
    action.save_as(actor, "proposed", force_insert=True)
    record(
        case,
        CaseEvent.Kind.ACTION_PENDING,
        actor,
        at=now,
        subject=action.wire_id,
        action=action.name,
        impact=action.impact,
    )
    return action


def end_actions(case: Case, *, actor: User, now: datetime) -> int:
    """Cancel the actions of a locked case that ended without approval; returns how many."""
    count = 0
    waiting = case.actions.filter(state__in=states.BEFORE_EXECUTION).select_for_update(of=("self",)).order_by("id")
    for action in waiting.select_related("content"):
        action.cancel()
        action.save_as(actor, "its case ended without approval")
        record(case, CaseEvent.Kind.ACTION_CANCELLED, actor, at=now, subject=action.wire_id, action=action.name)
        settle_action(case, actor)
        count += 1
    return count


def sweep_ended_cases(*, limit: int = BATCH) -> int:
    """Cancel the actions of cases whose rejection has become final; returns how many. Until then it can be undone."""
    now = db_now()
    ended = Q(state=case_states.State.REJECTED, final_at__lte=now) | Q(state=case_states.State.WITHDRAWN)
    count = 0
    for case_id in list(Case.objects.filter(ended, open_actions__gt=0).values_list("pk", flat=True)[:limit]):
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
