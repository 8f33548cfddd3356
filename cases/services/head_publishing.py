"""Publishing the newest head, so that it stands where nobody who reaches the database can change it.

The installation writes each day's head into its store of heads; a tenant adds its own ways (``SealPublishing``): its
folder in that store, its webhook endpoints through the event ``audit.head``, its team's channels through a notice.
Sending is the outbox's and the notices' business; a receipt says what was handed to them.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import IntegrityError, transaction
from django.urls import reverse

from ..clock import db_now
from ..models import CaseEvent, HeadReceipt, Seal, SealPublishing, Tenant
from ..models.people import system_actor
from .events import record_for
from .notices import News, tell
from .seal_checks import head_document

log = structlog.get_logger(__name__)

Way = HeadReceipt.Way

OWN_HOURS = 24
OWN_FOLDER = "installation"
KIND = "audit.head"


def publish_due() -> int:
    """Publish the newest head on every way whose time has come; returns on how many. One that fails keeps no other."""
    head = Seal.objects.order_by("-number").first()
    if head is None:
        return 0
    done = 0
    for tenant, way in _due(head, db_now()):
        try:
            done += _publish(head, tenant, way)
        except (OSError, IntegrityError) as error:  # Tried again at the next beat.
            log.warning("head_not_published", seal=head.number, way=way, error=type(error).__name__)
    return done


def _due(head: Seal, now: datetime) -> Iterator[tuple[Tenant | None, Way]]:
    if _is_due(None, Way.FOLDER, OWN_HOURS, head, now):
        yield None, Way.FOLDER
    for wish in SealPublishing.objects.filter(tenant__is_active=True).select_related("tenant").order_by("id"):
        chosen = {Way.FOLDER: wish.to_folder, Way.WEBHOOKS: wish.to_webhooks, Way.CHANNELS: wish.to_channels}
        for way, is_chosen in chosen.items():
            if is_chosen and _is_due(wish.tenant, way, wish.every_hours, head, now):
                yield wish.tenant, way


def _is_due(tenant: Tenant | None, way: Way, hours: int, head: Seal, now: datetime) -> bool:
    """The head is newer than the one that was told last, and that is long enough ago.

    A receipt is an audit row too and is sealed: the hours keep publishing from feeding itself.
    """
    last = HeadReceipt.objects.filter(tenant=tenant, way=way).order_by("-at").first()
    return last is None or (last.seal_id < head.number and now - last.at >= timedelta(hours=hours))


def _publish(head: Seal, tenant: Tenant | None, way: Way) -> bool:
    if way == Way.FOLDER:
        detail = _to_folder(head, tenant)  # Outside the transaction; the same name and bytes if it comes twice.
        with transaction.atomic():
            _keep(head, tenant, way, detail)
        return True
    with transaction.atomic():
        detail = _to_webhooks(head, tenant) if way == Way.WEBHOOKS else _to_channels(head, tenant)
        _keep(head, tenant, way, detail)
    return True


def _keep(head: Seal, tenant: Tenant | None, way: Way, detail: dict) -> None:
    HeadReceipt.objects.create(tenant=tenant, seal=head, way=way, at=db_now(), detail=detail)


def document(seal: Seal) -> bytes:
    """The bytes of a published head, the same at every time."""
    return json.dumps(head_document(seal), indent=2, sort_keys=True).encode() + b"\n"


def _to_folder(head: Seal, tenant: Tenant | None) -> dict:
    data = document(head)
    name = f"{tenant.slug if tenant else OWN_FOLDER}/seal-{head.number:012d}.json"
    store = storages["audit-heads"]
    if not store.exists(name):
        store.save(name, ContentFile(data))
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def _to_webhooks(head: Seal, tenant: Tenant) -> dict:
    event = record_for(tenant, CaseEvent.Kind.AUDIT_HEAD, system_actor(), **head_document(head))
    return {"event": event.wire_id}


def _to_channels(head: Seal, tenant: Tenant) -> dict:
    sealed_at = f"{head.sealed_at:%Y-%m-%d %H:%M} UTC"
    text = f"Head of the audit trail: seal {head.number}, sealed at {sealed_at}, SHA-256 {head.hex}"
    news = News(tenant.pk, KIND, text, f"{KIND}:{head.number}", path=reverse("admin:cases_seal_changelist"))
    return {"notices": tell([news])}
