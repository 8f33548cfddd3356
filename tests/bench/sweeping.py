"""The sweeps of lost leases and of deadlines over many open entries, of which few are due.

A due entry misses its deadline and takes all three standard steps: three rows, an event, and its supervisors' notices.
"""

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.db import connection

from cases.clock import db_now
from queues.models import Entry
from queues.services import claims
from queues.services.deadlines import sweep_deadlines

from .figures import Figure
from .ground import FEW, WAITING, Ground, give_back
from .load import timed


def sweeps(ground: Ground, due: int) -> Iterator[Figure]:
    """Each with ``due`` entries to act on, among all that are open, beside the same among few."""
    seconds: dict[tuple[str, str], float] = {}
    open_entries: dict[str, int] = {}
    grown: dict[str, int] = {}
    for name in (FEW, WAITING):
        with ground.on(name):
            open_entries[name] = Entry.objects.count()
            _lose(ground, due)
            seconds["lost", name] = timed(lambda: _exactly(due, claims.return_lost(limit=due)))
            give_back()
            _miss(due)
            before = _forget_peak()
            seconds["missed", name] = timed(lambda: _exactly(due, sweep_deadlines().missed))
            grown[name] = max(0, _peak() - before)
    for kind, what in (("lost", "sweep of lost leases"), ("missed", "sweep of missed deadlines and their steps")):
        for name in (FEW, WAITING):
            figure = f"{seconds[kind, name]:.2f} s"
            if kind == "missed":
                figure += f", +{grown[name]} MB"
            ratio = seconds[kind, name] / seconds[kind, FEW] if name == WAITING else None
            beside = f"{open_entries[FEW]:,} open" if name == WAITING else ""
            yield Figure(f"{what}, {due:,} due of {open_entries[name]:,} open", due, figure, ratio, beside)


def _exactly(due: int, swept: int) -> None:
    assert swept == due, f"{swept} were swept and {due} were due"


def _lose(ground: Ground, due: int) -> None:
    """Leases that ran out: ``due`` entries claimed by the SQL of a claim, an hour ago, each in a place of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS (
                UPDATE queues_entry SET claimed_by_id = %(user)s, claimed_at = now() - interval '1 hour',
                    lease_expires_at = now() - interval '45 minutes', generation = nextval('queues_generation')
                WHERE id IN (SELECT id FROM queues_entry WHERE claimed_by_id IS NULL ORDER BY id LIMIT %(due)s)
                RETURNING tenant_id, case_id, queue_id, generation, claimed_at
            )
            INSERT INTO queues_claim (generation, tenant_id, case_id, queue_id, user_id, place, claimed_at, "end")
            SELECT generation, tenant_id, case_id, queue_id, %(user)s, row_number() OVER (), claimed_at, '' FROM held
            """,
            {"user": ground.reviewers[0].pk, "due": due},
        )


def _miss(due: int) -> None:
    late = Entry.objects.filter(breached_at=None).order_by("id").values("pk")[:due]
    past = db_now() - timedelta(hours=1)
    Entry.objects.filter(pk__in=late).update(due_at=past, next_step_at=past)


def _forget_peak() -> int:
    """Let the peak begin at what is held now, where the system can: what was measured before took memory as well."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """The most memory that this process held, in MB: since ``_forget_peak`` on Linux, else ever."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) // 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)
