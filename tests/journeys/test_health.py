"""Health tells by itself what nobody does: by the age of rows, without the help of the beat or a worker."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent, Delivery, Heartbeat, Notice, WebhookEndpoint
from cases.services import heartbeats
from cases.services.notices import News, tell
from cases.signing import new_secret
from cases.vocabulary import Role, Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.services.deadlines import sweep_deadlines
from tests.cases.test_admin_cases import sign_in
from tests.queues.test_escalation import PROJECT, test_database
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
WORKER = Heartbeat.Kind.WORKER


@pytest.fixture
def world(db):
    world = make_world()
    sweep_deadlines()
    heartbeats.beat(WORKER, "celery@one")
    return world


def health(after: timedelta = timedelta(0)) -> tuple[int, list[str], dict]:
    """What a monitor sees ``after`` so long, in which nothing ran."""
    with pretend_now(db_now() + after):
        response = Client().get("/health/")
    return response.status_code, response.json()["problems"], response.json()


def test_a_system_that_is_swept_is_well(world):
    status, problems, body = health()
    assert (status, problems, body["status"], body["cautions"]) == (200, [], "ok", [])
    assert body["figures"]["overdue_not_escalated"] == 0
    assert body["figures"]["last_sweep_at"]


def test_it_turns_red_by_itself_when_the_beat_dies(world):
    assert health(timedelta(seconds=50))[0] == 200
    status, problems, _ = health(timedelta(seconds=100))
    assert status == 503
    assert any("not being swept" in problem for problem in problems)


def test_a_beat_that_never_ran_is_red():
    make_world()
    assert any("has ever run" in problem for problem in health()[1])


def test_a_case_that_is_overdue_and_not_escalated_is_red_until_a_sweep(world):
    world.submit()
    status, problems, body = health(5 * HOUR)
    assert (status, body["figures"]["overdue_not_escalated"]) == (503, 1)
    assert any("Missed deadlines" in problem for problem in problems)
    with pretend_now(db_now() + 5 * HOUR):
        sweep_deadlines()
        heartbeats.beat(WORKER, "celery@one")
    assert health(5 * HOUR)[2]["figures"]["overdue_not_escalated"] == 0
    assert not any("Missed deadlines" in problem for problem in health(5 * HOUR)[1])


def test_a_late_redraft_a_lost_lease_and_an_unsent_notice_are_red(world):
    case = world.submit()
    entry = world.claim()
    wish = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
    reviews.submit(case.pk, wish, actor=world.reviewer, generation=entry.generation)
    world.submit()
    world.claim()
    tell([News(world.tenant.pk, "sla.warn", "x", "k", [world.reviewer.pk])])
    after = timedelta(minutes=world.tenant.redraft_minutes + 10)
    problems = " ".join(health(after)[1])
    for words in ("new draft did not come", "Lost leases", "Notices are not being sent"):
        assert words in problems
    figures = health(after)[2]["figures"]
    assert (figures["overdue_redrafts"], figures["lost_leases"], figures["notices_waiting"]) == (1, 1, 1)


def test_what_could_not_be_sent_is_a_caution(world):
    tell([News(world.tenant.pk, "sla.warn", "x", "k", [world.reviewer.pk])])
    Notice.objects.update(state=Notice.State.FAILED)
    assert health()[2]["cautions"] == ["Some notices could not be sent."]


def test_an_event_that_nobody_delivers_is_red_and_says_since_when(world):
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://example.com/hook", secret=new_secret())
    endpoint.save_as(world.supervisor, "health")
    case = world.submit()
    event = case.events.get(kind=CaseEvent.Kind.OPENED)
    status, problems, body = health(timedelta(minutes=3))
    assert status == 503
    assert any("Webhooks are not being sent" in problem for problem in problems)
    assert body["figures"]["oldest_undelivered_event_at"] == event.at.isoformat()
    Delivery.objects.update(state=Delivery.State.DELIVERED)
    assert health()[2]["figures"]["oldest_undelivered_event_at"] is None


def test_one_silent_worker_is_a_caution_and_none_alive_is_red(world):
    with pretend_now(db_now() - timedelta(minutes=5)):
        heartbeats.beat(WORKER, "celery@two")
    status, _, body = health()
    assert (status, body["cautions"]) == (200, ["Fell silent within the hour: celery@two."])
    Heartbeat.objects.filter(pk="celery@one").delete()
    assert health()[1] == ["No worker is alive."]
    with pretend_now(db_now() + 2 * HOUR):
        assert heartbeats.forget_replaced() == 1


def test_the_page_is_for_who_runs_the_place_and_asks_a_fixed_number_of_queries(world):
    counts = []
    for size in (1, 10):
        for _ in range(size):
            world.submit()
        client = sign_in(world.supervisor)
        client.get("/admin/health/")
        with CaptureQueriesContext(connection) as queries:
            text = client.get("/admin/health/").content.decode()
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert "Everything is being done" in text and "1 alive" in text
    assert sign_in(world.compliance).get("/admin/health/").status_code == 200
    assert sign_in(world.reviewer).get("/admin/health/").status_code == 403
    assert sign_in(world.person("ann", Role.APPROVER)).get("/admin/health/").status_code == 403
    Heartbeat.objects.filter(kind=Heartbeat.Kind.SWEEP).update(at=db_now() - HOUR)
    assert "Something is not being done" in client.get("/admin/health/").content.decode()


@pytest.mark.parametrize("who", ["compliance", "supervisor"])
def test_the_page_leads_nobody_to_a_list_that_refuses_them(world, who):
    client = sign_in(getattr(world, who))
    lists = re.findall(r'<th scope="row"><a href="([^"]+)"', client.get("/admin/health/").content.decode())
    assert lists
    assert {address: client.get(address).status_code for address in lists} == dict.fromkeys(lists, 200)


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_gives_signs_of_life_and_is_missed_only_when_it_was_killed():
    environment = os.environ | {"DATABASE_URL": test_database(), "LOG_LEVEL": "ERROR"}
    name = f"celery@health-{os.getpid()}"
    command = [sys.executable, "-m", "celery", "--app", "config", "worker", "--pool", "solo", "--hostname", name]
    for end, remains in ((signal.SIGTERM, False), (signal.SIGKILL, True)):
        worker = subprocess.Popen(
            [*command, "--queues", "nothing-for-health", "--without-gossip", "--without-mingle"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await_row(name, True)
        finally:
            worker.send_signal(end)
            worker.wait(timeout=30)
        await_row(name, remains)


def await_row(name: str, there: bool) -> None:
    for _ in range(300):
        if Heartbeat.objects.filter(pk=name).exists() == there:
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} {'did not come' if there else 'did not go'}")
