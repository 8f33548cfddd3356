"""Storing what is to be done: with a case, in its transaction, or alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from cases.clock import db_now
from cases.models import Case, Content, Tenant, User
from cases.permissions import require

from ..binding import amount_text
from ..errors import UnknownAction
from ..facts import Asked, History, KnownType, action_types, asked_for, customer_history, impact_of
from ..models import ActionRevision, ProposedAction
from ..requests import check_request
from . import jobs
from .reading import case_context


@dataclass(frozen=True)
class Proposal:
    """An action as it came: ``sent`` parsed, ``raw`` as it was sent; ``case`` is None for one that stands alone."""

    tenant: Tenant
    case: Case | None
    sent: Mapping[str, Any]
    raw: Mapping[str, Any]


@transaction.atomic
def propose(tenant: Tenant, sent: Mapping[str, Any], raw: Mapping[str, Any], *, actor: User) -> ProposedAction:
    """An action without a case. Unlike one that comes with a case, it is refused where it could never run: there is
    nothing else to keep. Raises ``Denied``, ``UnknownAction``, ``ParamsInvalid``."""
    require(actor, "propose_action", tenant)
    known = action_types(tenant, {sent["action"]}).get(sent["action"])
    if known is None:
        raise UnknownAction("The tenant has no action type of this name in use.", pointer="/action")
    amount = sent.get("amount")
    check_request(
        known.action_type.schema,
        sent.get("params") or {},
        amount=None if amount is None else str(amount),
        currency=sent.get("currency") or None,
    )
    return propose_all([Proposal(tenant, None, sent, raw)], actor=actor, now=db_now())[0]


def propose_all(proposals: Sequence[Proposal], *, actor: User, now: datetime) -> list[ProposedAction]:
    """Store actions in the caller's transaction. They wait for their previews, and nothing runs before.

    Whatever authority the model claims in one stays a claim. They are of one tenant; the number of statements does not
    grow with theirs.
    """
    if not proposals:
        return []
    tenant = proposals[0].tenant
    asked = [_asked(proposal) for proposal in proposals]
    known = action_types(tenant, {one.name for one in asked})
    history = customer_history(tenant, asked, now=now)
    actions = [
        _action(proposal, one, known, history, actor=actor, now=now)
        for proposal, one in zip(proposals, asked, strict=True)
    ]
    revisions = [_revision(action, proposal) for action, proposal in zip(actions, proposals, strict=True)]
    Content.objects.bulk_create([action.content for action in actions] + [row.content for row in revisions])
    ProposedAction.create_all_as(actor, actions, "proposed")
    ActionRevision.objects.bulk_create(revisions)
    jobs.schedule_all(actions, at=now)
    return actions


def _asked(proposal: Proposal) -> Asked:
    case, sent = proposal.case, proposal.sent
    return asked_for(proposal.tenant, sent, case_context(case, bool(sent.get("customer_id"))))


def _action(
    proposal: Proposal,
    asked: Asked,
    known: Mapping[str, KnownType],
    history: History,
    *,
    actor: User,
    now: datetime,
) -> ProposedAction:
    impact = impact_of(asked, known, history)
    found = known.get(asked.name)
    return ProposedAction(
        tenant=proposal.tenant,
        case=proposal.case,
        action_type=found.action_type if found else None,
        name=asked.name,
        amount=asked.amount,
        currency=asked.currency,
        impact=impact.impact,
        required_approvals=impact.approvals,
        authority_code=impact.authority_code,
        may_run_alone=impact.may_run_alone,
        policy_version=found.action_type.policy_version if found else 0,
        decide_minutes=impact.decide_minutes,
        proposer=actor,
        proposed_at=now,
        expires_at=now + timedelta(minutes=impact.valid_minutes),
        content=_content(proposal, asked.customer, dict(proposal.raw)),
    )


def _revision(action: ProposedAction, proposal: Proposal) -> ActionRevision:
    sent = proposal.sent
    text = {
        "params": proposal.raw.get("params") or {},
        "amount": amount_text(action.amount, action.currency),
        "currency": action.currency or None,
        "customer_id": sent.get("customer_id") or None,
    }
    content = _content(proposal, action.content.customer_key, text)
    return ActionRevision(
        action=action,
        number=action.revision,
        author=action.proposer,
        at=action.proposed_at,
        content=content,
        content_digest=content.digest(),
    )


def _content(proposal: Proposal, customer: bytes | None, body: dict[str, Any]) -> Content:
    return Content(
        tenant=proposal.tenant,
        owner=Content.Owner.ACTION,
        case_id=proposal.case.pk if proposal.case else None,
        body=body,
        customer_key=customer,
    )
