"""Making evidence packs, section by section, under a lease.

A worker (see ``leased``) writes a section's tables to its scratch folder, says how far it is, and goes on. Whoever
takes up what it hands on goes on after the last whole section where that folder is on the same machine, and begins
again where it is not. The storage gets whole archives only.

An erasure removes the packs that tell of the customer's cases and has those that are being made begun anew, in another
folder: nobody goes on from what was written before it.
"""

from collections.abc import Callable, Collection
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
from cases.ids import from_wire
from cases.models import Case
from cases.models.people import system_actor

from ..evidence.files import PackFolder
from ..evidence.proving import CASES
from ..evidence.registry import SECTIONS
from ..evidence.tables import Section, Window
from ..metrics import rollups
from ..models import EvidencePack
from ..states import ACTIVE, ExportState
from . import evidence_packs
from .evidence_packs import locked, nudge_packs
from .export_files import digest_of, storage, store
from .leased import SLICE_SECONDS, LeaseLost, Leases

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
FOLDER = "evidence-"  # and the pack's key: its scratch folder

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
            if LEASES.was_cancelled(pack) or _was_begun_anew(pack):
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
    _tidy()
    return LEASES.sweep(run, seconds=seconds)


def remove(pack_id: UUID, case_ids: Collection[UUID]) -> bool:
    """Take what a pack tells of these cases away, in the caller's transaction, which holds its row from here on: a file
    is removed, and what is being made is begun anew. Returns whether there was anything."""
    pack = locked(pack_id)
    if pack.is_active:
        _begin_anew(pack)
        return True
    if pack.state != ExportState.READY or not (pack.sampled is None or set(pack.sampled) & set(case_ids)):
        return False
    storage().delete(pack.file_key)
    pack.expire()
    pack.save()
    return True


def _begin_anew(pack: EvidencePack) -> None:
    if pack.state == ExportState.RUNNING:
        pack.requeue()
    pack.lease = pack.leased_until = None
    pack.begun_anew += 1
    pack.attempts = 0  # It is nobody's failure.
    pack.sections_done = pack.rows_written = 0
    pack.save()
    transaction.on_commit(nudge_packs)


def _was_begun_anew(pack: EvidencePack) -> bool:
    return EvidencePack.objects.filter(pk=pack.pk, begun_anew__gt=pack.begun_anew).exists()


def _tidy() -> None:
    """Throw away what this machine wrote of packs that have ended or were begun anew."""
    found = list(Path(settings.EXPORT_SCRATCH).glob(f"{FOLDER}*"))
    if found:
        kept = {scratch(pack).name for pack in EvidencePack.objects.filter(state__in=ACTIVE)}
        for path in found:
            if path.name not in kept:
                PackFolder(path).discard()


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
    sampled = cases_in(folder)
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
            current.sampled = sampled
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


def cases_in(folder: PackFolder) -> list[UUID]:
    """The cases whose texts stand in a pack that was written, by what was written."""
    if CASES.key not in folder.made:
        return []
    named = {row["case_id"] for table in CASES.tables for row in folder.written(table)}
    return sorted(key for name in named if (key := from_wire(Case.PREFIX, name)))


def scratch(pack: EvidencePack) -> Path:
    """Where this pack grows."""
    return Path(settings.EXPORT_SCRATCH) / f"{FOLDER}{pack.pk.hex}-{pack.begun_anew}"


def _folder(pack: EvidencePack) -> PackFolder:
    return PackFolder(scratch(pack))
