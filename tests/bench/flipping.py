"""The big red button: how long from the click until nothing automatic commits any more, and what asking costs."""

import threading
import time
from collections.abc import Iterator

from django.db import connection, transaction

from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.replay_report import percentile
from cases.services import intake, switch
from cases.services.switch import Scope
from cases.wire.intake import parse_intake
from queues.services import claims
from tests.callers import Caller
from tests.worlds import SURE

from .figures import Figure, latency, ms
from .ground import FEW, Ground
from .load import timed
from .taking_in import payload

SENDERS, DECIDERS = 6, 2


def asking(ground: Ground, times: int) -> Iterator[Figure]:
    """``GET automation/``: the read itself, and the whole request in process, with and without a known ETag."""
    with ground.on(FEW):
        tenant = ground.world.tenant
        switch.read(tenant)
        reads = [timed(lambda: switch.read(tenant, domain="billing", action="issue_refund")) for _ in range(times)]
        yield Figure("may I call the AI? the read", times, latency(reads))
        caller = Caller(ground.world.service, tenant)
        etag = caller.get("automation/", domain="billing")["ETag"]
        whole = [timed(lambda: caller.get("automation/", domain="billing")) for _ in range(times)]
        known = [
            timed(lambda: caller.get("automation/", {"If-None-Match": etag}, domain="billing")) for _ in range(times)
        ]
        yield Figure("may I call the AI? GET in process", times, latency(whole))
        yield Figure("may I call the AI? GET with its ETag", times, latency(known))


def flips(ground: Ground, count: int) -> Iterator[Figure]:
    """``count`` flips against eight threads that submit and claim. Fails where anything automatic slips through."""
    scope, done = Scope(ground.world.tenant), threading.Event()
    waits: list[float] = []
    sent: list[int] = []
    with ground.on(FEW):
        threads = [threading.Thread(target=_send, args=(ground, done, sent)) for _ in range(SENDERS)]
        threads += [threading.Thread(target=_claim, args=(ground, who, done)) for who in ground.reviewers[:DECIDERS]]
        for thread in threads:
            thread.start()
        try:
            for _ in range(count // 2):
                time.sleep(0.01)
                began = time.perf_counter()
                with transaction.atomic():
                    switch.stop(scope, actor=system_actor(), reason="flip")
                    at_stop = _automatic()
                waits.append(time.perf_counter() - began)
                time.sleep(0.01)
                with transaction.atomic():
                    switch.resume(scope, actor=system_actor(), reason="flop")
                    if _automatic() != at_stop:
                        raise AssertionError("an automatic decision committed after a stop had")
        finally:
            done.set()
            for thread in threads:
                thread.join()
    figure = f"p50 {ms(percentile(waits, 0.5))}, p99 {ms(percentile(waits, 0.99))}; {sum(sent):,} cases sent"
    yield Figure("click to the last automatic commit, 8 threads", len(waits), figure)


def _automatic() -> int:
    return CaseEvent.objects.filter(kind=CaseEvent.Kind.AUTO_APPROVED).count()


def _send(ground: Ground, done: threading.Event, sent: list[int]) -> None:
    number = 0
    try:
        while not done.is_set():
            sure = parse_intake(payload() | {"signals": SURE})
            intake.submit(sure, actor=ground.world.service, tenant=ground.world.tenant)
            number += 1
    finally:
        sent.append(number)
        connection.close()


def _claim(ground: Ground, who, done: threading.Event) -> None:
    try:
        while not done.is_set():
            entry = claims.claim_next(who, tenant=ground.world.tenant)
            if entry is None:
                time.sleep(0.01)
            else:
                claims.release(entry.case_id, who, entry.generation)
    finally:
        connection.close()
