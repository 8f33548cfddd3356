"""Opening, pausing and closing entries as cases come and go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from cases.calendars import CalendarError, due_at
from cases.models import Case, CaseEvent, Draft, User
from cases.models.people import system_actor
from cases.nudges import nudge
from cases.services.events import Occurrence, record_all
from cases.vocabulary import Risk, Route, Trigger

from ..models import Aside, Claim, Consultation, Entry, Passage, Queue
from ..routing import CaseFacts, QueueFacts, choose
from .claims import free, hand_to
from .clocks import CLOCK_COLUMNS, Rules
from .placing import authorities_of, case_facts, queue_facts, routed_queues, time_left
from .staffing import fitting

# Higher goes first. A customer who asked for a person, and a case that came back, stand before new ones of their risk.
PRIORITY = {Risk.LOW: 0, Risk.MEDIUM: 10, Risk.HIGH: 20, Risk.CRITICAL: 30}
CAME_BACK = 5
AUDIT_PRIORITY = -10  # Nobody waits for the second look at a sampled approval.
FALLBACK_SLA = timedelta(days=1)
SWEEP = "queues.tasks.sweep"
_RESUMED = ("paused_at", "pause_reason", "paused_seconds", *CLOCK_COLUMNS)


@dataclass(frozen=True)
class Arrival:
    """A case that is to wait for a person.

    ``last`` is the stay that goes on: its times stand, and a deadline that it missed was said then.
    """

    case: Case
    draft: Draft
    kind: Entry.Kind = Entry.Kind.REVIEW
    came_back: bool = False
    last: Passage | None = None

    @property
    def route(self) -> Route:
        return _route_for_people(self.draft)

    @property
    def wanted_by(self) -> datetime | None:
        """The caller's deadline is for the customer's answer, which a sampled approval has had."""
        return self.case.wanted_by if self.kind == Entry.Kind.REVIEW else None


def _route_for_people(draft: Draft) -> Route:
    """A draft that passed by itself and is looked at all the same needs a quick look."""
    return Route.QUICK_REVIEW if draft.route == Route.AUTO_APPROVE else Route(draft.route)


def open_entry(case: Case, draft: Draft, *, at: datetime, **how: Any) -> Entry:
    """``open_entries`` for one case; ``how`` are the further fields of its ``Arrival``."""
    return open_entries([Arrival(case, draft, **how)], at=at)[0]


def open_entries(arrivals: Sequence[Arrival], *, at: datetime) -> list[Entry]:
    """Put each case into the queue that routing chooses, with a deadline; a caller's earlier one wins.

    The number of statements does not depend on how many they are.
    """
    if not arrivals:
        return []
    rooms = _waiting_rooms(arrivals, at)
    entries = [_entry(arrival, rooms[arrival.case.tenant_id], at) for arrival in arrivals]
    _keep_out_declined(
        [
            entry
            for entry, arrival in zip(entries, arrivals, strict=True)
            if arrival.came_back or arrival.kind == Entry.Kind.SECOND
        ]
    )
    late = [entry for entry in entries if entry.due_at <= at and entry.breached_at is None]
    for entry in late:
        entry.breached_at = at
    for entry in entries:
        rooms[entry.tenant_id].set_clock(entry)
    Entry.objects.bulk_create(entries)
    say_breached([(entry, entry.queue) for entry in late], at)
    if late:  # The alarm need not wait for the next sweep.
        transaction.on_commit(lambda: nudge(SWEEP))
    return entries


def _keep_out_declined(entries: Sequence[Entry]) -> None:
    """Who declined a case for a conflict of interest does not get it when it comes back either."""
    if not entries:
        return
    declined = Aside.objects.filter(case__in=[entry.case_id for entry in entries], kind=Aside.Kind.DECLINE)
    for case_id, user_id in declined.values_list("case_id", "user_id"):
        for entry in entries:
            if entry.case_id == case_id:
                entry.excluded = sorted({*entry.excluded, user_id})


def keep_out_deciders(entry: Entry) -> None:
    """An appeal goes to somebody who has not judged the case yet, unless nobody else may have it at all."""
    judged = Claim.objects.filter(case=entry.case_id, end__in=[Claim.End.DECIDED, Claim.End.VOTED])
    deciders = set(judged.values_list("user", flat=True))
    if deciders and any(one.user_id not in deciders for one in fitting(entry)):
        entry.excluded = sorted({*entry.excluded, *deciders})
        entry.save(update_fields=["excluded"])


class _WaitingRoom:
    """A tenant's queues at one instant. Routing and deadlines are pure: what was worked out once holds again."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self.authorities: dict[UUID, str] = {}  # per case, where a queue asks for one
        self._queues: dict[str, Queue] = {}
        self._facts: list[QueueFacts] = []
        self._chosen: dict[CaseFacts, tuple[Queue, str]] = {}
        self._deadlines: dict[tuple[str, datetime | None], tuple[datetime, str]] = {}
        self._rules: dict[UUID, Rules] = {}
        self._looks: dict[tuple[Any, ...], datetime | None] = {}

    def add(self, queue: Queue) -> None:
        self._queues[queue.slug] = queue
        self._facts.append(queue_facts(queue))

    @property
    def asks_for_authority(self) -> bool:
        return any(facts.authority_code for facts in self._facts)

    def place(self, arrival: Arrival) -> tuple[Queue, str]:
        """The queue that takes the case, and why."""
        facts = case_facts(
            arrival.case,
            arrival.route,
            self._facts,
            authority=self.authorities.get(arrival.case.pk, ""),
            wanted_in=time_left(arrival.wanted_by, self._at),
        )
        if facts not in self._chosen:
            chosen, reason = choose(facts, self._facts)
            self._chosen[facts] = self._queues[chosen.slug], reason
        return self._chosen[facts]

    def deadline(self, queue: Queue, wanted_by: datetime | None) -> tuple[datetime, str]:
        """When a case is due in ``queue``, and what to add to the reason."""
        key = queue.slug, wanted_by
        if key not in self._deadlines:
            self._deadlines[key] = _deadline(queue, wanted_by, self._at)
        return self._deadlines[key]

    def set_clock(self, entry: Entry) -> None:
        """When the sweep looks at a new entry first."""
        key = (entry.queue_id, entry.clock_started_at, entry.due_at, entry.share_done, entry.breached_at is not None)
        if key not in self._looks:
            rules = self._rules.setdefault(entry.queue_id, Rules(entry.queue.sla_policy))
            rules.look_again(entry)
            self._looks[key] = entry.next_step_at
        entry.next_step_at = self._looks[key]


