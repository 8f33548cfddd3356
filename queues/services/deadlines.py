"""The sweep over deadlines and the steps of SLAs.

It reads only the entries whose ``next_step_at`` has come, by the database's clock, so that the worker's own does not
matter. Each batch is one transaction of a fixed number of statements: a worker killed in the middle loses only its
batch, two sweeps at once share the rows, and one that comes an hour late takes every step that was missed, in order.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from cases.clock import db_now
from cases.models.heartbeats import Heartbeat
from cases.services import heartbeats
from cases.services.notices import tell

from ..models import Entry, Queue, StepFired
from ..steps import StepKind, next_steps
from .alarms import Alarm, news_of
from .clocks import Rules, rules_by_queue
from .entries import say_breached

BATCH = 500
SWEEP = "queues"  # its heartbeat
RAISED_BY = 5
HIGHEST_PRIORITY = 100


@dataclass
class Swept:
    """What a sweep did: entries looked at, deadlines newly missed, moves to another queue, and steps by kind."""

    looked_at: int = 0
    missed: int = 0
    moved: int = 0
    steps: Counter[StepKind] = field(default_factory=Counter)

    def figures(self) -> dict[str, int]:
        return {
            "looked_at": self.looked_at,
            "missed": self.missed,
            "moved": self.moved,
            **{str(kind): count for kind, count in sorted(self.steps.items())},
        }


def sweep_deadlines() -> Swept:
    """Mark every missed deadline and take every step that is due, each once; leaves a heartbeat when it is through."""
    swept = Swept()
    while moved := move_freed():
        swept.moved += moved
    while _sweep_batch(swept) == BATCH:
        pass
    heartbeats.beat(Heartbeat.Kind.SWEEP, SWEEP, **swept.figures())
    return swept


@transaction.atomic
def move_freed() -> int:
    """What was to escalate while somebody held it moves once it is free; returns how many of one batch."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH freed AS (
                SELECT id FROM queues_entry
                WHERE moves_when_free AND claimed_by_id IS NULL AND paused_at IS NULL
                ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
            )
            UPDATE queues_entry entry
            SET moves_when_free = false, next_step_at = %(now)s,
                queue_id = coalesce(target.id, entry.queue_id),
                queue_reason = coalesce(target.slug || ': overdue in ' || home.slug, entry.queue_reason)
            FROM freed, queues_queue home LEFT JOIN queues_queue target ON target.id = home.escalation_target_id
            WHERE entry.id = freed.id AND home.id = entry.queue_id
            """,
            {"batch": BATCH, "now": db_now()},
        )
        return cursor.rowcount


@transaction.atomic
def _sweep_batch(swept: Swept) -> int:
    now = db_now()
    due = list(
        Entry.objects.step_before(now)
        .order_by("next_step_at")
        .select_related("case__tenant", "case__current_draft")
        .select_for_update(skip_locked=True, of=("self",))[:BATCH]
    )
    if not due:
        return 0
    turn = _Turn(now, rules_by_queue({entry.queue_id for entry in due}))
    for entry in due:
        turn.look_at(entry)
    _store(due)
    StepFired.objects.bulk_create(turn.fired)
    say_breached(turn.missed, now)
    tell(news_of(turn.alarms), at=now)
    swept.looked_at += len(due)
    swept.missed += len(turn.missed)
    swept.moved += turn.moved
    swept.steps.update(StepKind(row.kind) for row in turn.fired)
    return len(due)


class _Turn:
    """One batch in memory: what has to be stored of it and told."""

    def __init__(self, now: datetime, rules: dict[UUID, tuple[Queue, Rules]]) -> None:
        self.now, self._rules = now, rules
        self.fired: list[StepFired] = []
        self.alarms: list[Alarm] = []
        self.missed: list[tuple[Entry, Queue]] = []
        self.moved = 0

    def look_at(self, entry: Entry) -> None:
        """Take all the steps of ``entry`` that have come, in order; where it moves, the new queue's steps go on."""
        entry.queue, rules = self._rules_of(entry.queue_id)
        if entry.breached_at is None and entry.due_at <= self.now:
            entry.breached_at = self.now
            self.missed.append((entry, entry.queue))
        while ahead := next_steps(rules.steps, entry.share_done):
            share, kinds = ahead
            reached_at = rules.clock_of(entry).reaches(share)
            if reached_at is None or reached_at > self.now:
                break
            for kind in kinds:
                self._take(entry, kind, share, reached_at)
            entry.share_done = share
            _, rules = self._rules_of(entry.queue_id)
        rules.look_again(entry)

    def _take(self, entry: Entry, kind: StepKind, share: int, reached_at: datetime) -> None:
        row = StepFired(
            tenant_id=entry.tenant_id,
            case_id=entry.case_id,
            clock=entry.clock,
            share=share,
            kind=kind,
            queue_id=entry.queue_id,
            was_held=entry.claimed_by_id is not None,
            planned_at=reached_at,
            at=self.now,
        )
        self.fired.append(row)
        self.alarms.append(Alarm(entry, entry.queue, kind, share))
        if kind == StepKind.RAISE_PRIORITY:
            entry.priority = max(entry.priority, min(entry.priority + RAISED_BY, HIGHEST_PRIORITY))
        elif kind == StepKind.ESCALATE:
            self._escalate(entry)

    def _escalate(self, entry: Entry) -> None:
        """Nobody's work is taken out of their hands: what is held moves when they let it go."""
        target = entry.queue.escalation_target
        if target is None:
            return
        if entry.claimed_by_id is not None:
            entry.moves_when_free = True
            return
        entry.queue_reason = f"{target.slug}: overdue in {entry.queue.slug}"
        entry.queue, entry.moves_when_free = self._rules_of(target.pk)[0], False
        self.moved += 1

    def _rules_of(self, queue_id: UUID) -> tuple[Queue, Rules]:
        if queue_id not in self._rules:
            self._rules |= rules_by_queue({queue_id})
        return self._rules[queue_id]


_STORED = (  # what a sweep changes of an entry, with the types of the columns
    ("breached_at", "timestamptz"),
    ("share_done", "smallint"),
    ("next_step_at", "timestamptz"),
    ("priority", "smallint"),
    ("queue_id", "uuid"),
    ("queue_reason", "text"),
    ("moves_when_free", "boolean"),
)
_STORE = f"""
    UPDATE queues_entry entry SET {", ".join(f"{name} = new.{name}" for name, _ in _STORED)}
    FROM unnest(%s::uuid[], {", ".join(f"%s::{kind}[]" for _, kind in _STORED)})
        AS new (id, {", ".join(name for name, _ in _STORED)})
    WHERE entry.id = new.id
"""


def _store(entries: Sequence[Entry]) -> None:
    """One statement: Django's ``bulk_update`` writes a CASE for every row and column."""
    columns: Iterable[list] = ([getattr(entry, name) for entry in entries] for name, _ in _STORED)
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [[entry.pk for entry in entries], *columns])


def look_anew(policy_id: UUID) -> int:
    """The steps or the hours of an SLA have changed: the next sweep looks at each of its entries anew, and takes what
    has come by the new rules and was not taken yet. Returns how many."""
    entries = Entry.objects.filter(queue__sla_policy=policy_id, paused_at=None)
    return entries.update(next_step_at=db_now())
