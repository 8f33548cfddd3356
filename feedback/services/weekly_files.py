"""The files of a weekly export: written from its fixed rows, put into the storage, announced."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.db.models import F, QuerySet

from cases.clock import db_now
from cases.event_bodies import rfc3339
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.services.events import record_for

from ..kinds import Kind
from ..models import ExportedLabel, ExportedOverride, WeeklyExport
from ..override_rows import (
    COLUMNS,
    CORRECTION_COLUMNS,
    CORRECTION_READS,
    OVERRIDE_READS,
    SCHEMA_VERSION,
    correction_row,
    override_row,
)
from ..row_files import Csv, JsonLines
from ..states import WeeklyState

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)  # Longer than a worker's task may last; a writer that goes on longer renews it.
BATCH = 500

Progress = Callable[[int], object]


class LeaseLost(Exception):
    """This writer was too slow, and another one writes the same files."""


def deliver(export: WeeklyExport, *, progress: Progress | None = None) -> bool:
    """Write the files of a fixed export, put them into the storage and announce it; False when somebody else does.

    Killed midway, the next call does it again: the same rows under the same names. The announcement commits with the
    state, once.
    """
    attempt = _take(export)
    if attempt is None:
        return False
    try:
        files = list(_write_files(export, partial(_keep, export, attempt, progress or (lambda rows: None))))
    except LeaseLost:
        log.warning("weekly_export_taken_over", export=export.wire_id, attempt=attempt)
        return False
    return _finish(export, attempt, files)


def _take(export: WeeklyExport) -> int | None:
    """The number of this attempt, under a lease; None while another writer has one, or where nothing is left to do."""
    now = db_now()
    free = WeeklyExport.objects.filter(pk=export.pk, state=WeeklyState.FROZEN).exclude(leased_until__gt=now)
    if not free.update(attempt=F("attempt") + 1, leased_until=now + LEASE):
        return None
    export.refresh_from_db(fields=["attempt"])
    return export.attempt


def _renew(export: WeeklyExport, attempt: int) -> None:
    held = WeeklyExport.objects.filter(pk=export.pk, attempt=attempt, state=WeeklyState.FROZEN)
    if not held.update(leased_until=db_now() + LEASE):
        raise LeaseLost(f"Another writer has taken over {export}.")


def _keep(export: WeeklyExport, attempt: int, progress: Progress, rows: int) -> None:
    """After each batch: the lease goes on, and who waits hears of it."""
    _renew(export, attempt)
    progress(rows)


def rewrite(export: WeeklyExport) -> None:
    """Write the files of a delivered week again, without the texts that were erased since; its rows stay the same. In
    the caller's transaction, which holds the row: what it has erased is not read any more."""
    storage: Storage = storages["exports"]
    for file in export.files:
        storage.delete(file["key"])
    files = list(_write_files(export, lambda rows: None))
    WeeklyExport.objects.filter(pk=export.pk, state=WeeklyState.READY).update(files=files)


def _write_files(export: WeeklyExport, told: Progress) -> Iterator[dict[str, Any]]:
    """``told`` hears after each batch how many rows it had."""
    storage: Storage = storages["exports"]
    stem = f"{export.tenant.slug}/overrides-{export.iso_week}"
    overrides = ExportedOverride.objects.filter(export=export).select_related(*OVERRIDE_READS)
    rows = (override_row(row, export) for row in _in_batches(overrides, told))
    files = _write_both(storage, "overrides", stem, COLUMNS, rows)
    if export.counts["corrections"]:
        corrections = ExportedLabel.objects.filter(export=export).select_related(*CORRECTION_READS)
        rows = (correction_row(row, export) for row in _in_batches(corrections, told))
        files += _write_both(storage, "corrections", f"{stem}-corrections", CORRECTION_COLUMNS, rows)
    yield from files
    # The manifest comes last: where it is, everything that it names is.
    text = json.dumps(manifest(export, files), indent=2).encode() + b"\n"
    yield {
        "name": "manifest.json",
        "key": _save(storage, f"{stem}.manifest.json", ContentFile(text)),
        "sha256": hashlib.sha256(text).hexdigest(),
        "bytes": len(text),
    }


def manifest(export: WeeklyExport, files: list[dict[str, Any]]) -> dict[str, Any]:
    """What goes with the files, for whoever loads them: what they hold, and how to tell that they are whole."""
    return {
        "export_id": export.wire_id,
        "kind": str(Kind.OVERRIDES),
        "schema_version": SCHEMA_VERSION,
        "tenant": export.tenant.slug,
        "week": str(export.iso_week),
        "starts_at": rfc3339(export.starts_at),
        "ends_at": rfc3339(export.ends_at),
        "fixed_at": rfc3339(export.frozen_at),
        "watermark": export.watermark,
        "customer_fields": export.customer_fields,
        "counts": export.counts,
        "erased": export.overrides.filter(review__case__content__erased_at__isnull=False).count(),
        "files": files,
    }


def _in_batches(rows: QuerySet, told: Progress) -> Iterator[Any]:
    """Rows by key, ``BATCH`` in memory at a time."""
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield from batch
        last = batch[-1].pk
        told(len(batch))


def _write_both(
    storage: Storage, name: str, stem: str, columns: tuple[str, ...], rows: Iterator[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Both formats in one pass over the rows."""
    with ExitStack() as stack:
        parts = [(stack.enter_context(tempfile.TemporaryFile()), kind) for kind in (JsonLines, Csv)]
        writers = [kind(file, columns) for file, kind in parts]
        for row in rows:
            for writer in writers:
                writer.write(row)
        return [
            {
                "name": f"{name}.{writer.suffix}",
                "key": _save(storage, f"{stem}.{writer.suffix}", File(file)),
                "sha256": writer.sha256,
                "bytes": writer.size,
                "rows": writer.rows,
            }
            for (file, _), writer in zip(parts, writers, strict=True)
        ]


def _save(storage: Storage, name: str, content: File) -> str:
    """The key under which ``content`` rests; a storage that never overwrites may choose another name."""
    content.seek(0)
    return storage.save(name, content)


@transaction.atomic
def _finish(export: WeeklyExport, attempt: int, files: list[dict[str, Any]]) -> bool:
    held = WeeklyExport.objects.filter(pk=export.pk, attempt=attempt, state=WeeklyState.FROZEN)
    if not held.update(state=WeeklyState.READY, ready_at=db_now(), files=files, leased_until=None):
        return False
    export.refresh_from_db()
    record_for(
        export.tenant,
        CaseEvent.Kind.EXPORT_READY,
        system_actor(),
        subject=export.wire_id,
        export_kind=str(Kind.OVERRIDES),
        week=str(export.iso_week),
        counts=export.counts,
        sha256=files[0]["sha256"],
    )
    log.info("weekly_export_ready", tenant=export.tenant.slug, week=str(export.iso_week), **export.counts)
    return True
