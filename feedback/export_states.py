"""The states of an export and the only moves between them (see ``cases.states``). Pure."""

from django.db.models import TextChoices

from cases.states import Move


class ExportState(TextChoices):
    QUEUED = "queued", "Waiting for a worker"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "File removed"


S = ExportState
INITIAL = (S.QUEUED,)
MOVES = (
    Move("start", (S.QUEUED,), S.RUNNING, "a worker took it"),
    Move("requeue", (S.RUNNING,), S.QUEUED, "its worker handed it on, or was lost"),
    Move("finish", (S.RUNNING,), S.READY, "the file is whole and stored"),
    Move("fail", (S.QUEUED, S.RUNNING), S.FAILED, "it failed too often"),
    Move("cancel", (S.QUEUED, S.RUNNING), S.CANCELLED, "somebody cancelled it"),
    Move("expire", (S.READY,), S.EXPIRED, "its file was kept long enough"),
)
ACTIVE = (S.QUEUED, S.RUNNING)
