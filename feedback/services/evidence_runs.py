"""Making evidence packs, section by section, under a lease.

A worker (see ``leased``) writes a section's tables to its scratch folder, says how far it is, and goes on. Whoever
takes up what it hands on goes on after the last whole section where that folder is on the same machine, and begins
again where it is not. The storage gets whole archives only.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from cases.audit_keys import KeyUnusable
from cases.clock import db_now
from cases.event_bodies import rfc3339
from cases.models.people import system_actor

from ..evidence.files import PackFolder
from ..evidence.registry import SECTIONS
from ..evidence.tables import Section, Window
from ..metrics import rollups
from ..models import EvidencePack
from . import evidence_packs
from .evidence_packs import locked, nudge_packs
from .export_files import digest_of, storage, store
from .leased import SLICE_SECONDS, LeaseLost, Leases

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)

Progress = Callable[[EvidencePack], None]


def run(pack_id: UUID, *, seconds: float | None = None, progress: Progress = lambda pack: None) -> EvidencePack:
    """Work on one pack until it ends or ``seconds`` have passed; returns it as it is then.

    ``progress`` is told after some rows. Safe to call for any pack at any time, by any number of workers.
    """
    pack = LEASES.take(pack_id)
    if pack is not None:
        try:
            _work(pack, seconds, progress)
        except LeaseLost:
            if LEASES.was_cancelled(pack):
                _folder(pack).discard()
        except KeyUnusable as error:  # No further try will find one.
            log.warning("evidence_pack_not_signed", pack=str(pack.pk))
            LEASES.give_back(pack, error.message)
        except Exception:
            log.exception("evidence_pack_failed", pack=str(pack.pk), attempt=pack.attempts)
            LEASES.give_back(pack)
    return EvidencePack.objects.select_related("tenant", "requested_by").get(pk=pack_id)


def sweep(*, seconds: float = SLICE_SECONDS) -> int:
    """Work on what waits or was left by a lost worker, remove what is old; returns how many packs were touched."""
    return LEASES.sweep(run, seconds=seconds)


# --- one worker's part -------------------------------------------------------------------------------------------


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
        LEASES.go_on(pack, sections_done=len(folder.made), rows_written=written)
        progress(pack)

    for section in chosen:
        if section.key not in folder.made:
            folder.add(section, window, beat)
            beat(0)
            if ends is not None and monotonic() >= ends and len(folder.made) < len(chosen):
                return LEASES.hand_on(pack)
    _complete(pack, folder)
    return None


def _failed(pack: EvidencePack) -> None:
    _folder(pack).discard()
    evidence_packs.failed(pack, system_actor())


LEASES = Leases(EvidencePack, locked, nudge_packs, _failed)


def _complete(pack: EvidencePack, folder: PackFolder) -> None:
    """Sign and store the archive, then say that it is there."""
    archive = folder.path / "pack.zip"
    folder.seal(about(pack), archive)
    sha256, length = digest_of(archive)
    name = f"{pack.tenant.slug}-evidence-{pack.since:%Y%m%d}-{pack.until:%Y%m%d}-{pack.pk.hex[-8:]}.zip"
    key = f"{pack.tenant.slug}/{pack.lease.hex}-{name}"
    LEASES.go_on(pack, file_key=key)
    key = store(archive, key)
    try:
        with transaction.atomic():
            current = LEASES.held(pack)
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
