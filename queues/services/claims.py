"""Claiming: who has which case, under a lease and a generation.

The SQL is one statement, so that picking, holding and recording a case are one step: reading first and updating after
gives the same case to two people. It locks entries alone and joins nothing.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from cases.clock import db_now
from cases.models import Case, Tenant, User
from cases.permissions import require

from ..errors import AlreadyClaimed, NotClaimed, NotFit, NotWaiting, StaleClaim
from ..models import Claim, Entry
from ..routing import primary
from .fitness import Fitness, fitness_of

LEASE = timedelta(minutes=15)

_CLAIM = """
WITH next AS (
    SELECT id FROM queues_entry
    WHERE tenant_id = %(tenant)s AND claimed_by_id IS NULL AND paused_at IS NULL
      AND queue_id = ANY(%(queues)s)
      AND (%(languages)s = '{{}}'::text[] OR language = 'und'
           OR split_part(lower(language), '-', 1) = ANY(%(languages)s))
      AND NOT %(user)s = ANY(excluded)
      {only}
    ORDER BY priority DESC, due_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), held AS (
    UPDATE queues_entry entry
    SET claimed_by_id = %(user)s, claimed_at = %(now)s, lease_expires_at = %(now)s + %(lease)s,
        generation = nextval('queues_generation')
    FROM next WHERE entry.id = next.id
    RETURNING entry.id, entry.tenant_id, entry.case_id, entry.queue_id, entry.generation
), recorded AS (
    INSERT INTO queues_claim (generation, tenant_id, case_id, queue_id, user_id, claimed_at, "end")
    SELECT generation, tenant_id, case_id, queue_id, %(user)s, %(now)s, '' FROM held
)
SELECT id FROM held
"""


@transaction.atomic
def claim_next(user: User, *, tenant: Tenant | None = None, queue_slug: str = "") -> Entry | None:
    """The case that ``user`` should look at now: their own unfinished first, then the most urgent that they fit.

    None when nothing waits for them or they hold as much as they may. Raises ``NotFit`` for somebody who is no
    reviewer, is off shift or paused.
    """
    fitness = working(user, tenant)
    held = Entry.objects.held().filter(tenant=fitness.reviewer.tenant, claimed_by=user)
    own = list(held.order_by("claimed_at").values_list("pk", "case__state", "queue__slug"))
    for pk, _, slug in own:
        if not queue_slug or slug == queue_slug:
            return _entry(pk)
    if len(own) >= fitness.reviewer.capacity:
        return None
    return _claim(fitness, user, queue_slug=queue_slug)


@transaction.atomic
def claim(case: Case, user: User) -> Entry:
    """Take this very case. Raises ``AlreadyClaimed``, ``NotWaiting`` or ``NotFit``."""
    fitness = working(user, case.tenant)
    entry = Entry.objects.select_related("claimed_by").filter(case=case).first()
    if entry is None or entry.paused_at:
        raise NotWaiting("This case does not wait for a person now. Take the next one instead.")
    if entry.claimed_by_id == user.pk:
        return _entry(entry.pk)
    if entry.claimed_by_id:
        raise AlreadyClaimed(
            f"{entry.claimed_by} has this case until {entry.lease_expires_at:%H:%M} UTC. Take another one."
        )
    claimed = _claim(fitness, user, case=case)
    if claimed is None:
        if entry.queue_id not in fitness.queue_ids or user.pk in entry.excluded:
            raise NotFit(f"You do not work {entry.queue}: it takes another skill or right. Ask a supervisor.")
        if fitness.languages and primary(entry.language) not in fitness.languages:
            raise NotFit(f"This case is in the language {entry.language}, which your profile does not name.")
        raise AlreadyClaimed("Somebody else has just taken this case. Take another one.")
    return claimed


def working(user: User, tenant: Tenant | None) -> Fitness:
    """The reviewer behind ``user``; raises ``NotFit`` for anybody who cannot take cases now."""
    fitness = fitness_of(user, tenant)
    if fitness is None:
        raise NotFit("You are no reviewer here. Ask a supervisor to add you.")
    if not fitness.reviewer.is_on_shift:
        raise NotFit("You are off shift, so that no case is given to you. Start your shift first.")
    if fitness.reviewer.is_paused:
        raise NotFit("Your reviews are paused. Talk to your supervisor.")
    return fitness


def _claim(fitness: Fitness, user: User, *, queue_slug: str = "", case: Case | None = None) -> Entry | None:
    queues = [queue.pk for queue in fitness.queues if not queue_slug or queue.slug == queue_slug]
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM.format(only="AND case_id = %(case)s" if case else ""),
            {
                "tenant": fitness.reviewer.tenant_id,
                "queues": queues,
                "languages": list(fitness.languages),
                "user": user.pk,
                "now": db_now(),
                "lease": LEASE,
                "case": case.pk if case else None,
            },
        )
        row = cursor.fetchone()
    return _entry(row[0]) if row else None


def _entry(pk: UUID) -> Entry:
    return Entry.objects.select_related("queue", "claimed_by").get(pk=pk)


def hold(case_id: UUID, user: User, generation: int) -> Entry:
    """The entry of a case under its lock, if this claim still stands. Raises ``StaleClaim`` or ``NotClaimed``.

    Asked before the case's state: somebody whose claim is gone learns that first. A lease that has run out still
    counts until the sweep returns the case or somebody else takes it.
    """
    entry = Entry.objects.select_for_update(of=("self",)).select_related("queue").filter(case=case_id).first()
    if entry and entry.generation == generation and entry.claimed_by_id == user.pk:
        return entry
    had_it = Claim.objects.filter(generation=generation, case=case_id, user=user).exists()
    if entry and entry.claimed_by_id is None and not had_it:
        raise NotClaimed("Take this case before you decide it.")
    raise StaleClaim(
        "This case has gone back to the queue or to somebody else since you took it. "
        "Nothing was changed, and your text was kept."
    )


@transaction.atomic
def heartbeat(case_id: UUID, user: User, generation: int) -> datetime:
    """Renew the lease; returns its new end."""
    entry = hold(case_id, user, generation)
    entry.lease_expires_at = db_now() + LEASE
    entry.save(update_fields=["lease_expires_at"])
    return entry.lease_expires_at


@transaction.atomic
def release(case_id: UUID, user: User, generation: int) -> None:
    """Give the case back to the queue, in its old place."""
    free(hold(case_id, user, generation), Claim.End.RELEASED)


@transaction.atomic
def take_back(entry_id: UUID, *, actor: User) -> None:
    """A supervisor returns somebody's case to the queue."""
    entry = Entry.objects.select_for_update(of=("self",)).select_related("queue__tenant").get(pk=entry_id)
    require(actor, "supervise_queue", entry.queue)
    if entry.claimed_by_id:
        free(entry, Claim.End.RELEASED)


