"""Making evidence packs, section by section, under a lease.

A worker writes a section's tables to its scratch folder, says how far it is, and goes on; after a minute it queues the
pack again, so that no task outlasts the broker's patience. Whoever takes it up goes on after the last whole section
where that folder is on the same machine, and begins again where it is not. The storage gets whole archives only.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from cases.audit_keys import KeyUnusable
from cases.clock import db_now
from cases.event_bodies import rfc3339
from cases.models.people import system_actor

from ..evidence.files import PackFolder
from ..evidence.registry import SECTIONS
from ..evidence.tables import Section, Window
from ..metrics import rollups
from ..models import EvidencePack
from ..states import ExportState
from . import evidence_packs
from .evidence_packs import locked, nudge_packs
from .export_files import digest_of, storage, store

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=90)  # Far above the time of a few hundred rows.
SLICE_SECONDS = 45
MOST_ATTEMPTS = 5
KEPT = timedelta(days=30)
FAILED = "It failed several times; the log says why. Ask for it again."

Progress = Callable[[EvidencePack], None]


class LeaseLost(Exception):
    """The pack was cancelled, or another worker has it."""


def run(pack_id: UUID, *, seconds: float | None = None, progress: Progress = lambda pack: None) -> EvidencePack:
    """Work on one pack until it ends or ``seconds`` have passed; returns it as it is then.

    ``progress`` is told after some rows. Safe to call for any pack at any time, by any number of workers.
    """
    pack = _take(pack_id)
    if pack is not None:
        try:
            _work(pack, seconds, progress)
        except LeaseLost:
            if EvidencePack.objects.filter(pk=pack_id, state=ExportState.CANCELLED).exists():
                _folder(pack).discard()
        except KeyUnusable as error:  # No further try will find one.
            log.warning("evidence_pack_not_signed", pack=str(pack.pk))
            _give_back(pack, error.message)
        except Exception:
            log.exception("evidence_pack_failed", pack=str(pack.pk), attempt=pack.attempts)
            _give_back(pack)
    return EvidencePack.objects.select_related("tenant", "requested_by").get(pk=pack_id)


def sweep(*, seconds: float = SLICE_SECONDS) -> int:
    """Work on what waits or was left by a lost worker, remove what is old; returns how many packs were touched."""
    ends = monotonic() + seconds
    _expire()
    touched = 0
    while (left := ends - monotonic()) > 0:
        waiting = EvidencePack.objects.filter(
            Q(state=ExportState.QUEUED) | Q(state=ExportState.RUNNING, leased_until__lt=db_now())
        )
        pack_id = waiting.order_by("requested_at").values_list("pk", flat=True).first()
        if pack_id is None:
            break
        run(pack_id, seconds=left)
        touched += 1
    if EvidencePack.objects.filter(state=ExportState.QUEUED).exists():
        nudge_packs()
    return touched


# --- one worker's part -------------------------------------------------------------------------------------------


@transaction.atomic
def _take(pack_id: UUID) -> EvidencePack | None:
    """The pack under a lease of our own; None where it is in other hands, or at its end."""
    pack = locked(pack_id)
    now = db_now()
    if pack.state == ExportState.RUNNING and pack.leased_until and pack.leased_until < now:
        pack.requeue()
    if pack.state != ExportState.QUEUED:
        return None
    if pack.attempts >= MOST_ATTEMPTS:
        _fail(pack)
        return None
    if pack.file_key:  # Stored by a worker that was lost before it could say so.
        storage().delete(pack.file_key)
        pack.file_key = ""
    pack.start()
    pack.attempts += 1
    pack.lease, pack.leased_until = uuid4(), now + LEASE
    pack.save()
    return pack


def _work(pack: EvidencePack, seconds: float | None, progress: Progress) -> None:
    ends = monotonic() + seconds if seconds is not None else None
    window, folder, chosen = window_of(pack), PackFolder.open(scratch(pack)), sections_of(pack)
    written = folder.rows
    if not folder.made:
        rollups.refresh()  # The hourly sums may be some seconds behind the window's end.

    def beat(rows: int) -> None:
        nonlocal written
        written += rows
        pack.sections_done, pack.rows_written = len(folder.made), written
        _ours(pack, sections_done=len(folder.made), rows_written=written, leased_until=db_now() + LEASE)
        progress(pack)

    for section in chosen:
        if section.key not in folder.made:
            folder.add(section, window, beat)
            beat(0)
            if ends is not None and monotonic() >= ends and len(folder.made) < len(chosen):
                return _hand_on(pack)
    _complete(pack, folder)
    return None


def _ours(pack: EvidencePack, **changes: Any) -> None:
    held = EvidencePack.objects.filter(pk=pack.pk, lease=pack.lease, state=ExportState.RUNNING)
    if not held.update(**changes):
        raise LeaseLost


def _held(pack: EvidencePack) -> EvidencePack:
    """Our pack under its row lock, in the caller's transaction; raises ``LeaseLost``."""
    current = locked(pack.pk)
    if current.lease != pack.lease or current.state != ExportState.RUNNING:
        raise LeaseLost
    return current


