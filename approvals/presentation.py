"""Actions as the API shows them. What each reader may see is asked of ``visibility.fields_visible_to``."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.urls import reverse

from cases.ids import to_wire
from cases.models import Case, User
from cases.permissions import Rights

from .binding import amount_text
from .binding import to_wire as hash_to_wire
from .models import ActionRevision, ActionVote, ExecutionResult, ProposedAction
from .services import signing
from .services.reading import stored_payload
from .visibility import CONTENT, CUSTOMER, fields_visible_to


def status_url(action: ProposedAction) -> str:
    return settings.PUBLIC_URL + reverse("api:action", args=[action.wire_id])


def last_results(action_ids: Collection[UUID]) -> dict[UUID, ExecutionResult]:
    """Of each action that was sent to its executor the last thing said about it, in one query."""
    results = ExecutionResult.objects.filter(execution__in=action_ids).select_related("content")
    return {result.execution_id: result for result in results.order_by("execution", "-id").distinct("execution")}


def reference_of(result: ExecutionResult | None) -> str | None:
    """The executor's own reference of what it did, where it gave one."""
    detail = result.content.text.get("detail") if result else None
    return detail.get("reference") if isinstance(detail, dict) else None


def action_documents(
    actions: Sequence[ProposedAction], actor: User, *, with_payload: bool = False
) -> list[dict[str, Any]]:
    """These actions as they are now, in four queries however many they are.

    They come with ``tenant``, ``content``, ``proposer``, ``editor`` and ``current_preview__content``. ``with_payload``
    adds the bytes that are approved, as text.
    """
    keys, rights = [action.pk for action in actions], Rights(actor)
    revisions = {row.action_id: row for row in _revisions(keys)}
    votes: dict[UUID, list[ActionVote]] = defaultdict(list)
    for vote in ActionVote.objects.filter(action__in=keys).select_related("voter", "on_behalf_of").order_by("id"):
        votes[vote.action_id].append(vote)
    results = last_results(keys)
    return [
        _document(action, revisions[action.pk], votes[action.pk], results.get(action.pk), rights, with_payload)
        for action in actions
    ]


def _revisions(keys: Sequence[UUID]):
    of_now = ActionRevision.objects.filter(action__in=keys, number=F("action__revision"))
    return of_now.select_related("content")


def _document(
    action: ProposedAction,
    revision: ActionRevision,
    votes: Sequence[ActionVote],
    result: ExecutionResult | None,
    rights: Rights,
    with_payload: bool,
) -> dict[str, Any]:
    visible, counted = fields_visible_to(rights.actor, action, rights), signing.counted(action, votes)
    shown, whom = CONTENT in visible, CUSTOMER in visible
    document = {
        "action_id": action.wire_id,
        "tenant_id": action.tenant.slug,
        "case_id": to_wire(Case.PREFIX, action.case_id) if action.case_id else None,
        "action": action.name,
        "state": action.state,
        "revision": action.revision,
        "impact": action.impact,
        "required_approvals": action.required_approvals,
        "missing_approvals": signing.missing_of(action, counted),
        "signatures": [_signature(vote, rights.actor) for vote in counted],
        "authority_code": action.authority_code or None,
        "may_run_alone": action.may_run_alone,
        "amount": amount_text(action.amount, action.currency),
        "currency": action.currency or None,
        "params": revision.content.text.get("params") if shown else None,
        "customer_id": revision.content.text.get("customer_id") if whom else None,
        "policy_basis": action.content.text.get("policy_basis") if shown else None,
        "payload_hash": hash_to_wire(action.payload_hash) if shown else None,
        "preview": _preview(action, revision) if shown else None,
        "problem": (action.problem or None) if shown else None,
        "result": _result(result) if shown else None,
        "proposed_by": _name(action.proposer, rights.actor),
        "edited_by": _name(action.editor, rights.actor) if action.editor else None,
        "proposed_at": action.proposed_at,
        "decide_by": action.decide_by,
        "approved_at": action.approved_at,
        "expires_at": action.expires_at,
        "status_url": status_url(action),
    }
    if with_payload:
        stored = stored_payload(action) if shown and whom else None
        document["payload"] = stored.decode() if stored is not None else None
    return document


def _name(user: User, reader: User) -> str:
    """People learn who acted; a service account that a person did."""
    return str(user) if reader.is_person or user.pk == reader.pk else user.kind


def _signature(vote: ActionVote, reader: User) -> dict[str, Any]:
    stood_in_for = _name(vote.on_behalf_of, reader) if vote.on_behalf_of else None
    return {"by": _name(vote.voter, reader), "on_behalf_of": stood_in_for, "at": vote.at}


def _preview(action: ProposedAction, revision: ActionRevision) -> dict[str, Any] | None:
    """What the dry run of the present wording said; None while it is still to come."""
    preview = action.current_preview
    if preview is None or preview.revision_id != revision.pk:
        return None
    text = preview.content.text
    return {"binding": text.get("binding"), "info": text.get("info"), "at": preview.at}


def _result(result: ExecutionResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    text = result.content.text
    return {
        "state": result.state,
        "source": result.source,
        "reference": reference_of(result),
        "cause": text.get("cause") or None,
        "at": result.at,
    }
