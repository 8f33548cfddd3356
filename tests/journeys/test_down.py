"""Broker, mail server and executor go down one after the other under load: every case is taken in or honestly refused,
the health page says what is wrong and that it is over, and in the end nothing is missing and nothing happened twice."""

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from approvals.models import ActionJob, Execution, ProposedAction
from approvals.services.types import publish
from cases.clock import db_now
from cases.models import Case, CustomerNotice, CustomerNoticeSettings, CustomerTemplate, Heartbeat
from cases.models.people import system_actor
from cases.services import people
from config import embedded
from config.demo.ledger import secret_of
from config.demo.ledger_book import Book
from config.invariants import broken
from queues.services.deadlines import SWEEP
from tests.approvals.desks import Desk, make_desk
from tests.cases.mailbox import Mailbox
from tests.journeys.processes import WORKER, running, wait_until
from tests.journeys.test_faults import answers, free_port
from tests.journeys.test_ledger import KEY
from tests.journeys.test_ledger import Running as Ledger
from tests.worlds import SURE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
ENOUGH = 3  # cases answered for at each step of an outage
MOST = 8  # sent at each, however long it takes: what was taken in must be worked off in the end
UNSWEPT = "The queues are not being swept: is the beat or the worker down?"
NO_WORKER = "No worker is alive."  # It signs off while it looks for the broker.
UNSENT = "Messages to customers fail and are tried again: does the mail server answer?"
UNASKED = "Dry runs of actions fail and are tried again: does their executor answer?"
LONG_AGO = timedelta(minutes=2)


@dataclass
class Load:
    """Cases that keep coming, each with a refund that may run alone and a customer who hears of it."""

    port: int
    token: str
    taken: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    most: int = 0

    def run(self) -> None:
        while not self.over.wait(0.25):
            if self.sent < self.most:
                self.sent += 1
                self._send(self.sent)

    def _send(self, number: int) -> None:
        action = {"action": "issue_refund", "params": {"order_id": f"o_{number}"}, "amount": "5.00", "currency": "USD"}
        body = {"domain": "billing", "user_question": "?", "model_draft": "Yes.", "signals": SURE, "language": "en"}
        body |= {"external_id": f"conv-{number}", "proposed_action": action}
        body |= {"customer": {"email": f"c{number}@example.com"}}
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        try:
            status, _ = ask(self.port, "POST", "/api/v1/cases/", json.dumps(body), headers)
        except OSError as error:
            self.lost.append(repr(error))
        else:
            (self.taken if status == 201 else self.refused).append(f"conv-{number}" if status == 201 else status)

    def goes_on(self) -> None:
        """Wait until so many more cases were answered for."""
        self.most = self.sent + MOST
        before = len(self.taken) + len(self.refused)
        wait_until(lambda: len(self.taken) + len(self.refused) >= before + ENOUGH)


