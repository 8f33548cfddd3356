"""Rows that a worker turns into a stored file under a lease, a minute at a time: data sets and evidence packs alike.

A worker takes what is queued, says how far it is, which keeps its lease, and after a minute hands on what is not done,
so that no task outlasts the broker's patience and nothing short waits for something long. A killed worker's lease runs
out and the sweep queues its row again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q

from cases.clock import db_now

from ..models import EvidencePack, Export
from ..states import ExportState
from .export_files import storage

LEASE = timedelta(seconds=90)  # Far above the time between two words of how far it is.
SLICE_SECONDS = 45
MOST_ATTEMPTS = 5
FAILED = "It failed several times; the log says why. Ask for it again."

Row = TypeVar("Row", Export, EvidencePack)


class LeaseLost(Exception):
    """The row was cancelled, or another worker has it."""


@dataclass(frozen=True)
class Leases(Generic[Row]):
    """The leases of one model. ``failed`` is told of a row that has failed, in the transaction that says so."""

    model: type[Row]
    locked: Callable[[UUID], Row]
    nudge: Callable[[], None]
    failed: Callable[[Row], None]

    def sweep(self, run: Callable[..., Any], *, seconds: float) -> int:
        """Have ``run`` work on what waits or was left by a lost worker, and remove what is old; returns on how many."""
        ends = monotonic() + seconds
        self.expire()
        touched = 0
        while (left := ends - monotonic()) > 0:
            waiting = self.model.objects.filter(
                Q(state=ExportState.QUEUED) | Q(state=ExportState.RUNNING, leased_until__lt=db_now())
            )
            row_id = waiting.order_by("requested_at").values_list("pk", flat=True).first()
            if row_id is None:
                break
            run(row_id, seconds=left)
            touched += 1
        if self.model.objects.filter(state=ExportState.QUEUED).exists():
            self.nudge()
        return touched

    @transaction.atomic
    def take(self, row_id: UUID) -> Row | None:
        """The row under a lease of our own; None where it is in other hands, or at its end."""
        row = self.locked(row_id)
        now = db_now()
        if row.state == ExportState.RUNNING and row.leased_until and row.leased_until < now:
            row.requeue()
        if row.state != ExportState.QUEUED:
            return None
        if row.attempts >= MOST_ATTEMPTS:
            self._fail(row, FAILED)
            return None
        if row.file_key:  # Stored by a worker that was lost before it could say so.
            storage().delete(row.file_key)
            row.file_key = ""
        row.start()
        row.attempts += 1
        row.lease, row.leased_until = uuid4(), now + LEASE
        row.save()
        return row

    def go_on(self, row: Row, **changes: Any) -> None:
        """Keep the lease and store ``changes``; raises ``LeaseLost``."""
        ours = self.model.objects.filter(pk=row.pk, lease=row.lease, state=ExportState.RUNNING)
        if not ours.update(**changes, leased_until=db_now() + LEASE):
            raise LeaseLost

    def held(self, row: Row) -> Row:
        """Our row under its lock, in the caller's transaction; raises ``LeaseLost``."""
        current = self.locked(row.pk)
        if current.lease != row.lease or current.state != ExportState.RUNNING:
            raise LeaseLost
        return current

    @transaction.atomic
    def hand_on(self, row: Row, **changes: Any) -> None:
        """Queue it again after a slice that went well, with ``changes``."""
        current = self.held(row)
        current.attempts = 0
        self._let_go(current, **changes)
        transaction.on_commit(self.nudge)

    @transaction.atomic
    def give_back(self, row: Row, final: str = "") -> None:
        """After an error: another worker tries again, up to ``MOST_ATTEMPTS`` times, or never with ``final`` words."""
        try:
            current = self.held(row)
        except LeaseLost:
            return
        if final or current.attempts >= MOST_ATTEMPTS:
            self._fail(current, final or FAILED)
        else:
            self._let_go(current)

    def was_cancelled(self, row: Row) -> bool:
        return self.model.objects.filter(pk=row.pk, state=ExportState.CANCELLED).exists()

    def expire(self) -> None:
        """Remove the files that were kept long enough; what tells them stays."""
        old = self.model.objects.filter(state=ExportState.READY, expires_at__lt=db_now())
        for row_id in list(old.order_by("expires_at").values_list("pk", flat=True)[:100]):
            with transaction.atomic():
                row = self.locked(row_id)
                if row.state != ExportState.READY:
                    continue
                storage().delete(row.file_key)
                row.expire()
                row.save()

    def _let_go(self, row: Row, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(row, name, value)
        row.requeue()
        row.lease = row.leased_until = None
        row.save()

    def _fail(self, row: Row, why: str) -> None:
        row.fail()
        row.error, row.finished_at = why[:300], db_now()
        row.lease = row.leased_until = None
        row.save()
        self.failed(row)
