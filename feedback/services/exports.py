"""Asking for an export, cancelling it, fetching its file. The work itself is in ``export_runs``."""

from datetime import timedelta
from typing import IO
from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, Tenant, User
from cases.nudges import nudge
from cases.permissions import require
from cases.services.events import record_for

from ..datasets.filters import Filters
from ..datasets.selection import watermark
from ..errors import DatasetTaken, FormatMismatch, NotCancellable, NotReady, TooManyExports
from ..formats import FORMATS, formats_for
from ..kinds import Kind
from ..models import Dataset, Export
from ..states import ACTIVE, ExportState
from .export_files import storage

RUN = "feedback.tasks.run_exports"
KEPT = timedelta(days=7)
MOST_WAITING = 20  # of one tenant


def check_format(kind: Kind, name: str) -> None:
    """Raises ``FormatMismatch`` unless the format exists and can carry ``kind``."""
    if name not in FORMATS or kind not in FORMATS[name].kinds:
        fitting = ", ".join(each.name for each in formats_for(kind))
        raise FormatMismatch(f"{kind} can be exported as: {fitting}. Nothing was started.", pointer="/format")


@transaction.atomic
def request(
    tenant: Tenant, *, kind: Kind, format: str, filters: Filters | None = None, name: str = "", actor: User
) -> Export:
    """Queue an export of ``kind`` into the data set ``name`` (by default that of the kind); a worker makes the file.

    What it holds is settled here: everything that has committed by now. Raises ``Denied``, ``FormatMismatch``,
    ``DatasetTaken`` and ``TooManyExports``.
    """
    require(actor, "export_data", tenant)
    check_format(kind, format)
    if Export.objects.filter(tenant=tenant, state__in=ACTIVE)[:MOST_WAITING].count() >= MOST_WAITING:
        raise TooManyExports(f"{MOST_WAITING} exports are waiting. Nothing was started: wait for one, or cancel one.")
    now, mark = db_now(), watermark()
    dataset, _ = Dataset.objects.get_or_create(
        tenant=tenant, name=name or kind.value, defaults={"kind": kind, "created_at": now}
    )
    if dataset.kind != kind:
        raise DatasetTaken(f"That data set holds {dataset.kind}. Choose another name; nothing was started.")
    export = Export(
        tenant=tenant,
        dataset=dataset,
        format=format,
        filters=(filters or Filters()).document(),
        customer_fields=tenant.export_customer,
        watermark=mark.xid,
        as_of=now,
        requested_by=actor,
        requested_at=now,
    )
    export.save(force_insert=True)
    record_for(tenant, CaseEvent.Kind.EXPORT_REQUESTED, actor, subject=export.wire_id, **told(export))
    transaction.on_commit(nudge_exports)
    return export


@transaction.atomic
def cancel(export_id: UUID, *, actor: User) -> Export:
    """Stop an export that waits or runs; its worker notices with its next page and removes what it wrote."""
    export = locked(export_id)
    require(actor, "export_data", export.tenant)
    if not export.is_active:
        raise NotCancellable("It has ended. Nothing was changed.")
    export.cancel()
    export.finished_at = db_now()
    export.lease = export.leased_until = None
    export.save()
    record_for(export.tenant, CaseEvent.Kind.EXPORT_CANCELLED, actor, subject=export.wire_id, **told(export))
    return export


def download(export: Export, *, actor: User) -> IO[bytes]:
    """The file, open; who fetched it is kept in the audit trail before the first byte leaves."""
    require(actor, "export_data", export.tenant)
    if export.state != ExportState.READY:
        raise NotReady(f"It is “{export.get_state_display().lower()}”. Ask for a new one where its file was removed.")
    try:
        file = storage().open(export.file_key, "rb")
    except FileNotFoundError:
        raise NotReady("Its file is not in the storage any more. Ask for a new export.") from None
    record_for(export.tenant, CaseEvent.Kind.EXPORT_DOWNLOADED, actor, subject=export.wire_id, **told(export))
    return file


def locked(export_id: UUID) -> Export:
    """The export under its row lock."""
    rows = Export.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("tenant", "dataset", "requested_by").get(pk=export_id)


def told(export: Export) -> dict[str, str]:
    """What events say of ``export``."""
    return {"export_kind": export.dataset.kind, "format": export.format, "dataset": export.dataset.name}


def nudge_exports() -> None:
    """Wake a worker; a lost nudge costs the seconds until the next sweep."""
    nudge(RUN)