def hand_to(entry: Entry, user: User) -> Entry:
    """Give a locked, free entry to ``user`` under a new claim."""
    now = db_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('queues_generation')")
        entry.generation = cursor.fetchone()[0]
    entry.claimed_by, entry.claimed_at, entry.lease_expires_at = user, now, now + LEASE
    entry.save(update_fields=["claimed_by", "claimed_at", "lease_expires_at", "generation"])
    Claim(
        generation=entry.generation,
        tenant_id=entry.tenant_id,
        case_id=entry.case_id,
        queue=entry.queue,
        user=user,
        claimed_at=now,
    ).save(force_insert=True)
    return entry


def free(entry: Entry, end: Claim.End) -> None:
    """End the claim of a locked entry."""
    if entry.claimed_by_id is None:
        return
    Claim.objects.filter(generation=entry.generation).update(ended_at=db_now(), end=end)
    entry.claimed_by = entry.claimed_at = entry.lease_expires_at = None
    entry.save(update_fields=["claimed_by", "claimed_at", "lease_expires_at"])


def return_lost(*, limit: int = 1000) -> int:
    """Entries whose lease has run out go back to the queue; returns how many. Safe to run twice at once."""
    now = db_now()
    with transaction.atomic():
        lost = list(
            Entry.objects.held()
            .filter(lease_expires_at__lt=now)
            .order_by("lease_expires_at")
            .select_for_update(skip_locked=True, of=("self",))
            .values_list("pk", "generation")[:limit]
        )
        Claim.objects.filter(generation__in=[generation for _, generation in lost]).update(
            ended_at=now, end=Claim.End.LOST
        )
        return Entry.objects.filter(pk__in=[pk for pk, _ in lost]).update(
            claimed_by=None, claimed_at=None, lease_expires_at=None
        )
