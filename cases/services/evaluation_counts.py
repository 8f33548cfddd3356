"""Counting what became of evaluations, for the health page and Prometheus.

Every process adds up in memory and writes at most once in ``EVERY`` seconds, so that busy intakes do not wait for each
other at one row. What a process that is killed had not written is lost: these are figures to watch, not to prove by.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum

from ..clock import db_now
from ..evaluations import Status
from ..models import EvaluationCount

log = structlog.get_logger(__name__)

SLOT = timedelta(minutes=10)
KEPT = timedelta(days=7)
WATCHED = timedelta(hours=1)
EVERY = 5.0  # seconds

_ADD = f"""
    INSERT INTO cases_evaluationcount (signal, slot, {", ".join(Status)})
    SELECT signal, date_bin('10 minutes', %s, 'epoch'::timestamptz), {", ".join(Status)}
    FROM unnest(%s::text[], {", ".join("%s::bigint[]" for _ in Status)}) AS t (signal, {", ".join(Status)})
    ORDER BY signal
    ON CONFLICT (slot, signal) DO UPDATE
    SET {", ".join(f"{name} = cases_evaluationcount.{name} + excluded.{name}" for name in Status)}
"""


class _Tally:
    """What this process has counted and not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Status]] = Counter()
        self._written = float("-inf")

    def add(self, found: Mapping[str, Sequence[Status]]) -> Counter[tuple[str, Status]]:
        """Add ``found``; what is to be written now, or nothing."""
        with self._lock:
            for signal, statuses in found.items():
                self._counts.update((signal, status) for status in statuses)
            if time.monotonic() - self._written < EVERY:
                return Counter()
            self._written = time.monotonic()
            due, self._counts = self._counts, Counter()
            return due

    def put_back(self, counts: Counter[tuple[str, Status]]) -> None:
        with self._lock:
            self._counts.update(counts)

    def forget(self) -> None:
        self.__init__()


tally = _Tally()


def count(found: Mapping[str, Sequence[Status]]) -> None:
    """Count per signal what became of each evaluation. A database that is away fails no intake here."""
    due = tally.add(found)
    if not due:
        return
    signals = sorted({signal for signal, _ in due})
    columns = [[due[signal, status] for signal in signals] for status in Status]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ADD, [db_now(), signals, *columns])
    except DatabaseError as error:
        tally.put_back(due)
        log.warning("evaluations_not_counted", error=type(error).__name__)


@dataclass(frozen=True)
class Counted:
    """One signal within about the last hour."""

    signal: str
    by_status: Mapping[Status, int]

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def faults(self) -> int:
        return self.by_status[Status.LATE] + self.by_status[Status.FAILED]


def recent(now: datetime) -> list[Counted]:
    """The signals that were evaluated within ``WATCHED``, by name; one query."""
    rows = EvaluationCount.objects.filter(slot__gt=now - WATCHED - SLOT).values("signal").order_by("signal")
    sums = rows.annotate(**{f"n_{status}": Sum(str(status)) for status in Status})
    return [Counted(row["signal"], {status: row[f"n_{status}"] for status in Status}) for row in sums]


def purge() -> int:
    """Drop what is older than ``KEPT``; returns how many rows."""
    return EvaluationCount.objects.filter(slot__lt=db_now() - KEPT).delete()[0]