def ask(port: int, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


@contextmanager
def under(load: Load) -> Iterator[None]:
    thread = threading.Thread(target=load.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        load.over.set()
        thread.join(60)


def test_what_is_down_holds_nothing_up_and_loses_nothing(tmp_path: Path, settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0})
    writes_to_customers(desk)
    token = people.issue_token(desk.world.service, actor=system_actor(), tenant=desk.world.tenant)
    ledger = Ledger(tmp_path / "ledger")
    ledger.data.mkdir()
    port, box = free_port(), Mailbox(free_port())
    web = ("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4")
    hurried = ("celery", "--app", "tests.journeys.hurried", "beat", "--schedule", f"{tmp_path}/beat", "--pidfile=")
    load = Load(port, token)
    with ExitStack() as stack:
        ledger.start()
        stack.callback(lambda: ledger.end(signal.SIGTERM))
        executes_at(desk, f"{ledger.url}/acme")
        broker = embedded.start(tmp_path / "broker", database=False)
        stack.callback(broker.stop)
        stack.enter_context(box)
        here = {"REDIS_URL": broker.redis_url, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(box.port)}
        here |= {"EMAIL_WITHOUT_TLS": "1", "LOG_LEVEL": "WARNING"}
        stack.enter_context(running(tmp_path, "web", *web, "--no-control-socket", **here))
        stack.enter_context(running(tmp_path, "worker", *WORKER, **here))
        stack.enter_context(running(tmp_path, "beat", *hurried, **here))
        wait_until(lambda: answers(port))
        wait_until(lambda: health(port)["status"] == "ok")
        with under(load):
            load.goes_on()
            broker_goes_down(load, broker)
            mail_server_goes_down(load, box)
            executor_goes_down(load, ledger)
        wait_until(lambda: all_is_done(desk), 120, meanwhile=lambda: time_passes(broker))
        after = health(port)
        paid = entries(Book(ledger.data / "ledger.sqlite3"))

    assert load.lost == []
    assert set(load.refused) <= {429, 503}
    assert set(load.taken) == set(Case.objects.values_list("external_id", flat=True)), "none lost, none invented"
    assert sorted(paid) == sorted(action.wire_id for action in ProposedAction.objects.all()), "each once"
    assert len(paid) == len(load.taken) == Execution.objects.count()
    to = [line for mail in box.mails for line in mail.splitlines() if line.startswith("To: ")]
    assert sorted(to) == sorted(f"To: c{name[5:]}@example.com" for name in load.taken)
    assert (after["status"], after["problems"], after["cautions"]) == ("ok", [], [])
    assert (after["figures"]["customer_notices_waiting"], after["figures"]["actions_behind"]) == (0, 0)
    assert list(broken()) == []


def broker_goes_down(load: Load, broker: embedded.Embedded) -> None:
    """Nobody hears a nudge or the beat: red once that has lasted, and green by itself when it is over."""
    (valkey,) = broker.processes
    valkey.stop()
    load.goes_on()
    wait_until(lambda: UNSWEPT in health(load.port)["problems"], meanwhile=nobody_sweeps)
    load.goes_on()
    found = health(load.port)
    assert (found["status"], set(found["problems"]) <= {UNSWEPT, NO_WORKER}) == ("failing", True), found
    valkey.start()  # The same command, so at the same address.
    wait_until(lambda: health(load.port)["problems"] == [], 100)  # The worker looks for it ever more rarely.


def mail_server_goes_down(load: Load, box: Mailbox) -> None:
    """Nothing of ours is broken, so that it stays ready for cases; somebody should look at the mail server."""
    box.__exit__(None, None, None)
    load.goes_on()
    wait_until(lambda: UNSENT in health(load.port)["cautions"])
    load.goes_on()
    assert health(load.port)["status"] == "ok"
    box.__enter__()


def executor_goes_down(load: Load, ledger: Ledger) -> None:
    """Killed, perhaps amid a payment: what is unknown is asked for when it is back."""
    ledger.end(signal.SIGKILL)
    load.goes_on()
    wait_until(lambda: any(UNASKED in caution for caution in health(load.port)["cautions"]))
    load.goes_on()
    assert health(load.port)["status"] == "ok"
    ledger.start()
    load.goes_on()


def writes_to_customers(desk: Desk) -> None:
    CustomerNoticeSettings(tenant=desk.world.tenant, is_on=True).save_as(system_actor(), "on")
    text = CustomerTemplate(tenant=desk.world.tenant, occasion="decided", subject="Done", text="{answer} {opt_out}")
    text.save_as(system_actor(), "new")


def executes_at(desk: Desk, url: str) -> None:
    kind = desk.refunds
    kind.executor_kind, kind.executor, kind.executor_secret = "http", url, secret_of(KEY, "acme")
    kind.save_as(system_actor(), "a real ledger")
    publish(kind, actor=system_actor(), reason="a real ledger")


def entries(book: Book) -> list[str]:
    """The keys of all that the ledger paid."""
    keys, before = [], 0
    while page := book.newest(before=before):
        keys += [row["key"] for row in page]
        before = page[-1]["id"]
    return keys


def health(port: int) -> dict[str, Any]:
    return ask(port, "GET", "/health/")[1]


def all_is_done(desk: Desk) -> bool:
    return (
        not ProposedAction.objects.exclude(state="executed").exists()
        and not CustomerNotice.objects.exclude(state="sent").exists()
        and CustomerNotice.objects.count() == Case.objects.filter(tenant=desk.world.tenant).count()
    )


def nobody_sweeps() -> None:
    """As if the last sweep had been long ago; a sweep that runs says at once that it is not."""
    Heartbeat.objects.filter(pk=SWEEP).update(at=db_now() - LONG_AGO)


def time_passes(broker: embedded.Embedded) -> None:
    """What waits for its next attempt is due now, and the pause after an executor's failures is over.

    A worker that missed the broker keeps a pause of its own, which nobody can end: what waits for that goes on waiting,
    since an attempt that meets it is an attempt used up.
    """
    now = db_now()
    CustomerNotice.objects.filter(state="waiting", next_attempt_at__gt=now).update(next_attempt_at=now)
    with Redis.from_url(broker.redis_url) as client:
        if keys := client.keys("breaker:*"):
            client.delete(*keys)
            return  # Until the next round, for the same reason.
    ActionJob.objects.filter(due_at__gt=now).exclude(waits_for__contains="is left alone").update(due_at=now)
