"""The big red button against processes that decide and execute: how long from the click to the last automatic commit.

The judge is PostgreSQL's own record of when each transaction committed. Whatever is automatic, the approval of a case
or of an action by the policy or the claim of an execution, writes an event with the number of its transaction, and so
do a stop and a resumption: no automatic commit may lie between a stop's commit and that of the next resumption.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import pairwise
from os import environ

from django.conf import settings
from django.db import connection

from cases.models.people import system_actor
from cases.replay_report import percentile
from cases.services import switch
from cases.services.switch import Scope
from tests.approvals.desks import make_desk

from .deciding import SIGNED
from .figures import Figure, ms
from .ground import FEW, Ground
from .load import PROJECT

PAUSE = 0.03  # seconds between two flips, long enough for a decision that is late to slip in, if it could
CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
TENANT = "flips"

# In the order of their commits; ``automatic`` is null for a flip.
COMMITS = """
    SELECT pg_xact_commit_timestamp(e.xid::xid) AS at, e.kind
    FROM cases_caseevent e JOIN cases_tenant t ON t.id = e.tenant_id
    WHERE t.slug = %s AND (
        e.kind IN ('automation.stopped', 'automation.resumed', 'case.auto_approved', 'action.sent')
        OR e.kind = 'action.approved' AND e.data ->> 'by' = 'policy'
    )
    ORDER BY at
"""


def flips(ground: Ground, count: int, processes: int) -> Iterator[Figure]:
    """``count`` flips against so many processes. Fails where anything automatic commits after a stop has."""
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    clicks: list[datetime] = []
    with ground.on(FEW):
        scope = Scope(make_desk(TENANT, rules=CALM).world.tenant)
        with ExitStack() as stack:
            deciders = [stack.enter_context(_deciding(ground.url_of(FEW))) for _ in range(processes)]
            for one in deciders:
                _say(one)
            for _ in range(count // 2):
                time.sleep(PAUSE)
                clicks.append(_now())
                switch.stop(scope, actor=system_actor(), reason="flip")
                time.sleep(PAUSE)
                switch.resume(scope, actor=system_actor(), reason="flop")
            for one in deciders:
                one.stdin.close()
            told = [_say(one).split() for one in deciders]
        commits = _commits()
    stops, lasts, automatic = _judge(clicks, commits)
    sent, done = (sum(int(one[place]) for one in told) for place in (0, 1))
    beside = f"{sent:,} cases, {done:,} steps of actions, {automatic:,} automatic commits, none after a stop's"
    yield Figure(f"{2 * len(clicks)} flips against {processes} processes", 2 * len(clicks), beside)
    yield Figure("click to the last automatic commit", len(lasts), _spread(lasts))
    yield Figure("click to the stop's commit", len(stops), _spread(stops))


@contextmanager
def _deciding(url: str) -> Iterator[subprocess.Popen]:
    """A process of ``deciding``, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.deciding", TENANT],
        cwd=PROJECT,
        env=environ | {"DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _say(process: subprocess.Popen) -> str:
    """Its next line; an ``AssertionError`` where it has ended instead."""
    while line := process.stdout.readline():
        if line.strip() == SIGNED or line.strip().replace(" ", "").isdigit():
            return line.strip()
    raise AssertionError("a process that decides has ended")


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def _commits() -> list[tuple[datetime, str]]:
    with connection.cursor() as cursor:
        cursor.execute(COMMITS, [TENANT])
        return cursor.fetchall()


def _judge(clicks: Sequence[datetime], commits: Sequence[tuple[datetime, str]]) -> tuple[list[float], list[float], int]:
    """Seconds from each click to the stop's commit, and to the last automatic one before it; how many were automatic.
    Raises ``AssertionError`` where one lies between a stop and the next resumption."""
    moves = [(at, kind) for at, kind in commits if kind.startswith("automation.")]
    automatic = [at for at, kind in commits if not kind.startswith("automation.")]
    stops: list[float] = []
    lasts: list[float] = []
    known = iter(clicks)
    for (at, kind), (until, _) in pairwise(moves):
        if kind != "automation.stopped":
            continue
        if late := [one for one in automatic if at < one < until]:
            raise AssertionError(f"{len(late)} automatic commits after the stop's commit at {at}")
        clicked = next(known)
        stops.append((at - clicked).total_seconds())
        before = [one for one in automatic if clicked < one <= at]
        lasts.append((before[-1] - clicked).total_seconds() if before else 0.0)
    assert len(stops) == len(clicks) and automatic, "nothing happened between the flips"
    return stops, lasts, len(automatic)


def _spread(seconds: Sequence[float]) -> str:
    return f"p50 {ms(percentile(seconds, 0.5))}, p99 {ms(percentile(seconds, 0.99))}, longest {ms(max(seconds))}"
