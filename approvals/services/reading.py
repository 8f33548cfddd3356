"""Actions under their locks, and the document that their rows make at this moment."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cases.clock import db_now
from cases.models import Case
from cases.services import lifecycle
from cases.services.judging import customer_known

from .. import binding
from ..facts import Asked, KnownType, asked_for, customer_history, impact_of, rules_of
from ..impact import Impact
from ..models import ActionRevision, ProposedAction
from .types import executor_part


def locked(action_id: UUID) -> ProposedAction:
    """The action under its row lock; its case's lock is taken first, as everywhere, so that nobody waits in a circle.

    First the locks, then the reading: see ``lifecycle.locked``. Raises ``ProposedAction.DoesNotExist``.
    """
    case_id = ProposedAction.objects.values_list("case_id", flat=True).get(pk=action_id)
    case = lifecycle.locked(case_id) if case_id else None
    ProposedAction.objects.select_for_update(no_key=True).only("pk").get(pk=action_id)
    action = _with_rows().get(pk=action_id)
    if case:
        action.case = case
    return action


def read(action_id: UUID) -> ProposedAction:
    """The action as it is, without a lock."""
    return _with_rows().get(pk=action_id)


def _with_rows():
    return ProposedAction.objects.select_related(
        "tenant", "action_type", "content", "current_preview__content", "case__tenant", "proposer", "editor"
    )


def revision_of(action: ProposedAction) -> ActionRevision:
    """The wording that stands now."""
    return ActionRevision.objects.select_related("content", "author").get(action=action, number=action.revision)


def request_document(action: ProposedAction, revision: ActionRevision) -> dict[str, Any]:
    """What a dry run of the action is told."""
    return binding.request_document(
        action_id=action.wire_id,
        revision=action.revision,
        tenant=action.tenant.slug,
        action=action.name,
        params=revision.content.text.get("params", {}),
        amount=binding.amount_text(action.amount, action.currency),
        currency=action.currency or None,
        customer_id=revision.content.text.get("customer_id"),
        executor=executor_part(action.action_type),
    )


def payload_document(
    action: ProposedAction, revision: ActionRevision, held: Mapping[str, Any], nonce: str
) -> dict[str, Any]:
    """What is approved: the request, what the dry run must still say (``held``), and what the policy demands.

    Built from the rows as they are now, so that it differs from what was approved wherever any of them was changed.
    """
    return request_document(action, revision) | {
        "proposer": str(action.proposer_id),
        "binding": held,
        "policy": {
            "version": action.action_type.policy_version,
            "impact": action.impact,
            "approvals": action.required_approvals,
            "authority": action.authority_code,
            "may_run_alone": action.may_run_alone,
        },
        "expires_at": binding.instant(action.expires_at),
        "nonce": nonce,
    }


def stands(action: ProposedAction) -> bool:
    """Whether the rows still make the bytes that stand on the action, and the rules still judge it as they did.

    Rows that contradict each other, as only somebody with the database's password leaves them, make nothing.
    """
    stored = stored_payload(action)
    if stored is None or binding.payload_hash(stored) != bytes(action.payload_hash or b""):
        return False
    revision = ActionRevision.objects.select_related("content").filter(action=action, number=action.revision).first()
    if revision is None or action.action_type is None:
        return False
    text = action.current_preview.content.text
    document = payload_document(action, revision, text.get("binding", {}), text.get("nonce", ""))
    return binding.payload(document) == stored and not has_moved(action, judge(action, revision))


def stored_payload(action: ProposedAction) -> bytes | None:
    """The bytes that were shown and are approved; None before the first preview and after an erasure."""
    preview = action.current_preview
    found = preview.content.text.get("payload") if preview else None
    return found.encode() if isinstance(found, str) else None


def judge(action: ProposedAction, revision: ActionRevision) -> Impact:
    """The impact of the action as it is asked for now, by the rules as they are now."""
    known = {}
    if action.action_type and action.action_type.is_active:
        known[action.name] = KnownType(action.action_type, rules_of([action.action_type])[action.action_type_id])
    asked = asked_now(action, revision)
    return impact_of(asked, known, customer_history(action.tenant, [asked], now=db_now()))


def asked_now(action: ProposedAction, revision: ActionRevision) -> Asked:
    sent = {
        "action": action.name,
        "amount": action.amount,
        "currency": action.currency,
        "customer_id": revision.content.text.get("customer_id"),
        "requires_approval": action.content.text.get("requires_approval"),
    }
    return asked_for(action.tenant, sent, case_context(action.case, bool(sent["customer_id"])))


def case_context(case: Case | None, is_customer_named: bool) -> dict[str, Any]:
    """What the impact rules may know of the case; of an action without one, only whether the customer is named."""
    if case is None:
        return {"kind": "decision", "domain": "", "customer_known": is_customer_named}
    return context_of(case, case.content.text)


def context_of(case: Case, text: Mapping[str, Any]) -> dict[str, Any]:
    """``case_context`` by the case's ``text``, of which only the customer counts."""
    return {
        "kind": "decision",
        "domain": case.domain,
        "language": case.language,
        "risk": str(case.risk),
        "tags": list(case.tags),
        "customer_known": customer_known(text),
    }


def has_moved(action: ProposedAction, impact: Impact) -> bool:
    """Whether the rules now demand something else than what stands on the action."""
    return (impact.impact, impact.approvals, impact.authority_code, impact.may_run_alone) != (
        action.impact,
        action.required_approvals,
        action.authority_code,
        action.may_run_alone,
    )
