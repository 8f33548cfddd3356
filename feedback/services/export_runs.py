"""Making the files of exports, a minute at a time.

A worker takes a queued export under a lease (see ``leased``) and writes page after page to its scratch folder. What it
hands on holds a checkpoint: whoever takes it up goes on there where that file is on the same machine, and begins again
where it is not; what was written after the checkpoint is cut off. The storage gets whole files only.
"""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max

from cases.clock import db_now
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.services.events import record_for

from ..datasets.customers import CustomerFields
from ..datasets.filters import Filters
from ..datasets.manifest import canonical, manifest_document
from ..datasets.selection import PAGE, Selection, Watermark
from ..formats import FORMATS, Destination
from ..kinds import Kind
from ..models import Dataset, DatasetVersion, Export
from ..states import ExportState
from .export_files import ExportFile, NoCheckpoint, digest_of, scratch, storage, store
from .exports import KEPT, locked, nudge_exports, told
from .leased import SLICE_SECONDS, LeaseLost, Leases

log = structlog.get_logger(__name__)

Progress = Callable[[Export], None]


def run(export_id: UUID, *, seconds: float | None = None, progress: Progress | None = None) -> Export:
    """Work on one export until it ends or ``seconds`` have passed; returns it as it is then.

    ``progress`` is told after each page. Safe to call for any export at any time, by any number of workers.
    """
    export = LEASES.take(export_id)
    if export is not None:
        try:
            _work(export, seconds, progress or (lambda export: None))
        except LeaseLost:
            if LEASES.was_cancelled(export):
                _file_of(export).discard()
        except Exception:
            log.exception("export_failed", export=str(export_id), attempt=export.attempts)
            LEASES.give_back(export)
    return Export.objects.select_related("tenant", "dataset", "version").get(pk=export_id)


def sweep(*, seconds: float = SLICE_SECONDS) -> int:
    """Queue what lost workers left, work on what waits, remove what is old; returns how many exports were touched."""
    return LEASES.sweep(run, seconds=seconds)


# --- one worker's part -------------------------------------------------------------------------------------------


def _work(export: Export, seconds: float | None, progress: Progress) -> None:
    ends = monotonic() + seconds if seconds is not None else None
    selection, file = selection_of(export), _file_of(export)
    if export.checkpoint:
        try:
            file.go_on(export.checkpoint)
        except NoCheckpoint:
            log.info("export_begins_again", export=str(export.pk))
            file = _file_of(export)
    if not export.rows_expected:
        export.rows_expected = selection.count()
    with file:
        for page in selection.pages(file.after, size=PAGE):
            file.add(page)
            _beat(export, file)
            progress(export)
            if ends is not None and monotonic() >= ends:
                return LEASES.hand_on(export, checkpoint=file.checkpoint())
    _complete(export, file)
    return None


def _beat(export: Export, file: ExportFile) -> None:
    """Say how far we are and keep the lease; raises ``LeaseLost``."""
    export.rows_read, export.rows_written = file.rows_read, file.counted["lines"]
    export.rows_expected = max(export.rows_expected, file.rows_read)
    LEASES.go_on(
        export, rows_read=export.rows_read, rows_written=export.rows_written, rows_expected=export.rows_expected
    )


def _failed(export: Export) -> None:
    _file_of(export).discard()
    record_for(export.tenant, CaseEvent.Kind.EXPORT_FAILED, system_actor(), subject=export.wire_id, **told(export))


LEASES = Leases(Export, locked, nudge_exports, _failed)


