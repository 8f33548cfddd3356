"""The API and the outbox with real processes, while what they stand on breaks."""

import http.client
import json
import socket
from collections import Counter
from pathlib import Path

import pytest

from cases.clock import db_now
from cases.models import Case, CaseEvent, Delivery, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import lifecycle, people
from cases.signing import new_secret
from config.celery import app
from tests.cases.receiver import Receiver, answer, hang
from tests.journeys.processes import WORKER, beat, kill, running, wait_until
from tests.threads import failures, in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db(transaction=True)

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BODY = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": "Yes."}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wipe_the_broker() -> None:
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushall()


def test_of_32_posts_with_one_key_at_the_real_server_one_makes_a_case(tmp_path):
    world = make_world()
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    port = free_port()

    def post(key: str = "one-key") -> tuple[int, str | None, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Idempotency-Key": key}
        connection.request("POST", "/api/v1/cases/", json.dumps(BODY), headers)
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After"), json.load(response)

    web = ("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2")
    with running(tmp_path, "web", *web, "--threads", "8", "--no-control-socket", DATABASE_POOL="10"):
        wait_until(lambda: answers(port))
        found = in_parallel([post] * 32)
        late = post()
    assert failures(found) == []
    case = Case.objects.get()
    assert {status for status, _, _ in found} <= {201, 409}
    for status, retry_after, body in found:
        if status == 201:
            assert body == late[2]
        else:
            assert (body["code"], retry_after) == ("in_flight", "1")
    assert (late[0], late[2]["case_id"]) == (201, case.wire_id)


def test_every_event_arrives_though_the_broker_is_wiped_workers_are_killed_and_the_receiver_is_down(tmp_path: Path):
    world = make_world()
    secret, port = new_secret(), free_port()
    endpoint = WebhookEndpoint(tenant=world.tenant, url=f"http://127.0.0.1:{port}/hook", secret=secret)
    endpoint.save_as(system_actor(), "faults")

    def submit(count: int) -> None:
        for case in [world.submit(traceparent=TRACE) for _ in range(count)]:
            lifecycle.withdraw(case.pk, actor=world.service, reason="changed their mind")

    with running(tmp_path, "beat", *beat(tmp_path)), running(tmp_path, "worker-1", *WORKER) as worker:
        submit(6)
        # Nothing listens: the worker has tried, and waits.
        wait_until(lambda: Delivery.objects.filter(attempts__gt=0).exclude(last_error="").exists())
        wipe_the_broker()
        submit(6)
        with Receiver(fixed_port=port) as receiver:
            receiver.always = hang
            time_passes()
            wait_until(lambda: len(receiver.requests) >= 3, meanwhile=time_passes)
            kill(worker)  # While its calls are under way: the receiver has them, and nobody knows.
            wipe_the_broker()
            submit(6)
            cut_off = {request.headers["webhook-id"] for request in receiver.requests}
            receiver.always = answer(200)
            with running(tmp_path, "worker-2", *WORKER):
                time_passes(leases=True)
                wait_until(all_delivered, meanwhile=time_passes)

    events = {event.wire_id: event for event in CaseEvent.objects.filter(case__tenant=world.tenant) if event.is_public}
    assert len(events) == 36, "18 cases, opened and withdrawn"
    got = [request.json(secret) for request in receiver.requests]  # Raises unless it is signed.
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert set(ids) == set(events), "none lost, none invented"
    assert cut_off and all(count > 1 for wire_id, count in Counter(ids).items() if wire_id in cut_off)
    assert {request.headers["traceparent"] for request in receiver.requests} == {TRACE}
    for wire_id, body in zip(ids, got, strict=True):
        event = events[wire_id]
        assert (body["type"], body["data"]["case_id"]) == (event.kind, event.case.wire_id)
        assert body["data"]["trace_id"] == TRACE[3:35]
    for case in Case.objects.filter(tenant=world.tenant):
        order = [events[wire_id].kind for wire_id in dict.fromkeys(ids) if events[wire_id].case_id == case.pk]
        assert order == ["case.opened", "case.withdrawn"]


def all_delivered() -> bool:
    return not Delivery.objects.exclude(state=Delivery.State.DELIVERED).exists()


def time_passes(*, leases: bool = False) -> None:
    """What waits for its next attempt is due now, and with ``leases`` those of the dead have run out."""
    now = db_now()
    Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__gt=now).update(next_attempt_at=now)
    if leases:
        Delivery.objects.filter(leased_until__gt=now).update(leased_until=now)
