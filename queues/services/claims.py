"""Claiming: who has which case, under a lease and a generation.

Picking, holding and recording a case are one statement: reading first and updating after gives the same case to two
people.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from django.db import connection, transaction

from cases import clock
from cases.clock import db_now
from cases.models import Case, Tenant, User

from ..errors import AlreadyClaimed, AtCapacity, NotClaimed, NotFit, NotWaiting, StaleClaim
from ..models import Claim, Entry
from ..models.entries import GENERATIONS
from .fitness import UNDETERMINED, Fitness, fitness_of

LEASE = timedelta(minutes=15)
HOLDING = ["claimed_by", "claimed_at", "lease_expires_at", "kept_for", "back_at", "kept_until"]  # of an entry

# How many entries of each line are looked at. The next number is for when all of them were taken while we looked;
# the last, all of the line, is what makes "nothing waits" true.
DEPTHS = (16, 256, 4096, None)

_WAITS = """entry.tenant_id = %(tenant)s AND entry.claimed_by_id IS NULL AND entry.paused_at IS NULL
        AND NOT %(user)s = ANY(entry.excluded) AND (%(adjudicates)s OR NOT entry.for_adjudicator)
        AND NOT (%(spared)s AND entry.kind = 'second' AND entry.kept_for_id IS NULL)"""
# Offered to whom has not skipped it and is not spared further votes; who asks for this very case, or had it kept for
# them, may have it all the same.
_FREE = f"""{_WAITS} AND entry.kept_for_id IS NULL AND NOT %(user)s = ANY(entry.passed_by)
        AND NOT (%(spared)s AND coalesce(entry.spares_until > %(at)s, false))"""
_MINE = f"{_WAITS} AND (entry.kept_for_id IS NULL OR entry.kept_for_id = %(user)s)"

# A line is a stretch of an index that is read from its head and only so far, however much waits behind it or in other
# queues. This one is of ``entry_next``: all of a queue, for those who read every language.
_LINES = f"""
    SELECT head.id
    FROM unnest(%(queues)s::uuid[]) AS line (queue_id)
    CROSS JOIN LATERAL (
        SELECT entry.id FROM queues_entry entry
        WHERE entry.queue_id = line.queue_id AND {_FREE}
        ORDER BY entry.ranked_at, entry.id
        LIMIT %(depth)s
    ) head
"""

# And this one of ``entry_next_to_read``: what is in one language of a queue.
_LINES_TO_READ = f"""
    SELECT head.id
    FROM unnest(%(queues)s::uuid[]) AS line (queue_id)
    CROSS JOIN unnest(%(languages)s::text[]) AS spoken (language)
    CROSS JOIN LATERAL (
        SELECT entry.id FROM queues_entry entry
        WHERE entry.queue_id = line.queue_id AND split_part(lower(entry.language), '-', 1) = spoken.language
        AND {_FREE}
        ORDER BY entry.ranked_at, entry.id
        LIMIT %(depth)s
    ) head