def _complete(export: Export, file: ExportFile) -> None:
    """Store the file, then freeze the version that it is of."""
    sha256, length = digest_of(file.path)
    name = f"{export.tenant.slug}-{export.dataset.kind}-{export.pk.hex}.{file.format.suffix}"
    key = f"{export.tenant.slug}/{export.lease.hex}-{name}"
    LEASES.go_on(export, file_key=key)
    key = store(file.path, key)
    try:
        with transaction.atomic():
            current = LEASES.held(export)
            current.version = _freeze(current, file, name, sha256, length)
            current.finish()
            current.finished_at = db_now()
            current.expires_at = current.finished_at + KEPT
            current.rows_read, current.rows_written = file.rows_read, file.counted["lines"]
            current.file_key, current.file_name, current.file_bytes = key, name, length
            current.lease = current.leased_until = current.checkpoint = None
            current.save()
            record_for(
                current.tenant,
                CaseEvent.Kind.EXPORT_READY,
                current.requested_by,
                subject=current.wire_id,
                **told(current),
                rows=current.rows_written,
            )
    except LeaseLost:
        storage().delete(key)
        raise
    file.discard()


def _freeze(export: Export, file: ExportFile, name: str, sha256: str, length: int) -> DatasetVersion:
    dataset = Dataset.objects.select_for_update(no_key=True).get(pk=export.dataset_id)
    number = (dataset.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    manifest, manifest_sha256 = canonical(
        manifest_document(
            tenant=export.tenant.slug,
            dataset=dataset.name,
            dataset_id=dataset.wire_id,
            kind=dataset.kind,
            version=number,
            format=export.format,
            filters=export.filters,
            xid=export.watermark,
            at=export.as_of,
            customer_fields=export.customer_fields,
            counts=file.counts,
            file={"name": name, "sha256": sha256, "bytes": length, "lines": file.counted["lines"]},
        )
    )
    version = DatasetVersion(
        tenant=export.tenant,
        dataset=dataset,
        number=number,
        manifest=manifest,
        manifest_sha256=manifest_sha256,
        created_by=export.requested_by,
        created_at=db_now(),
    )
    version.save(force_insert=True)
    return version


def begin_again(export: Export) -> None:
    """Have a locked export that waits or runs be written from its first row, in the caller's transaction. The worker
    that has it finds its lease gone and throws away what it wrote."""
    if export.state == ExportState.RUNNING:
        export.requeue()
    export.lease = export.leased_until = export.checkpoint = None
    export.rows_read = export.rows_written = 0
    export.save()
    _file_of(export).discard()
    transaction.on_commit(nudge_exports)


# --- what is written ---------------------------------------------------------------------------------------------


def selection_of(export: Export) -> Selection:
    """What ``export`` is made of."""
    return Selection(
        tenant=export.tenant,
        filters=Filters.from_document(export.filters),
        mark=Watermark(export.watermark, export.as_of),
        customers=CustomerFields(export.customer_fields),
    )


def _file_of(export: Export) -> ExportFile:
    dataset = export.dataset
    return _file(scratch(export.pk), export.format, export.filters, export.tenant.slug, dataset)


def _file(path: Path, format: str, filters: dict[str, Any], tenant: str, dataset: Dataset) -> ExportFile:
    destination = Destination(tenant, dataset.name, dataset.wire_id, Kind(dataset.kind))
    return ExportFile(path, FORMATS[format], destination, split=filters.get("split", ""))


def reproduce(version: DatasetVersion, path: Path) -> bool:
    """Write the file of ``version`` again, to ``path``, from its manifest alone; whether it is the same byte for byte.

    It is, unless a case was erased, withdrawn or reopened since: what may not be handed over any more is missing.
    """
    manifest = version.document
    mark = manifest["watermark"]
    selection = Selection(
        tenant=version.tenant,
        filters=Filters.from_document(manifest["filters"]),
        mark=Watermark(mark["xid"], Filters.from_document({"since": mark["at"]}).since),
        customers=CustomerFields(manifest["customer_fields"]),
    )
    file = _file(path, manifest["format"], manifest["filters"], manifest["tenant"], version.dataset)
    with file:
        for page in selection.pages():
            file.add(page)
    return digest_of(path)[0] == manifest["files"][0]["sha256"]
