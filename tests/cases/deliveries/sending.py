"""Cases whose events are sent, and what the tests do with them."""

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, Delivery, Draft, Release, Tenant, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import decisions, deliveries, events, lifecycle
from cases.services.decisions import Decision
from cases.signing import new_secret
from cases.vocabulary import Verdict
from tests.cases.receiver import Receiver


def add_endpoint(tenant: Tenant, url: str, **fields: Any) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(tenant=tenant, url=url, **{"secret": new_secret(), **fields})
    endpoint.save_as(system_actor())
    return endpoint


@transaction.atomic
def open_case(tenant: Tenant, **fields: Any) -> Case:
    """A case that waits for a person."""
    now = db_now()
    content = Content(tenant=tenant, owner=Content.Owner.CASE, body={"user_question": "Refund after 40 days?"})
    text = Content(tenant=tenant, owner=Content.Owner.DRAFT, body={"model_draft": "Yes."})
    release, _ = Release.objects.get_or_create(tenant=tenant, defaults={"first_seen_at": now})
    case = Case(
        tenant=tenant,
        intake_digest=b"",
        kind="answer",
        domain="billing",
        language="en",
        risk="low",
        state="pending_review",
        content=content,
        caller=system_actor(),
        opened_at=now,
        **fields,
    )
    draft = Draft(
        tenant=tenant,
        case=case,
        number=1,
        release=release,
        confidence=0.5,
        route="quick_review",
        threshold=0.95,
        content=text,
        content_digest=b"",
        created_at=now,
    )
    case.current_draft = draft
    content.save(force_insert=True)
    text.save(force_insert=True)
    case.save_as(system_actor(), force_insert=True)
    draft.save(force_insert=True)
    return case


@transaction.atomic
def record(case: Case, kind: CaseEvent.Kind, **data: Any) -> CaseEvent:
    events.record(case, kind, system_actor(), **data)
    return CaseEvent.objects.filter(case=case).latest("id")


@transaction.atomic
def decide(case: Case, *, at: datetime | None = None) -> Case:
    """A person accepts; as things were a minute ago unless ``at`` says otherwise, so that the undo window is over."""
    case = lifecycle.locked(case.pk)
    at = at or db_now() - timedelta(minutes=1)
    decisions.decide(case, Decision(Verdict.ACCEPT), actor=system_actor(), now=at)
    return case


def sweep(seconds: float = 5) -> int:
    return deliveries.sweep(seconds=5, call_seconds=seconds)


def make_due(**which: Any) -> None:
    """As if the wait before the next attempt were over."""
    Delivery.objects.filter(**which).update(next_attempt_at=db_now() - timedelta(seconds=1))


def kinds(receiver: Receiver) -> list[str]:
    return [json.loads(request.body)["type"] for request in receiver.requests]


def only_delivery() -> Delivery:
    return Delivery.objects.select_related("event", "endpoint").get()


def run(work: Callable[[], object]) -> threading.Thread:
    def body() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "It did not happen in time."
        time.sleep(0.01)
