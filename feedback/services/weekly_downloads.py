"""Fetching the files of a weekly export, each by its name and on record."""

from typing import IO, Any

from django.core.files.storage import storages

from cases.errors import NotFound
from cases.models import CaseEvent, User
from cases.permissions import require
from cases.services.events import record_for

from ..errors import NotReady
from ..kinds import Kind
from ..models import WeeklyExport
from ..states import WeeklyState


def download(export: WeeklyExport, name: str, *, actor: User) -> IO[bytes]:
    """The file ``name`` (``override_rows.FILES``), open; who fetched it is kept before the first byte leaves.

    Raises ``Denied``, ``NotReady`` and, where the week has no such file, ``NotFound``.
    """
    require(actor, "export_data", export.tenant)
    if export.state != WeeklyState.READY:
        raise NotReady("Its files are being written. Try again in a minute.")
    try:
        file = storages["exports"].open(_entry(export, name)["key"], "rb")
    except FileNotFoundError:
        raise NotReady("The file is not in the storage any more.") from None
    record_for(
        export.tenant,
        CaseEvent.Kind.EXPORT_DOWNLOADED,
        actor,
        subject=export.wire_id,
        export_kind=str(Kind.OVERRIDES),
        week=str(export.iso_week),
        file=name,
    )
    return file


def _entry(export: WeeklyExport, name: str) -> dict[str, Any]:
    for entry in export.files:
        if entry["name"] == name:
            return entry
    raise NotFound(f"{export} has no file {name}.")


def file_name(export: WeeklyExport, name: str) -> str:
    """What the file is called where it is saved: ``acme-2027-W18-overrides.csv``."""
    return f"{export.tenant.slug}-{export.iso_week}-{name}"
