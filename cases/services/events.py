"""Recording what happened: the event, its deliveries and the handlers above, all in the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from ..clock import db_now
from ..models import Case, CaseEvent, Content, Delivery, Draft, Tenant, User, WebhookEndpoint

# A decision's own event waits until it can no longer be undone and its actions have ended.
OUTCOME_EVENTS = frozenset({CaseEvent.Kind.DECIDED, CaseEvent.Kind.AUTO_APPROVED})


@dataclass(frozen=True)
class Happening:
    """What a handler is told: the event, its case, the draft that it is about and what the caller sent."""

    event: CaseEvent
    case: Case
    draft: Draft
    actor: User
    payload: Mapping[str, Any] = field(default_factory=dict)


@cache
def _handlers() -> tuple:
    return tuple(import_string(path) for path in settings.CASE_EVENT_HANDLERS)


def record(
    case: Case,
    kind: CaseEvent.Kind,
    actor: User,
    *,
    at: datetime | None = None,
    note: str = "",
    payload: Mapping[str, Any] | None = None,
    subject: str = "",
    **data: Any,
) -> dict[str, Any]:
    """Append an event of ``case``, queue its deliveries and tell the handlers; returns the fields that they answer.

    ``note`` is free text of a person and rests in erasable content; ``data`` is codes and numbers only.
    """
    at = at or db_now()
    content = None
    if note:
        content = Content(tenant=case.tenant, owner=Content.Owner.EVENT, case_id=case.pk, body={"note": note})
        content.save(force_insert=True)
    event = _append(case.tenant, kind, actor, at, case=case, note=content, subject=subject, data=data)
    happening = Happening(event, case, case.current_draft, actor, payload or {})
    answers: dict[str, Any] = {}
    for handler in _handlers():
        answers |= handler(happening) or {}
    return answers


def record_for(
    tenant: Tenant | None, kind: CaseEvent.Kind, actor: User, *, subject: str = "", **data: Any
) -> CaseEvent:
    """Append an event that belongs to no case: a stop, an export."""
    return _append(tenant, kind, actor, db_now(), subject=subject, data=data)


def _append(tenant, kind, actor, at, *, case=None, note=None, subject="", data) -> CaseEvent:
    event = CaseEvent(
        tenant=tenant,
        case=case,
        subject=subject,
        kind=kind,
        actor=actor,
        at=at,
        data=data,
        note=note,
        note_digest=note.digest() if note else None,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64],
    )
    event.save(force_insert=True)
    if event.is_public and not (case and case.purpose != Case.Purpose.REAL):
        _queue_deliveries(event)
    return event


def _queue_deliveries(event: CaseEvent) -> None:
    waits = event.kind in OUTCOME_EVENTS
    endpoints = WebhookEndpoint.objects.filter(is_active=True)
    if event.tenant_id:
        endpoints = endpoints.filter(tenant=event.tenant_id)
    deliveries = [
        Delivery(
            event=event,
            endpoint=endpoint,
            next_attempt_at=max(event.at, event.case.final_at) if waits else event.at,
            is_held=waits and event.case.open_actions > 0,
        )
        for endpoint in endpoints
        if not endpoint.kinds or event.kind in endpoint.kinds
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        transaction.on_commit(nudge_deliveries)


def nudge_deliveries() -> None:
    """Wake a worker. Only a hint: a lost one costs the seconds until the next sweep."""
    from ..tasks import nudge, sweep_deliveries

    nudge(sweep_deliveries)
