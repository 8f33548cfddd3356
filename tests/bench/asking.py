"""``GET automation/``, which every automated flow asks before it calls its AI: the read, the request, the bare view."""

from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from cases.services import switch
from tests.callers import Caller

from .figures import Figure, latency
from .ground import FEW, Ground
from .load import client, gunicorn, timed


def in_process(ground: Ground, times: int) -> Iterator[Figure]:
    """The read itself, and the whole request through every middleware, with and without a known ETag."""
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


def over_http(ground: Ground, times: int, logs: Path) -> Iterator[Figure]:
    """One client on one connection, beside a DRF view that reads nothing, checks nobody and answers the same."""
    url, token = ground.url_of(FEW), ground.tokens[ground.world.service.username]
    with gunicorn(url, logs) as ours, gunicorn(url, logs, settings="tests.bench.bare_settings") as bare:
        doors = {"bare": (client(bare), "/bare/automation/"), "ours": (client(ours), "/api/v1/automation/")}
        each: dict[str, list[float]] = {name: [] for name in doors}
        for number in range(times + 20):
            for name, (connection, path) in doors.items():
                seconds = timed(lambda connection=connection, path=path: _get(connection, path, token))
                if number >= 20:  # The first ones make connections and fill caches.
                    each[name].append(seconds)
    yield Figure("may I call the AI? over HTTP, bare view", times, latency(each["bare"]))
    ratio = median(each["ours"]) / median(each["bare"])
    yield Figure("may I call the AI? over HTTP", times, latency(each["ours"]), ratio, "bare view")


def _get(connection: HTTPConnection, path: str, token: str) -> None:
    connection.request("GET", f"{path}?domain=billing", headers={"Authorization": f"Token {token}"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, f"{path} answered {response.status}: {answer[:500]!r}"
