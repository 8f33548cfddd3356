"""Intake: over HTTP beside a bare view that stores the same rows, and what the switch's lock and read cost."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from unittest.mock import patch

from cases.services import intake, switch
from cases.wire.intake import parse_intake
from tests.worlds import DRAFT, FAIR, QUESTION

from .figures import Figure, latency, ms, rate
from .ground import FEW, Ground
from .load import client, gunicorn, in_threads, post, timed

_numbers = count()


def payload() -> dict:
    """A case as callers send it, each time another."""
    return {
        "external_id": f"bench-{next(_numbers)}",
        "domain": "billing",
        "language": "en",
        "user_question": QUESTION,
        "model_draft": DRAFT,
        "signals": FAIR,
        "evidence": [{"document_id": "returns", "quote": "Shoes may be returned within 30 days.", "score": 0.83}],
    }


def over_http(ground: Ground, rounds: int, requests: int, logs: Path) -> Iterator[Figure]:
    """``requests`` of each kind in a round, by eight clients, the two servers in turns."""
    url, token = ground.url_of(FEW), ground.tokens[ground.world.service.username]
    with gunicorn(url, logs) as ours, gunicorn(url, logs, settings="tests.bench.bare_settings") as bare:
        doors = {"bare": (bare, "/bare/", ""), "ours": (ours, "/api/v1/cases/", token)}
        rates: dict[str, list[float]] = {name: [] for name in doors}
        each: dict[str, list[float]] = {name: [] for name in doors}
        for number in range(rounds + 1):
            for name, (port, path, sign) in doors.items():
                bodies = [json.dumps(payload()).encode() for _ in range(requests)]
                jobs = [partial(post, path=path, body=body, token=sign, expect=201) for body in bodies]
                timing = in_threads(jobs, lambda port=port: client(port))
                if number:  # The first round makes connections and fills caches.
                    rates[name].append(timing.rate)
                    each[name] += timing.each
    for name, what in (("bare", "intake over HTTP, bare view, 8 clients"), ("ours", "intake over HTTP, 8 clients")):
        figure = f"{rate(rates[name])}, {latency(each[name])}"
        if name == "bare":
            yield Figure(what, len(each[name]), figure)
        else:
            yield Figure(what, len(each[name]), figure, median(rates["ours"]) / median(rates["bare"]), "bare view")


def switch_read(ground: Ground, intakes: int) -> Iterator[Figure]:
    """Intake in process as it is, and with the switch's lock and read left out, one by one in turns."""
    known = switch.switches_of(ground.world.tenant)  # Outside of any transaction: read, and no lock held.
    without = patch.object(switch, "switches_of", lambda tenant: known)
    submit = partial(intake.submit, actor=ground.world.service, tenant=ground.world.tenant)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    with ground.on(FEW):
        submit(parse_intake(payload()))
        for number in range(intakes):
            for reads in (True, False) if number % 2 else (False, True):  # Whoever is first has the colder caches.
                sent = parse_intake(payload())
                with nullcontext() if reads else without:
                    seconds[reads].append(timed(partial(submit, sent)))
    with_it, without_it = median(seconds[True]), median(seconds[False])
    yield Figure("one intake, in process, switch not read", intakes, f"p50 {ms(without_it)}")
    yield Figure("one intake, in process", intakes, f"p50 {ms(with_it)}", with_it / without_it, "switch not read")