@transaction.atomic
def _hand_on(pack: EvidencePack) -> None:
    current = _held(pack)
    current.attempts = 0
    current.requeue()
    current.lease = current.leased_until = None
    current.save()
    transaction.on_commit(nudge_packs)


@transaction.atomic
def _give_back(pack: EvidencePack, final: str = "") -> None:
    """After an error: another worker tries again, up to ``MOST_ATTEMPTS`` times, or never with ``final`` words."""
    try:
        current = _held(pack)
    except LeaseLost:
        return
    if final or current.attempts >= MOST_ATTEMPTS:
        return _fail(current, final or FAILED)
    current.requeue()
    current.lease = current.leased_until = None
    current.save()
    return None


def _fail(pack: EvidencePack, why: str = FAILED) -> None:
    pack.fail()
    pack.error, pack.finished_at = why[:300], db_now()
    pack.lease = pack.leased_until = None
    pack.save()
    _folder(pack).discard()
    evidence_packs.failed(pack, system_actor())


def _complete(pack: EvidencePack, folder: PackFolder) -> None:
    """Sign and store the archive, then say that it is there."""
    archive = folder.path / "pack.zip"
    folder.seal(about(pack), archive)
    sha256, length = digest_of(archive)
    name = f"{pack.tenant.slug}-evidence-{pack.since:%Y%m%d}-{pack.until:%Y%m%d}-{pack.pk.hex[-8:]}.zip"
    key = f"{pack.tenant.slug}/{pack.lease.hex}-{name}"
    _ours(pack, file_key=key, leased_until=db_now() + LEASE)
    key = store(archive, key)
    try:
        with transaction.atomic():
            current = _held(pack)
            current.finish()
            current.finished_at = db_now()
            current.expires_at = current.finished_at + KEPT
            current.sections_done, current.rows_written = len(folder.made), folder.rows
            current.file_key, current.file_name, current.file_bytes = key, name, length
            current.sha256 = sha256
            current.lease = current.leased_until = None
            current.save()
            evidence_packs.ready(current)
    except LeaseLost:
        storage().delete(key)
        raise
    folder.discard()


def _expire() -> None:
    """Remove the files that were kept long enough; their digests stay."""
    old = EvidencePack.objects.filter(state=ExportState.READY, expires_at__lt=db_now())
    for pack_id in list(old.order_by("expires_at").values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            pack = locked(pack_id)
            if pack.state != ExportState.READY:
                continue
            storage().delete(pack.file_key)
            pack.expire()
            pack.save()


# --- what is written ---------------------------------------------------------------------------------------------


def sections_of(pack: EvidencePack) -> list[Section]:
    """Those that whoever asked for it may read."""
    return [section for section in SECTIONS if not section.right or section.right in pack.rights]


def window_of(pack: EvidencePack) -> Window:
    return Window(pack.tenant, pack.since, pack.until, pack.requested_at, pack.zone, pack.seed)


def about(pack: EvidencePack) -> dict[str, str]:
    return {
        "pack": pack.wire_id,
        "tenant": pack.tenant.slug,
        "name": pack.tenant.name,
        "from": rfc3339(pack.since),
        "to": rfc3339(pack.until),
        "as_of": rfc3339(pack.requested_at),
        "time_zone": pack.zone,
        "asked_by": str(pack.requested_by),
        "customer_fields": pack.tenant.get_export_customer_display(),
        "seed": pack.seed,
    }


def scratch(pack: EvidencePack) -> Path:
    """Where this pack grows."""
    return Path(settings.EXPORT_SCRATCH) / f"evidence-{pack.pk.hex}"


def _folder(pack: EvidencePack) -> PackFolder:
    return PackFolder(scratch(pack))
