"""What supervisors do with the cases of their queues: take back, give, hand over, spread, set another deadline. Each
says who did it and why.

Whoever loses a case keeps the text that they wrote; what they send after that is stale and changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from guardian.shortcuts import get_objects_for_user

from cases.clock import db_now
from cases.errors import CountersignError, Stale
from cases.models import CaseEvent, User
from cases.permissions import require
from cases.services.events import record
from cases.services.members import stand_in_of

from ..balance import Piece, Worker, plan
from ..errors import DeadlineInvalid, Unassignable
from ..models import Claim, Entry, Queue, Reviewer
from .claims import free
from .clocks import Rules, restart
from .fitness import fitness_of, reads
from .keeping import keep
from .staffing import reviewers_of

GIVEN_FOR = timedelta(hours=4)  # How long a case stays with whom it was given to before it is anybody's again.
MOST = 500  # cases of a queue that are spread at once, the most urgent first
REASON_LENGTH = 500
FURTHEST = timedelta(days=90)  # from now that a deadline can be set by hand


@dataclass
class Moves:
    """How a change of many cases went: how many moved, to whom, and what was refused, in words."""

    moved: Counter = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.moved.total()


def supervised(actor: User, queues: QuerySet[Queue] | None = None) -> QuerySet[Queue]:
    """The queues that ``actor`` supervises: agrees with ``permissions.allowed`` on each."""
    queues = Queue.objects.all() if queues is None else queues
    if actor.is_superuser:
        return queues
    held = get_objects_for_user(
        actor, "queues.supervise_queue", klass=queues, accept_global_perms=False, with_superuser=False
    )
    member = {"tenant__memberships__user": actor, "tenant__memberships__is_active": True, "tenant__is_active": True}
    return held.filter(**member)


@transaction.atomic
def take_back(entry_id: UUID, *, actor: User, reason: str = "") -> None:
    """Return somebody's case, held or set aside, to its old place; nothing happens where it is nobody's."""
    entry = locked(entry_id, actor)
    if entry.claimed_by_id or entry.kept_for_id:
        holder = entry.claimed_by or entry.kept_for
        free(entry, Claim.End.TAKEN, by=actor)
        note = reason.strip()[:REASON_LENGTH]
        record(entry.case, CaseEvent.Kind.TAKEN_BACK, actor, note=note, holder=holder.username)


@transaction.atomic
def give(entry_id: UUID, *, actor: User, to: User, reason: str) -> User:
    """Give a case, whoever has it, to ``to``, or while they are away to their delegate; returns who has it now.

    It is what they are offered next, and for ``GIVEN_FOR`` nobody else is. Raises ``Unassignable`` where they may not
    have it or do not work now, and ``Denied``.
    """
    entry = locked(entry_id, actor)
    if entry.paused_at:
        raise Unassignable(f"{entry.case} is on hold ({entry.pause_reason.lower()}). Nothing was changed.")
    person = _taker(entry, to)
    if person.pk in (entry.claimed_by_id, entry.kept_for_id):
        return person
    _give(entry, person, actor, reason)
    return person


def hand_over(holder: User, *, actor: User, reason: str, to: User | None = None, queues: Sequence[Queue] = ()) -> Moves:
    """Move all that ``holder`` has in the queues that ``actor`` supervises (or in ``queues`` of them) to ``to``, or
    back to its queues without one. Each case by itself: what is refused stays, and is said."""
    watched = supervised(actor)
    if queues:
        watched = watched.filter(pk__in=[queue.pk for queue in queues])
    theirs = Entry.objects.filter(Q(claimed_by=holder) | Q(kept_for=holder), queue__in=watched)
    return move([entry.pk for entry in theirs.by_urgency()[:MOST]], actor=actor, reason=reason, to=to)


def move(entry_ids: Sequence[UUID], *, actor: User, reason: str, to: User | None = None) -> Moves:
    """Give many cases to ``to``, or take them back without one; each in a transaction of its own."""

    def one(entry_id: UUID) -> User | None:
        if to is not None:
            return give(entry_id, actor=actor, to=to, reason=reason)
        return take_back(entry_id, actor=actor, reason=reason)

    return in_turn(entry_ids, one)


def in_turn(entry_ids: Sequence[UUID], change: Callable[[UUID], User | None]) -> Moves:
    """``change`` each entry, which answers who has it now; what one refuses stays, is said, and stops no other."""
    moves = Moves()
    for entry_id in entry_ids:
        try:
            moves.moved[change(entry_id)] += 1
        except Entry.DoesNotExist:
            moves.refused.append("A case has left its queue meanwhile.")
        except CountersignError as error:
            moves.refused.append(error.message)
    return moves


@transaction.atomic
def rebalance(queue_id: UUID, *, actor: User, reason: str) -> Moves:
    """Spread the cases of a queue over the people who are at work: see ``balance.plan``."""
    queue = Queue.objects.select_related("tenant").get(pk=queue_id)
    require(actor, "supervise_queue", queue)
    people = list(reviewers_of(queue).filter(at_work=True).select_related("user"))
    rows = (
        Entry.objects.filter(queue=queue, paused_at=None)
        .select_related("case__tenant", "case__current_draft", "queue", "claimed_by", "kept_for")
        .by_urgency()
        .select_for_update(skip_locked=True, of=("self",))[:MOST]
    )
    entries = {entry.pk: entry for entry in rows}
    has = loads(queue.tenant_id, [one.user_id for one in people])
    workers = [Worker(one.user_id, one.capacity, has[one.user_id]) for one in people]
    pieces = [_piece(entry, people) for entry in entries.values()]
    by_id = {one.user_id: one.user for one in people}
    moves = Moves()
    for entry_id, user_id in plan(workers, pieces):
        _give(entries[entry_id], by_id[user_id], actor, reason)
        moves.moved[by_id[user_id]] += 1
    return moves


@transaction.atomic
def set_deadline(entry_id: UUID, due_at: datetime, *, actor: User, reason: str, seen: datetime | None = None) -> Entry:
    """Give a waiting case another deadline, earlier or later, with its own clock; held or not, it stays where it is.

    What the customer was promised does not change, and a deadline that was missed stays missed. ``seen`` is the one
    that ``actor`` looked at. Raises ``DeadlineInvalid``, ``Stale`` where it has changed since, and ``Denied``.
    """
    entry = locked(entry_id, actor)
    if seen is not None and seen != entry.due_at:
        raise Stale(f"The deadline has changed since: it is {entry.due_at:%d %b %H:%M} UTC now. Nothing was changed.")
    now, reason, before = db_now(), reason.strip()[:REASON_LENGTH], entry.due_at
    if not reason:
        raise DeadlineInvalid("Say why in a few words. Nothing was changed.", pointer="/reason")
    if entry.paused_at:
        raise DeadlineInvalid(
            f"The clock stands ({entry.pause_reason.lower()}) and moves the deadline when it goes on. Set it then; "
            "nothing was changed.",
            pointer="/due_at",
        )
    if not now < due_at <= now + FURTHEST:
        raise DeadlineInvalid(
            f"Choose a time from now on, at most {FURTHEST.days} days ahead. Nothing was changed.", pointer="/due_at"
        )
    restart(entry, Rules(entry.queue.sla_policy), due_at)
    entry.moves_when_free = False  # That was for the deadline before; this one escalates by itself.
    entry.save(update_fields=["due_at", "clock", "share_done", "next_step_at", "moves_when_free"])
    words = {"was": before.isoformat(timespec="minutes"), "due_at": due_at.isoformat(timespec="minutes")}
    record(entry.case, CaseEvent.Kind.DEADLINE_SET, actor, at=now, note=reason, queue=entry.queue.slug, **words)
    return entry


def _piece(entry: Entry, people: Sequence[Reviewer]) -> Piece:
    fits = frozenset(
        one.user_id
        for one in people
        if one.user_id not in entry.excluded
        and one.user_id not in entry.passed_by
        and reads(one.languages, entry.language)
    )
    return Piece(entry.pk, entry.claimed_by_id or entry.kept_for_id, fits)


def loads(tenant_id: UUID, user_ids: Sequence[UUID]) -> Counter:
    """How many cases each has, claimed or kept, in two queries."""
    mine = Entry.objects.filter(tenant=tenant_id)
    claimed = Counter(mine.filter(claimed_by__in=user_ids).values_list("claimed_by", flat=True))
    return claimed + Counter(mine.filter(kept_for__in=user_ids).values_list("kept_for", flat=True))


def locked(entry_id: UUID, actor: User) -> Entry:
    """The entry under its lock, of a queue that ``actor`` supervises. Raises ``Denied``, ``Entry.DoesNotExist``."""
    Entry.objects.select_for_update().only("pk").get(pk=entry_id)
    links = (
        "queue__tenant",
        "queue__sla_policy__calendar",
        "case__tenant",
        "case__current_draft",
        "claimed_by",
        "kept_for",
    )
    entry = Entry.objects.select_related(*links).get(pk=entry_id)
    require(actor, "supervise_queue", entry.queue)
    return entry


def _taker(entry: Entry, to: User) -> User:
    tenant = entry.case.tenant
    person = stand_in_of(to, tenant, db_now())
    if person is None:
        raise Unassignable(f"{to} is away, and nobody stands in. Choose somebody else; nothing was changed.")
    fitness = fitness_of(person, tenant)
    if fitness is None or not fitness.works(entry):
        raise Unassignable(
            f"{person} may not have {entry.case}: it takes a skill, a right, or no conflict of interest."
        )
    if entry.kind == Entry.Kind.SECOND and fitness.spares(entry):
        raise Unassignable(f"{person} has had their share of second looks. Choose somebody else; nothing was changed.")
    if not fitness.reads(entry.language):
        raise Unassignable(f"{person} does not read {entry.language}, the language of {entry.case}.")
    if not fitness.is_working:
        raise Unassignable(f"{person} does not work now. Choose somebody who is on shift; nothing was changed.")
    return person


def _give(entry: Entry, person: User, actor: User, reason: str) -> None:
    now = db_now()
    free(entry, Claim.End.TAKEN, by=actor)
    keep(entry, person, back_at=now, kept_until=now + GIVEN_FOR)
    note = reason.strip()[:REASON_LENGTH]
    record(entry.case, CaseEvent.Kind.ASSIGNED, actor, at=now, note=note, to=person.username)
