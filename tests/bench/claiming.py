"""Claims: in process beside the bare SQL of the same work, over HTTP, and beside a long past."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import psycopg
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from cases.models import User
from queues.models import Entry, Reviewer
from queues.services import claims

from .figures import Figure, latency, ms, rate
from .ground import FEW, PAST, WAITING, Ground, give_back
from .load import client, gunicorn, in_threads, post, timed

PEOPLE = 32
BLOCK = 20  # claims in a row on one database before the other has its turn

# The least that gives one case to one person and keeps who had it: what anybody would write without this product. One
# queue, whose cases are the most urgent, so that both take the same ones, and an index that is in its order.
BARE_CLAIM = """
WITH held AS (
    UPDATE queues_entry
    SET claimed_by_id = %(user)s, claimed_at = now(), lease_expires_at = now() + interval '15 minutes',
        generation = nextval('queues_generation')
    WHERE id = (
        SELECT id FROM queues_entry
        WHERE queue_id = %(queue)s AND claimed_by_id IS NULL AND paused_at IS NULL AND kept_for_id IS NULL
        ORDER BY ranked_at, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, tenant_id, case_id, queue_id, generation
), recorded AS (
    INSERT INTO queues_claim (generation, tenant_id, case_id, queue_id, user_id, place, claimed_at, "end")
    SELECT generation, tenant_id, case_id, queue_id, %(user)s, 1, now(), '' FROM held
)
SELECT id FROM held
"""


def throughput(ground: Ground, rounds: int) -> Iterator[Figure]:
    """Claims a second by eight threads; each claim is another reviewer's, as nobody gets a second case unasked."""
    sizes = {}
    measured = {}
    for _ in range(rounds):
        for name in (FEW, WAITING):
            with ground.on(name):
                sizes[name] = _waiting()
                for kind, one_round in (("bare", _bare_round), ("ours", _round)):
                    measured.setdefault((name, kind), []).append(one_round(ground, name))
                    give_back()
    for name in (FEW, WAITING):
        bare, ours = measured[name, "bare"], measured[name, "ours"]
        count = rounds * len(ground.reviewers)
        where = f"{sizes[name]:,} waiting"
        yield Figure(f"claims, bare SQL, {where}", count, rate(bare))
        yield Figure(
            f"claims, in process, {where}", count, rate(ours), median(ours) / median(bare), "bare SQL, same database"
        )


def over_http(ground: Ground, rounds: int, logs: Path) -> Iterator[Figure]:
    """The same through ``POST /api/v1/queues/claim/``, with each reviewer's own token."""
    bare: list[float] = []
    for name in (FEW, WAITING):
        with ground.on(name), gunicorn(ground.url_of(name), logs) as port:
            rates, each = [], []
            bare.clear()
            for number in range(rounds + 1):
                timing = in_threads(
                    [partial(_claim_over_http, token=ground.tokens[user.username]) for user in ground.reviewers],
                    lambda port=port: client(port),
                )
                give_back()
                if number:  # The first round makes connections and fills caches.
                    rates.append(timing.rate)
                    each += timing.each
                    bare.append(_bare_round(ground, name))
                    give_back()
            what = f"claims over HTTP, 8 clients, {_waiting():,} waiting"
            beside = "bare SQL, same database"
            yield Figure(what, len(each), f"{rate(rates)}, {latency(each)}", median(rates) / median(bare), beside)


def beside_a_past(ground: Ground, blocks: int) -> Iterator[Figure]:
    """One reviewer after another, in turns on two databases that differ in nothing but how many cases are over."""
    seconds: dict[str, list[float]] = {FEW: [], PAST: []}
    queries: dict[str, int] = {}
    past: dict[str, int] = {}
    for number in range(blocks + 1):
        for name in (FEW, PAST):
            with ground.on(name):
                past[name] = _past()
                connection.ensure_connection()
                block = [timed(partial(_claim, None, user=user)) for user in ground.reviewers[:BLOCK]]
                give_back()
                if not number:
                    queries[name] = _queries(ground.reviewers[0])
                    give_back()
                else:
                    seconds[name] += block
    for name in (FEW, PAST):
        figure = f"p50 {ms(median(seconds[name]))}, {queries[name]} queries"
        what = f"one claim, {past[name]:,} past cases"
        if name == FEW:
            yield Figure(what, len(seconds[name]), figure)
        else:
            ratio = median(seconds[PAST]) / median(seconds[FEW])
            yield Figure(what, len(seconds[name]), figure, ratio, f"{past[FEW]:,} past cases")


def of_a_specialist(ground: Ground, blocks: int) -> Iterator[Figure]:
    """Somebody whose queue holds the least urgent hundredth, in turns with somebody who works every queue."""
    people = {"generalist": ground.reviewers[0], "specialist": ground.specialist}
    seconds: dict[str, list[float]] = {name: [] for name in people}
    with ground.on(WAITING):
        size = _waiting()
        for number in range(blocks * 4 + 1):
            for name, user in people.items():
                took = timed(partial(_claim, None, user=user))
                give_back()
                if number:
                    seconds[name].append(took)
    general, special = median(seconds["generalist"]), median(seconds["specialist"])
    yield Figure(f"one claim of a generalist, {size:,} waiting", len(seconds["generalist"]), f"p50 {ms(general)}")
    what = f"one claim of a specialist, {size:,} waiting"
    yield Figure(what, len(seconds["specialist"]), f"p50 {ms(special)}", special / general, "a generalist's")


def emptied(ground: Ground, count: int) -> Iterator[Figure]:
    """``count`` cases claimed by 32 people at once until none is left: each once, and how far from the order.

    A claim passes over what others are just taking, so that it is at most as many places back as there are others.
    How far is read from the generations, which count the claims in the order in which they were recorded.
    """
    team = ground.reviewers[:PEOPLE]
    with ground.on(WAITING):
        if spare := _waiting() - count:
            keys = Entry.objects.by_urgency().values_list("pk", flat=True)[count:]
            Entry.objects.filter(pk__in=list(keys)).update(paused_at=Now())
        order = {
            case: place
            for place, case in enumerate(Entry.objects.waiting().by_urgency().values_list("case", flat=True))
        }
        Reviewer.objects.update(capacity=32_000)
        began = perf_counter()
        with ThreadPoolExecutor(PEOPLE) as pool:
            taken = [pair for pairs in pool.map(_take_all, team) for pair in pairs]
        seconds = perf_counter() - began
        assert len(taken) == len({case for case, _ in taken}) == count, "each once, none left"
        places = [order[case] for case, _ in sorted(taken, key=lambda pair: pair[1])]
        furthest = max(abs(place - turn) for turn, place in enumerate(places))
        give_back()
        Reviewer.objects.update(capacity=3)
        if spare:
            Entry.objects.exclude(paused_at=None).update(paused_at=None)
    what = f"{count:,} cases claimed by {PEOPLE} threads"
    yield Figure(what, count, f"{count / seconds:,.0f}/s, each once, at most {furthest} places from the order")


def _take_all(user: User) -> list[tuple]:
    """Everything that is left, without handing anything in between: ``claim_next`` would give one's own again."""
    try:
        fitness, taken = claims.working(user, None), []
        while True:
            try:
                entry = claims._claim(fitness, user)
            except claims._PlaceLost:
                continue
            if entry is None:
                return taken
            taken.append((entry.case_id, entry.generation))
    finally:
        connection.close()


def _round(ground: Ground, name: str) -> float:
    jobs = [partial(_claim, user=user) for user in ground.reviewers]
    return in_threads(jobs, connection.ensure_connection).rate


def _bare_round(ground: Ground, name: str) -> float:
    jobs = [partial(_claim_bare, user=user, queue=ground.world.queue.pk) for user in ground.reviewers]
    return in_threads(jobs, lambda: psycopg.connect(ground.url_of(name), autocommit=True)).rate


def _claim(tool: object, *, user: User) -> None:
    assert claims.claim_next(user) is not None, "nothing waits"


def _claim_bare(tool: psycopg.Connection, *, user: User, queue: object) -> None:
    assert tool.execute(BARE_CLAIM, {"user": user.pk, "queue": queue}).fetchone(), "nothing waits"


def _claim_over_http(tool, *, token: str) -> None:
    post(tool, "/api/v1/queues/claim/", b"{}", token, expect=200)


def _queries(user: User) -> int:
    with CaptureQueriesContext(connection) as captured:
        _claim(None, user=user)
    return len(captured)


def _waiting() -> int:
    return _count("SELECT count(*) FROM queues_entry WHERE claimed_by_id IS NULL")


def _past() -> int:
    return _count("SELECT count(*) FROM queues_passage")


def _count(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
