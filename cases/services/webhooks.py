"""Endpoints as their owners handle them: secrets, a test, and another try of what was given up.

**The test event.** ``send_test`` posts an event of the type ``webhook.ping`` in the shape of every other one, signed as
every other one, and stores nothing:

    {"type": "webhook.ping", "id": "evt_…", "timestamp": "2027-05-09T15:12:30.120000Z", "data": {"tenant_id": "acme"}}

It is sent whatever kinds the endpoint asked for, also while it is switched off, once.
"""

import ipaddress
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery

from ..clock import db_now
from ..models import CaseEvent, Delivery, User, WebhookEndpoint
from ..outbound import OutboundRefused, checked_url, is_public
from ..permissions import require
from ..signing import new_secret
from . import deliveries
from .deliveries import Attempt, Lease, Result
from .events import nudge_deliveries

PING = "webhook.ping"


@dataclass(frozen=True)
class TestSent:
    """What came of a test: ``status`` is None where no answer came, ``error`` empty where the receiver took it."""

    url: str
    status: int | None
    ms: int
    error: str
    body: str

    @property
    def is_gone(self) -> bool:
        return self.status == deliveries.GONE


def send_test(endpoint_id: UUID, *, actor: User) -> TestSent:
    """Post a ping to the endpoint, now, with its stored address and secrets. Raises ``Denied``.

    A network call: not for a transaction. It takes up to ``deliveries.CALL_SECONDS``, as every delivery may.
    """
    endpoint = WebhookEndpoint.objects.select_related("tenant").get(pk=endpoint_id)
    require(actor, "change_webhook", endpoint.tenant)
    now = db_now()
    event = CaseEvent(tenant=endpoint.tenant, kind=PING, actor=actor, at=now)  # Neither this nor its delivery is saved.
    ping = Delivery(event=event, endpoint=endpoint)
    try:
        body, headers = deliveries._request(ping, has_gap=False, now=now)
    except ValueError:  # Of base64 too.
        return TestSent(endpoint.url, None, 0, "The signing secret cannot be used: make a new one.", "")
    attempt = Attempt(Lease(ping.pk, now), event, endpoint.pk, 1, endpoint.url, headers, body)
    began = monotonic()
    result: Result = deliveries.send(attempt)
    ms = round((monotonic() - began) * 1000)
    return TestSent(endpoint.url, result.status, ms, result.error, body.decode())


@transaction.atomic
def rotate_secret(endpoint_id: UUID, *, actor: User) -> str:
    """Put a new secret in force and return it, once. The one before signs along until it is removed or replaced."""
    endpoint = _locked(endpoint_id, actor)
    endpoint.previous_secret, endpoint.secret = endpoint.secret, new_secret()
    endpoint.save_as(actor, "new signing secret")
    return endpoint.secret


@transaction.atomic
def remove_previous_secret(endpoint_id: UUID, *, actor: User) -> None:
    """Let the secret before the present one sign no more: its receivers have changed over."""
    endpoint = _locked(endpoint_id, actor)
    if endpoint.previous_secret:
        endpoint.previous_secret = ""
        endpoint.save_as(actor, "previous signing secret removed")


@transaction.atomic
def resend_given_up(endpoint_id: UUID, *, actor: User) -> int:
    """``deliveries.resend`` for all that the endpoint was not given; returns how many. Raises ``Denied``."""
    endpoint = _locked(endpoint_id, actor)
    dead = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.DEAD)
    count = dead.update(state=Delivery.State.PENDING, attempts=0, next_attempt_at=db_now())
    if count:
        transaction.on_commit(nudge_deliveries)
    return count


def _locked(endpoint_id: UUID, actor: User) -> WebhookEndpoint:
    endpoints = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    endpoint = endpoints.select_related("tenant").get(pk=endpoint_id)
    require(actor, "change_webhook", endpoint.tenant)
    return endpoint


def check_address(url: str) -> None:
    """Raise ``OutboundRefused`` for an address that could never be sent to, as far as it shows without a look-up.

    A name that leads to an inner network shows at the first sending, and in a test.
    """
    loopback_is_fine = settings.OUTBOUND_ALLOW_LOOPBACK
    host = str(checked_url(url, allow_loopback=loopback_is_fine).hostname)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(address) and not (loopback_is_fine and address.is_loopback):
        raise OutboundRefused("The address leads to a network that is not public.")


def with_switch_off(endpoints: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    """Adds when, by whom (a key) and why each endpoint was switched off: ``off_at``, ``off_by``, ``off_reason``.

    They are of the first history row after the last one in which it was on, and None where it is on.
    """
    rows = WebhookEndpoint.history.model.objects
    last_on = rows.filter(id=OuterRef("id"), is_active=True).order_by("-history_id").values("history_id")[:1]
    since = rows.filter(id=OuterRef("pk"), is_active=False).annotate(last_on=Subquery(last_on))
    since = since.exclude(history_id__lt=F("last_on")).order_by("history_id")
    return endpoints.annotate(
        off_at=Subquery(since.values("history_date")[:1]),
        off_by=Subquery(since.values("history_user_id")[:1]),
        off_reason=Subquery(since.values("history_change_reason")[:1]),
    )
