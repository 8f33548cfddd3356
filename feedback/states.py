"""The states of exports and the only moves between them; the database's triggers are built from these. Pure."""

from django.db.models import TextChoices

from cases.states import Move


class ExportState(TextChoices):
    """An export that somebody asked for."""

    QUEUED = "queued", "Waiting for a worker"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "File removed"


E = ExportState
ACTIVE = (E.QUEUED, E.RUNNING)
EXPORT_INITIAL = (E.QUEUED,)
EXPORT_MOVES = (
    Move("start", (E.QUEUED,), E.RUNNING, "a worker took it"),
    Move("requeue", (E.RUNNING,), E.QUEUED, "its worker handed it on, or was lost"),
    Move("finish", (E.RUNNING,), E.READY, "the file is whole and stored"),
    Move("fail", ACTIVE, E.FAILED, "it failed too often"),
    Move("cancel", ACTIVE, E.CANCELLED, "somebody cancelled it"),
    Move("expire", (E.READY,), E.EXPIRED, "its file was kept long enough"),
)


class WeeklyState(TextChoices):
    """The export of a week: its rows are fixed from the start."""

    FROZEN = "frozen", "Being written"
    READY = "ready", "Ready"


WEEKLY_INITIAL = (WeeklyState.FROZEN,)
WEEKLY_MOVES = (
    Move("deliver", (WeeklyState.FROZEN,), WeeklyState.READY, "its files are in the storage and it is announced"),
)
