"""Asking for an evidence pack, cancelling it, fetching it. The work itself is in ``evidence_runs``."""

import secrets
from datetime import datetime
from typing import IO
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, Tenant, User
from cases.nudges import nudge
from cases.permissions import allowed, require
from cases.services import holds
from cases.services.events import record_for

from ..errors import NotCancellable, NotReady, TooManyExports, WindowRefused
from ..evidence.registry import SECTIONS
from ..metrics.reading import LONGEST, full_hours, zone_of
from ..models import EvidencePack
from ..states import ACTIVE, ExportState
from .export_files import storage

RUN = "feedback.tasks.run_evidence_packs"
RIGHTS = ("view_audit", "export_data")
KIND = "evidence_pack"
MOST_WAITING = 3  # of one tenant
SEED_LENGTH = 32


@transaction.atomic
def request(tenant: Tenant, *, since: datetime, until: datetime, actor: User, seed: str = "") -> EvidencePack:
    """Queue a pack of ``tenant`` from ``since`` up to ``until``, widened to full hours; a worker makes the file.

    A section that ``actor`` may not read is left out. ``seed`` draws the sample cases; by default it is random. Raises
    ``Denied``, ``WindowRefused`` and ``TooManyExports``.
    """
    _require(tenant, actor)
    holds.fence(tenant)  # An erasure that is under way would not see this pack, nor the pack the erasure.
    now, (zone, _) = db_now(), zone_of(tenant)
    if not since < until <= now:
        raise WindowRefused("The window must end after it began, and not later than now. Nothing was started.")
    since, until = full_hours(since, until, zone)
    if until - since > LONGEST:
        raise WindowRefused(f"A pack spans {LONGEST.days} days at most. Nothing was started.")
    if EvidencePack.objects.filter(tenant=tenant, state__in=ACTIVE)[:MOST_WAITING].count() >= MOST_WAITING:
        raise TooManyExports(f"{MOST_WAITING} packs are waiting. Nothing was started: wait for one, or cancel one.")
    rights = [*RIGHTS]
    rights += sorted({one.right for one in SECTIONS if one.right and allowed(actor, one.right, tenant)})
    pack = EvidencePack(
        tenant=tenant,
        since=since,
        until=until,
        zone=zone,
        seed=seed[:SEED_LENGTH] or secrets.token_hex(8),
        rights=rights,
        requested_by=actor,
        requested_at=now,
        sections=sum(not one.right or one.right in rights for one in SECTIONS),
    )
    pack.save(force_insert=True)
    _record(pack, CaseEvent.Kind.EXPORT_REQUESTED, actor)
    transaction.on_commit(nudge_packs)
    return pack


@transaction.atomic
def cancel(pack_id: UUID, *, actor: User) -> EvidencePack:
    """Stop a pack that waits or runs; its worker notices with its next rows and removes what it wrote."""
    pack = locked(pack_id)
    _require(pack.tenant, actor)
    if not pack.is_active:
        raise NotCancellable("It has ended. Nothing was changed.")
    pack.cancel()
    pack.finished_at = db_now()
    pack.lease = pack.leased_until = None
    pack.save()
    _record(pack, CaseEvent.Kind.EXPORT_CANCELLED, actor)
    return pack


def download(pack: EvidencePack, *, actor: User) -> IO[bytes]:
    """The archive, open; who fetched it is kept in the audit trail before the first byte leaves."""
    require_reader(pack, actor)
    if pack.state != ExportState.READY:
        raise NotReady(f"It is “{pack.get_state_display().lower()}”. Ask for a new one where its file was removed.")
    try:
        file = storage().open(pack.file_key, "rb")
    except FileNotFoundError:
        raise NotReady("Its file is not in the storage any more. Ask for a new pack.") from None
    _record(pack, CaseEvent.Kind.EXPORT_DOWNLOADED, actor, sha256=pack.sha256)
    return file


def _require(tenant: Tenant, actor: User) -> None:
    for right in RIGHTS:
        require(actor, right, tenant)


def require_reader(pack: EvidencePack, actor: User) -> None:
    """Raise ``Denied`` unless ``actor`` holds every right that the pack's sections need."""
    for right in pack.rights:
        require(actor, right, pack.tenant)


def locked(pack_id: UUID) -> EvidencePack:
    """The pack under its row lock."""
    rows = EvidencePack.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("tenant", "requested_by").get(pk=pack_id)


def ready(pack: EvidencePack) -> None:
    """Keep that a part of the audit trail left it, and how to tell the file."""
    _record(pack, CaseEvent.Kind.AUDIT_EXPORTED, pack.requested_by, sha256=pack.sha256, rows=pack.rows_written)


def failed(pack: EvidencePack, actor: User) -> None:
    _record(pack, CaseEvent.Kind.EXPORT_FAILED, actor)


def _record(pack: EvidencePack, kind: CaseEvent.Kind, actor: User, **data) -> None:
    window = {"since": pack.since.isoformat(), "until": pack.until.isoformat()}
    record_for(pack.tenant, kind, actor, subject=pack.wire_id, export_kind=KIND, **window, **data)


def nudge_packs() -> None:
    """Wake a worker; a lost nudge costs the seconds until the next sweep."""
    nudge(RUN)
