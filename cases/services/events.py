"""Recording what happened: the events, their deliveries and the handlers above, all in the caller's transaction.

One event or a thousand take the same way and the same number of statements: ``record_all`` is the rule, ``record`` is
a list of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from ..clock import db_now
from ..event_bodies import OUTCOME_KINDS
from ..history import current_request
from ..models import Case, CaseEvent, Content, Delivery, Draft, Tenant, User, WebhookEndpoint
from ..nudges import SWEEP_DELIVERIES, nudge


@dataclass(frozen=True)
class Happening:
    """What a handler is told: the event, its case, the draft that it is about and what the caller sent."""

    event: CaseEvent
    case: Case
    draft: Draft
    actor: User
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Occurrence:
    """What is to be recorded of ``case``. ``note`` is a person's free text; ``data`` holds codes and numbers only."""

    case: Case
    data: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    subject: str = ""
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
    occurrence = Occurrence(case, data, note=note, subject=subject, payload=payload or {})
    return record_all([occurrence], kind, actor, at=at or db_now()).get(case.pk, {})


def record_all(
    occurrences: Sequence[Occurrence], kind: CaseEvent.Kind, actor: User, *, at: datetime
) -> dict[UUID, dict[str, Any]]:
    """``record`` for many cases at once: returns per case the fields that the handlers answer."""
    if not occurrences:
        return {}
    notes = [_note(occurrence) for occurrence in occurrences]
    Content.objects.bulk_create([note for note in notes if note])
    events = [
        _event(one.case.tenant, kind, actor, at, case=one.case, note=note, subject=one.subject, data=dict(one.data))
        for one, note in zip(occurrences, notes, strict=True)
    ]
    _append(events)
    happenings = [
        Happening(event, one.case, one.case.current_draft, actor, one.payload)
        for event, one in zip(events, occurrences, strict=True)
        if one.case.purpose != Case.Purpose.PROBE  # The rooms above know nothing of the switch's test of itself.
    ]
    if not happenings:
        return {}
    answers: dict[UUID, dict[str, Any]] = {}
    for handler in _handlers():
        for case_id, fields in handler(happenings).items():
            answers.setdefault(case_id, {}).update(fields)
    return answers


def record_for(
    tenant: Tenant | None,
    kind: CaseEvent.Kind,
    actor: User,
    *,
    subject: str = "",
    note: str = "",
    at: datetime | None = None,
    **data: Any,
) -> CaseEvent:
    """Append an event that belongs to no case: a stop, an export, an action that stands alone."""
    content = None
    if note:
        content = Content(tenant=tenant, owner=Content.Owner.EVENT, body={"note": note})
        content.save(force_insert=True)
    event = _event(tenant, kind, actor, at or db_now(), note=content, subject=subject, data=data)
    _append([event])
    return event


def _note(occurrence: Occurrence) -> Content | None:
    if not occurrence.note:
        return None
    case = occurrence.case
    return Content(tenant=case.tenant, owner=Content.Owner.EVENT, case_id=case.pk, body={"note": occurrence.note})


def _event(tenant, kind, actor, at, *, case=None, note=None, subject="", data) -> CaseEvent:
    return CaseEvent(
        tenant=tenant,
        case=case,
        subject=subject,
        kind=kind,
        actor=actor,
        at=at,
        data=data,
        note=note,
        note_digest=note.digest() if note else None,
        request_id=current_request(),
    )


def _append(events: Sequence[CaseEvent]) -> None:
    CaseEvent.objects.bulk_create(events)
    public = [
        event for event in events if event.is_public and not (event.case and event.case.purpose != Case.Purpose.REAL)
    ]
    if public:
        _queue_deliveries(public)


def _queue_deliveries(events: Sequence[CaseEvent]) -> None:
    endpoints = WebhookEndpoint.objects.filter(is_active=True)
    if all(event.tenant_id for event in events):
        endpoints = endpoints.filter(tenant__in={event.tenant_id for event in events})
    deliveries = [
        _delivery(event, endpoint)
        for endpoint in endpoints
        for event in events
        if event.tenant_id in (None, endpoint.tenant_id) and (not endpoint.kinds or event.kind in endpoint.kinds)
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries)
        transaction.on_commit(nudge_deliveries)


def _delivery(event: CaseEvent, endpoint: WebhookEndpoint) -> Delivery:
    """An outcome waits until it is final and its actions have ended; a request for a draft, for the undo window."""
    is_outcome = event.kind in OUTCOME_KINDS
    due = event.at
    if is_outcome:
        due = max(due, event.case.final_at)
    elif event.kind == CaseEvent.Kind.DRAFT_REQUESTED:
        due += timedelta(seconds=event.tenant.undo_seconds)
    return Delivery(
        event=event, endpoint=endpoint, next_attempt_at=due, is_held=is_outcome and event.case.open_actions > 0
    )


def nudge_deliveries() -> None:
    """Wake a worker. Only a hint: a lost one costs the seconds until the next sweep."""
    nudge(SWEEP_DELIVERIES)