def _waiting_rooms(arrivals: Sequence[Arrival], at: datetime) -> dict[UUID, _WaitingRoom]:
    rooms = {arrival.case.tenant_id: _WaitingRoom(at) for arrival in arrivals}
    for queue in routed_queues(list(rooms)):
        rooms[queue.tenant_id].add(queue)
    authorities = authorities_of([a.case for a in arrivals if rooms[a.case.tenant_id].asks_for_authority])
    for room in rooms.values():
        room.authorities = authorities
    return rooms


def _entry(arrival: Arrival, room: _WaitingRoom, at: datetime) -> Entry:
    case, draft, last = arrival.case, arrival.draft, arrival.last
    queue, reason = room.place(arrival)
    due, remark = room.deadline(queue, arrival.wanted_by)
    priority = AUDIT_PRIORITY
    if arrival.kind == Entry.Kind.REVIEW:
        urgent = arrival.came_back or Trigger.USER_ESCALATION in draft.triggers
        priority = PRIORITY[Risk(case.risk)] + (CAME_BACK if urgent else 0)
    return Entry(
        tenant=case.tenant,
        case=case,
        kind=arrival.kind,
        queue=queue,
        queue_reason=(reason + remark)[:400],
        route=arrival.route,
        risk=case.risk,
        language=case.language,
        priority=priority,
        entered_at=last.entered_at if last else at,
        due_at=last.due_at if last else due,
        breached_at=last.breached_at if last else None,
        paused_seconds=last.paused_seconds if last else 0,
        clock_started_at=(last.clock_started_at or last.entered_at) if last else at,
        **({"clock": last.clock, "share_done": last.share_done} if last and last.clock else {}),
    )


def _deadline(queue: Queue, wanted_by: datetime | None, at: datetime) -> tuple[datetime, str]:
    try:
        return due_at(queue.sla_policy.duration, at, queue.sla_policy.clock, caller_deadline=wanted_by), ""
    except CalendarError as error:  # A broken calendar must not turn a case away.
        return at + FALLBACK_SLA, f"; its calendar failed ({error}), so that one day was set"


