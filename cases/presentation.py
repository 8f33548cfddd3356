"""Cases as the API shows them. What each reader may see is asked of ``permissions.fields_visible_to``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from .clock import db_now
from .details import details_of
from .evaluations import Status
from .models import Case, CaseEvent, User
from .models.drafts import RELEASE_PARTS
from .outcome import is_final, outcome_document, public_state
from .permissions import Rights, fields_visible_to
from .services.intake import Receipt
from .services.meanwhile import message_of, promise_for, told_meanwhile
from .states import State
from .veil import veiled_among

_VEIL = {"state": State.PENDING_REVIEW.value, "outcome": None, "actions": []}

FAULT_WORDS = {Status.LATE: "its evaluator was late", Status.FAILED: "its evaluator failed"}


def status_url(case: Case) -> str:
    return settings.PUBLIC_URL + reverse("api:case", args=[case.wire_id])


def review_url(case: Case) -> str:
    return settings.PUBLIC_URL + reverse("admin:feedback_review_work", args=[case.pk])


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    """The 201 of an intake: the triage, why a person, why this queue, and what to tell the customer meanwhile."""
    case, draft = receipt.case, receipt.draft
    deadline = receipt.answers.get("sla_deadline")
    return {
        "case_id": case.wire_id,
        "external_id": case.external_id or None,
        "state": public_state(case, draft.created_at),
        "route": draft.route,
        "risk_level": case.risk,
        "confidence": draft.confidence,
        "contributions": draft.contributions,
        "triggers": draft.triggers,
        "reason_for_escalation": draft.reason,
        "queue": receipt.answers.get("queue"),
        "queue_reason": receipt.answers.get("queue_reason"),
        "sla_deadline": deadline,
        "action_id": receipt.answers.get("action_id"),
        "interim_answer": told_meanwhile(case),
        "customer_message": message_of(case, promise_for(case, deadline), now=draft.created_at) if deadline else None,
        "status_url": status_url(case),
        "review_url": review_url(case),
    }


def case_documents(cases: Sequence[Case], actor: User) -> list[dict[str, Any]]:
    """These cases as they are now. An outcome is hidden until it is final (see ``outcome``), and from whom it is
    veiled: for them the case is under review."""
    now, details, rights = db_now(), details_of(cases, actor), Rights(actor)
    hidden = veiled_among(cases, actor)
    documents = {case.pk: _case_document(case, rights, now, details[case.pk]) for case in cases}
    return [document | _VEIL if key in hidden else document for key, document in documents.items()]


def _case_document(case: Case, rights: Rights, now: datetime, details: dict[str, Any]) -> dict[str, Any]:
    draft, visible = case.current_draft, fields_visible_to(rights.actor, case, rights)
    undecided = not is_final(case, now)
    document = {
        "case_id": case.wire_id,
        "external_id": case.external_id or None,
        "tenant_id": case.tenant.slug,
        "kind": case.kind,
        "domain": case.domain,
        "language": case.language,
        "risk_level": case.risk,
        "state": public_state(case, now),
        "in_review": bool(details.get("in_review")),
        "in_review_by": details.get("in_review_by"),
        "route": draft.route,
        "confidence": draft.confidence,
        "triggers": draft.triggers,
        "reason_for_escalation": draft.reason,
        "draft_number": draft.number,
        "queue": details.get("queue"),
        "queue_reason": details.get("queue_reason"),
        "sla_deadline": details.get("sla_deadline"),
        "sla_breached": bool(details.get("sla_breached")),
        "user_question": case.content.text.get("user_question"),
        "interim_answer": told_meanwhile(case) if undecided else None,
        "customer": customer_document(case, unmasked="customer" in visible),
        "outcome": outcome_document(case, now, details.get("actions", [])),
        "actions": details.get("actions", []),
        "opened_at": case.opened_at,
        "erased_at": case.content.erased_at,
        "tags": case.tags,
        "trace_id": case.trace_id or None,
        "release": {part: getattr(draft.release, part) or None for part in RELEASE_PARTS},
        "status_url": status_url(case),
        "review_url": review_url(case),
    }
    if "resume_token" in visible:
        document["resume_token"] = case.resume_token or None
    return document


def customer_document(case: Case, *, unmasked: bool) -> dict[str, str] | None:
    """The customer as sent, or with all but the first letters hidden."""
    customer = case.content.text.get("customer")
    if not customer or unmasked:
        return customer
    return {name: masked(str(value)) for name, value in customer.items() if value}


def masked(text: str) -> str:
    """``an•••`` for ``anna@example.com``: enough to tell two apart, not enough to write to anybody."""
    return f"{text[:2]}•••" if len(text) > 4 else "•••"


def reading_words(contribution: Mapping[str, Any]) -> str:
    """A contribution's reading for people, with what the caller claimed of a signal that is evaluated here."""
    words = FAULT_WORDS.get(contribution["reading"], contribution["reading"])
    claimed = contribution.get("claimed")
    return words if claimed is None else f"{words}, the caller claims {claimed:.2f}"


def event_document(event: CaseEvent, *, is_staff: bool) -> dict[str, Any]:
    """One line of the timeline. Callers see that a person acted; staff see who, and the note."""
    document = {"event_id": event.wire_id, "type": event.kind, "at": event.at, "data": event.data}
    document["by"] = str(event.actor) if is_staff else event.actor.kind
    if event.subject:
        document["subject"] = event.subject
    if is_staff and event.note:
        document["note"] = event.note.text.get("note")
    return document