"""

_THIS_ONE = "SELECT entry.id FROM queues_entry entry WHERE entry.case_id = %(case)s"

# What this person set aside or was given, and whose time has come.
_BACK = "SELECT entry.id FROM queues_entry entry WHERE entry.kept_for_id = %(user)s AND entry.back_at <= %(at)s"

_FIELDS = [field.attname for field in Entry._meta.concrete_fields]

# The lowest place that nobody's open claim takes: ``taken`` is in the statement around it.
_PLACE = """(SELECT min(n) FROM generate_series(1, (SELECT count(*) + 1 FROM taken)) n
             WHERE n NOT IN (SELECT place FROM taken))"""
_TAKEN = """taken AS MATERIALIZED (
    SELECT place FROM queues_claim WHERE user_id = %(user)s AND tenant_id = %(tenant)s AND ended_at IS NULL
)"""
_ONE_TO_A_PLACE = "ON CONFLICT (user_id, tenant_id, place) WHERE ended_at IS NULL DO NOTHING"

# Candidates are read without a lock; of them the most urgent that nobody has locked is taken. What somebody took and
# committed in between is out as well: under READ COMMITTED the conditions are asked again of the row as it is when it
# is locked, which is why all of them stand here. Two claims of one person at once would both see room for one more:
# they also both see the same lowest place, and the index lets one of them have it. Answers one row: how many
# candidates, whether one was locked, how many they held before, and the entry or nulls.
_CLAIM = f"""
WITH candidate AS MATERIALIZED ({{candidates}}), {_TAKEN}, next AS (
    SELECT entry.id, entry.tenant_id, entry.case_id, entry.queue_id,
        coalesce(%(pretended)s::timestamptz, clock_timestamp()) AS at
    FROM queues_entry entry JOIN candidate ON candidate.id = entry.id
    WHERE {{condition}}
        AND entry.queue_id = ANY(%(queues)s)
        AND (cardinality(%(languages)s::text[]) = 0
             OR split_part(lower(entry.language), '-', 1) = ANY(%(languages)s))
        AND (SELECT count(*) FROM taken) < %(capacity)s
    ORDER BY entry.ranked_at, entry.id
    LIMIT 1
    FOR UPDATE OF entry SKIP LOCKED
), recorded AS (
    INSERT INTO queues_claim (generation, tenant_id, case_id, queue_id, user_id, place, claimed_at, "end")
    SELECT nextval(%(generations)s), tenant_id, case_id, queue_id, %(user)s, {_PLACE}, at, '' FROM next
    {_ONE_TO_A_PLACE}
    RETURNING case_id, generation, claimed_at
), held AS (
    UPDATE queues_entry entry
    SET claimed_by_id = %(user)s, claimed_at = recorded.claimed_at,
        lease_expires_at = recorded.claimed_at + %(lease)s, generation = recorded.generation,
        kept_for_id = NULL, back_at = NULL, kept_until = NULL
    FROM recorded WHERE entry.case_id = recorded.case_id
    RETURNING {", ".join(f"entry.{name}" for name in _FIELDS)}
)
SELECT (SELECT count(*) FROM candidate), (SELECT count(*) FROM next), (SELECT count(*) FROM taken), held.*
FROM (VALUES (1)) AS always LEFT JOIN held ON true
"""
TRIES = 20  # of claims of one person at the same instant, each of which was passed by another one

_CLAIM_NEXT = _CLAIM.format(candidates=_LINES, condition=_FREE)
_CLAIM_NEXT_TO_READ = _CLAIM.format(candidates=_LINES_TO_READ, condition=_FREE)
_CLAIM_THIS_ONE = _CLAIM.format(candidates=_THIS_ONE, condition=_MINE)
_CLAIM_BACK = _CLAIM.format(candidates=_BACK, condition=_MINE)

_HAND = f"""
WITH {_TAKEN}
INSERT INTO queues_claim (generation, tenant_id, case_id, queue_id, user_id, place, claimed_at, "end")
SELECT nextval(%(generations)s), %(tenant)s, %(case)s, %(queue)s, %(user)s, {_PLACE}, %(at)s, ''
{_ONE_TO_A_PLACE}
RETURNING generation
"""


class _PlaceLost(Exception):
    """Another claim of the same person was just faster: look again at what they hold."""


def claim_next(user: User, *, tenant: Tenant | None = None, queue_slug: str = "") -> Entry | None:
    """The case that ``user`` should look at now: their own unfinished first, then what they set aside or were given and
    is due back, then the most urgent that they fit.

    Urgent is the earliest ``Entry.ranked_at``, over all their queues together: the deadline, less eight hours for each
    step of priority. Several people who claim at the same instant pass over what another one is just taking, so that
    each may get a case that is as many places further back as there are others at it; nothing else changes the order.
    None when nothing waits for them or they hold as much as they may. Raises ``NotFit`` for somebody who is no
    reviewer, off shift, away or paused.

    No transaction of its own: the one statement that writes is one.
    """
    for _ in range(TRIES):
        fitness = working(user, tenant)
        if fitness.held:
            own = Entry.objects.held().filter(tenant=fitness.reviewer.tenant_id, claimed_by=user)
            if queue_slug:
                own = own.filter(queue__slug=queue_slug)
            if entry := own.select_related("queue", "claimed_by").order_by("claimed_at").first():
                return entry
        if not fitness.has_room:
            return None
        with suppress(_PlaceLost):
            asked = {"queue_slug": queue_slug, "at_most": fitness.held + 1}
            if fitness.back and (entry := _claim(fitness, user, is_back=True, **asked)):
                return entry
            return _claim(fitness, user, **asked)
    return None  # Others of their own claims were first each time: they hold those.


@transaction.atomic
def claim(case: Case, user: User) -> Entry:
    """Take this very case. Raises ``AlreadyClaimed``, ``NotWaiting``, ``AtCapacity`` or ``NotFit``."""
    while True:
        fitness = working(user, case.tenant)
        entry = Entry.objects.select_related("queue", "claimed_by", "kept_for").filter(case=case).first()
        if entry is None or entry.paused_at:
            raise NotWaiting("This case does not wait for a person now. Take the next one instead.")
        if entry.claimed_by_id == user.pk:
            return entry
        if entry.claimed_by_id:
            raise AlreadyClaimed(
                f"{entry.claimed_by} has this case until {entry.lease_expires_at:%H:%M} UTC. Take another one."
            )
        if entry.kept_for_id not in (None, user.pk):
            raise AlreadyClaimed(
                f"This case is kept for {entry.kept_for} until {entry.kept_until:%d %b %H:%M} UTC. Take another one."
            )
        with suppress(_PlaceLost):
            claimed = _claim(fitness, user, case=case)
            if claimed is None:
                # Asked again: another claim of theirs may have taken their last place since.
                _explain(working(user, case.tenant), entry)
            return claimed


def _explain(fitness: Fitness, entry: Entry) -> NoReturn:
    """Why ``entry`` did not become theirs."""
    if not fitness.has_room:
        raise AtCapacity(
            f"You hold {fitness.held} cases, which is as many as you may. Decide one or give one back, and try again."
        )
    if not fitness.works(entry):
        raise NotFit(f"You do not work {entry.queue}: it takes another skill or right. Ask a supervisor.")
    if fitness.spares(entry):
        raise NotFit(
            "You have had your share of second looks, so that this one is for somebody else. Take the next case."
        )
    if not fitness.reads(entry.language):
        raise NotFit(f"This case is in the language {entry.language}, which your profile does not name.")
    raise AlreadyClaimed("Somebody else has just taken this case. Take another one.")


def working(user: User, tenant: Tenant | None) -> Fitness:
    """The reviewer behind ``user``; raises ``NotFit`` for anybody who cannot take cases now."""
    fitness = fitness_of(user, tenant)
    if fitness is None:
        raise NotFit("You are no reviewer here. Ask a supervisor to add you.")
    if fitness.is_away:
        raise NotFit("You are away, so that no case is given to you. Ask a supervisor to end your absence.")
    if not fitness.is_on_shift:
        raise NotFit("You are off shift, so that no case is given to you. Start your shift first.")
    if fitness.reviewer.is_paused:
        raise NotFit("Your reviews are paused. Talk to your supervisor.")
    return fitness


def _claim(
    fitness: Fitness,
    user: User,
    *,
    queue_slug: str = "",
    case: Case | None = None,
    is_back: bool = False,
    at_most: int | None = None,
) -> Entry | None:
    """One entry that fits, now held by ``user``; its ``queue`` is read when somebody asks for it.

    Raises ``_PlaceLost`` where they hold ``at_most`` already: more than when ``fitness`` was asked.
    """
    queues = [key for key, slug in fitness.slugs.items() if not queue_slug or slug == queue_slug]
    if not queues:
        return None
    sql, depths = _CLAIM_NEXT_TO_READ if fitness.languages else _CLAIM_NEXT, DEPTHS
    if case or is_back:
        sql, depths = _CLAIM_THIS_ONE if case else _CLAIM_BACK, (None,)
    values = {
        "tenant": fitness.reviewer.tenant_id,
        "queues": queues,
        "languages": list({UNDETERMINED, *fitness.languages}) if fitness.languages else [],
        "user": user.pk,
        "capacity": fitness.reviewer.capacity if at_most is None else at_most,
        "pretended": clock.pretended(),
        "at": fitness.at,
        "lease": LEASE,
        "generations": GENERATIONS,
        "case": case.pk if case else None,
        "adjudicates": fitness.adjudicates,
        "spared": fitness.is_spared,
    }
    with connection.cursor() as cursor:
        for depth in depths:
            cursor.execute(sql, values | {"depth": depth})
            candidates, locked, taken, *fields = cursor.fetchone()
            if fields[0] is not None:
                entry = Entry.from_db(connection.alias, _FIELDS, fields)
                entry.claimed_by = user
                return entry
            if locked or (at_most is not None and taken >= at_most):
                raise _PlaceLost
            if depth is None or candidates < depth:  # No line goes on behind what was looked at.
                return None
    return None


def hold(case_id: UUID, user: User, generation: int) -> Entry:
    """The entry of a case under its lock, if this claim still stands. Raises ``StaleClaim`` or ``NotClaimed``.

    Asked before the case's state: somebody whose claim is gone learns that first. A lease that has run out still
    counts until the sweep returns the case or somebody else takes it.
    """
    entry = Entry.objects.select_for_update(of=("self",)).select_related("queue__tenant").filter(case=case_id).first()
    if entry and entry.generation == generation and entry.claimed_by_id == user.pk:
        return entry
    claim = Claim.objects.filter(generation=generation, case=case_id, user=user).first()
    if entry and entry.claimed_by_id is None and claim is None:
        raise NotClaimed("Take this case before you decide it.")
    if claim and claim.end in (Claim.End.DECIDED, Claim.End.VOTED):  # Sent again, as its answer did not come back.
        raise StaleClaim("Your decision on this case has arrived already. Nothing was changed a second time.")
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


def hand_to(entry: Entry, user: User) -> Entry:
    """Give a locked, free entry to ``user`` under a new claim, whatever they hold already."""
    now = db_now()
    values = {"tenant": entry.tenant_id, "case": entry.case_id, "queue": entry.queue_id, "user": user.pk, "at": now}
    with connection.cursor() as cursor:
        row = None
        while row is None:  # A claim of theirs at the same instant may take the place first.
            cursor.execute(_HAND, values | {"generations": GENERATIONS})
            row = cursor.fetchone()
    entry.generation = row[0]
    entry.claimed_by, entry.claimed_at, entry.lease_expires_at = user, now, now + LEASE
    entry.kept_for = entry.back_at = entry.kept_until = None
    entry.save(update_fields=[*HOLDING, "generation"])
    return entry


def free(entry: Entry, end: Claim.End, *, by: User | None = None) -> None:
    """End the claim of a locked entry, or what it was kept for; ``by`` is the supervisor who does so."""
    if entry.claimed_by_id is None and entry.kept_for_id is None:
        return
    if entry.claimed_by_id:
        Claim.objects.filter(generation=entry.generation).update(ended_at=db_now(), end=end, ended_by=by)
    entry.claimed_by = entry.claimed_at = entry.lease_expires_at = None
    entry.kept_for = entry.back_at = entry.kept_until = None
    entry.save(update_fields=HOLDING)


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