def locked_entry(case: Case) -> Entry | None:
    """The open entry under its lock. Always taken after the case's lock, never before."""
    return (
        Entry.objects.select_for_update(of=("self",))
        .select_related("queue__sla_policy__calendar")
        .filter(case=case)
        .first()
    )


def close_entry(case: Case, *, at: datetime, end: str) -> None:
    """The case has left: what was hot goes, its passage stays."""
    entry = locked_entry(case)
    if entry is None:
        return
    if entry.paused_at:
        Consultation.objects.filter(case=case, ended_at=None).update(ended_at=at, end=Consultation.End.CLOSED)
    _end_pause(entry, case, at)
    Claim.objects.filter(generation=entry.generation, ended_at=None).update(
        ended_at=at, end=Claim.End.DECIDED if end == CaseEvent.Kind.DECIDED else Claim.End.CLOSED
    )
    Passage(
        id=entry.pk,
        tenant_id=entry.tenant_id,
        case=case,
        kind=entry.kind,
        queue=entry.queue,
        route=entry.route,
        entered_at=entry.entered_at,
        due_at=entry.due_at,
        breached_at=entry.breached_at,
        clock=entry.clock,
        clock_started_at=entry.clock_started_at,
        share_done=entry.share_done,
        paused_seconds=entry.paused_seconds,
        left_at=at,
        end=end,
    ).save(force_insert=True)
    entry.delete()


def pause_entry(case: Case, *, at: datetime, reason: str, end: Claim.End = Claim.End.DECIDED) -> None:
    """Stop the clock: the case waits for somebody else. Its claim ends as ``end``."""
    entry = locked_entry(case)
    if entry is None or entry.paused_at:
        return
    free(entry, end)
    entry.paused_at, entry.pause_reason = at, reason
    entry.save(update_fields=["paused_at", "pause_reason"])


def resume_entry(case: Case, draft: Draft, *, at: datetime) -> Entry | None:
    """Start the clock again; the deadline moves by the pause, within a bound."""
    entry = locked_entry(case)
    if entry is None:
        return None
    _end_pause(entry, case, at)
    entry.route = _route_for_people(draft)
    entry.risk = case.risk  # A draft can raise the risk, and never lowers it.
    entry.priority = max(entry.priority, PRIORITY[Risk(case.risk)])
    entry.save(update_fields=[*_RESUMED, "route", "risk", "priority"])
    return entry


def restore_entry(case: Case, draft: Draft, *, at: datetime, to: User) -> Entry:
    """A decision was undone: the case stands before its reviewer again, with the deadline that it had."""
    entry = locked_entry(case)
    if entry is not None:  # It only waited for a draft.
        _end_pause(entry, case, at)
        entry.save(update_fields=_RESUMED)
    else:
        last = Passage.objects.filter(case=case).order_by("-left_at", "-id").first()
        entry = open_entry(case, draft, at=at, came_back=True, last=last)
    return hand_to(entry, to)


def hurry(case: Case) -> Entry | None:
    """The customer asked for a person: the case goes before the others of its risk."""
    entry = locked_entry(case)
    if entry is not None:
        entry.priority = max(entry.priority, PRIORITY[Risk(case.risk)] + CAME_BACK)
        entry.save(update_fields=["priority"])
    return entry


def end_pause(entry: Entry, at: datetime) -> None:
    """Start the clock of a locked entry again, and change nothing else of it."""
    _end_pause(entry, entry.case, at)
    entry.save(update_fields=_RESUMED)


def _end_pause(entry: Entry, case: Case, at: datetime) -> None:
    wanted_by = case.wanted_by if entry.kind == Entry.Kind.REVIEW else None
    Rules(entry.queue.sla_policy).end_pause(entry, at, wanted_by)


def say_breached(missed: Sequence[tuple[Entry, Queue]], at: datetime) -> None:
    """Entries missed their deadline in a queue: said once, in the timeline and to the webhooks. Nobody was promised a
    second look, so that a sample's deadline is not spoken of."""
    record_all(
        [
            Occurrence(entry.case, {"queue": queue.slug, "due_at": entry.due_at.isoformat()})
            for entry, queue in missed
            if entry.kind == Entry.Kind.REVIEW
        ],
        CaseEvent.Kind.SLA_BREACHED,
        system_actor(),
        at=at,
    )
