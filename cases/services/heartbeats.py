"""Signs of life of what runs by itself; the health page reads them, without the help of what wrote them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ..clock import db_now
from ..models import Heartbeat

SILENT_AFTER = timedelta(seconds=60)  # A worker that has said nothing for so long is dead.
FORGOTTEN_AFTER = timedelta(hours=1)  # After that it is taken for one that was replaced.


def beat(kind: Heartbeat.Kind, name: str, **detail: Any) -> None:
    """Note that ``name`` is alive now; ``detail`` is figures for the health page."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name[:200], kind=kind, at=db_now(), detail=detail)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["kind", "at", "detail"],
    )


def stop(name: str) -> None:
    """``name`` ended as it should, and is not to be missed."""
    Heartbeat.objects.filter(pk=name[:200]).delete()


def last(name: str) -> Heartbeat | None:
    return Heartbeat.objects.filter(pk=name).first()


def workers() -> tuple[Sequence[Heartbeat], Sequence[Heartbeat]]:
    """The workers that live, and those that fell silent within the last hour."""
    now = db_now()
    known = Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER, at__gt=now - FORGOTTEN_AFTER).order_by("name")[:200]
    alive = [worker for worker in known if worker.at > now - SILENT_AFTER]
    return alive, [worker for worker in known if worker.at <= now - SILENT_AFTER]


def forget_replaced() -> int:
    """Drop the rows of workers that fell silent long ago; returns how many."""
    long_ago = db_now() - FORGOTTEN_AFTER
    return Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER, at__lt=long_ago).delete()[0]
