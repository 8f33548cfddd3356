"""Storing what the AI wants done, and ending it when its case does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from cases import states as case_states
from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, User
from cases.models.people import system_actor
from cases.services.events import Occurrence, record, record_all
from cases.services.judging import customer_known
from cases.services.lifecycle import settle_action

from .. import states
from ..facts import KnownType, action_types, impact_of
from ..models import ProposedAction

BATCH = 200


@dataclass(frozen=True)
class Proposal:
    """An action that came with ``case``: ``sent`` parsed, ``raw`` as it was sent."""

    case: Case
    sent: Mapping[str, Any]
    raw: Mapping[str, Any]


def propose(
    case: Case, proposal: Mapping[str, Any], raw: Mapping[str, Any], *, actor: User, now: datetime
) -> ProposedAction:
    """``propose_all`` for one case."""
    return propose_all([Proposal(case, proposal, raw)], actor=actor, now=now)[0]


def propose_all(proposals: Sequence[Proposal], *, actor: User, now: datetime) -> list[ProposedAction]:
    """Store the cases' actions in the cases' own transaction. They wait for their previews, and nothing runs before.

    Whatever authority the model claims in one stays a claim. The cases are of one tenant.
    """
    if not proposals:
        return []
    known = action_types(proposals[0].case.tenant, {proposal.sent["action"] for proposal in proposals})
    actions = [_action(proposal, known, actor=actor, now=now) for proposal in proposals]
    Content.objects.bulk_create([action.content for action in actions])
    ProposedAction.create_all_as(actor, actions, "proposed")
    record_all(
        [
            Occurrence(action.case, {"action": action.name, "impact": action.impact}, subject=action.wire_id)
            for action in actions
        ],
        CaseEvent.Kind.ACTION_PENDING,
        actor,
        at=now,
    )
    return actions


def _action(proposal: Proposal, known: Mapping[str, KnownType], *, actor: User, now: datetime) -> ProposedAction:
    case, sent = proposal.case, proposal.sent
    impact = impact_of(sent, known, domain=case.domain, is_customer_known=customer_known(case.content.text))
    found = known.get(sent["action"])
    return ProposedAction(
        tenant=case.tenant,
        case=case,
        action_type=found.action_type if found else None,
        name=sent["action"],
        amount=sent.get("amount"),
        currency=sent.get("currency") or "",
        impact=impact.impact,
        required_approvals=impact.approvals,
        may_run_alone=impact.may_run_alone,
        proposer=actor,
        proposed_at=now,
        expires_at=now + timedelta(minutes=impact.valid_minutes),
        content=Content(tenant=case.tenant, owner=Content.Owner.ACTION, case_id=case.pk, body=dict(proposal.raw)),
    )


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
