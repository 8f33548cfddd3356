"""Broker, mail server and executor go down one after the other under load: every case is taken in or honestly refused,
and when they are back nothing is missing and nothing happened twice."""

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from approvals.models import ActionJob, ProposedAction
from approvals.services.types import publish
from cases.clock import db_now
from cases.models import Case, CustomerNotice, CustomerNoticeSettings, CustomerTemplate
from cases.models.people import system_actor
from cases.services import people
from config import embedded
from config.demo.ledger import secret_of
from config.demo.ledger_book import Book
from config.invariants import broken
from tests.approvals.desks import make_desk
from tests.cases.mailbox import Mailbox
from tests.journeys.processes import WORKER, beat, running, wait_until
from tests.journeys.test_faults import answers, free_port
from tests.journeys.test_ledger import KEY
from tests.journeys.test_ledger import Running as Ledger
from tests.worlds import SURE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
ENOUGH = 6  # cases taken in during each outage


@dataclass
class Load:
    """Cases that keep coming, each with a refund that may run alone and a customer who hears of it."""

    port: int
    token: str
    taken: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        number = 0
        while not self.over.wait(0.1):
            number += 1
            self._send(number)

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
            return
        (self.taken if status == 201 else self.refused).append(f"conv-{number}" if status == 201 else status)


def ask(port: int, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
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
        thread.join(30)


def more(load: Load) -> None:
    """Wait until so many more cases were answered for."""
    before = len(load.taken) + len(load.refused)
    wait_until(lambda: len(load.taken) + len(load.refused) >= before + ENOUGH)


def test_what_is_down_holds_nothing_up_and_loses_nothing(tmp_path: Path, settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0})
    CustomerNoticeSettings(tenant=desk.world.tenant, is_on=True).save_as(system_actor(), "on")
    text = CustomerTemplate(tenant=desk.world.tenant, occasion="decided", subject="Done", text="{answer} {opt_out}")
    text.save_as(system_actor(), "new")
    token = people.issue_token(desk.world.service, actor=system_actor(), tenant=desk.world.tenant)
    ledger = Ledger(tmp_path / "ledger")
    ledger.data.mkdir()
    ledger.start()
    executes_at(desk.refunds, f"{ledger.url}/acme")
    broker = embedded.start(tmp_path / "broker", database=False)
    port = free_port()
    box = Mailbox(free_port())
    with box:
        here = {"REDIS_URL": broker.redis_url, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(box.port)}
        here |= {"EMAIL_WITHOUT_TLS": "1"}
        web = ("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4")
        load = Load(port, token)
        try:
            with (
                running(tmp_path, "web", *web, "--no-control-socket", **here),
                running(tmp_path, "worker", *WORKER, **here),
                running(tmp_path, "beat", *beat(tmp_path), **here),
            ):
                wait_until(lambda: answers(port))
                with under(load):
                    more(load)
                    broker.stop()
                    more(load)
                    assert health(port)["status"] in ("ok", "failing")
                    broker = embedded.start(tmp_path / "broker", database=False)

                    box.__exit__(None, None, None)
                    wait_until(lambda: CustomerNotice.objects.exclude(last_error="").exists(), meanwhile=time_passes)
                    more(load)
                    assert health(port)["figures"]["customer_notices_waiting"] > 0
                    box.__enter__()

                    ledger.end(signal.SIGKILL)
                    more(load)
                    assert health(port)["figures"]["actions_unknown"] == 0
                    ledger.start()
                    more(load)
                wait_until(all_is_done, 90, meanwhile=time_passes)
                after = health(port)
            paid = entries(Book(ledger.data / "ledger.sqlite3"))
        finally:
            broker.stop()
            ledger.end(signal.SIGTERM)
    assert load.lost == []
    assert set(load.refused) <= {429, 503}
    assert set(load.taken) == set(Case.objects.values_list("external_id", flat=True)), "none lost, none invented"
    assert sorted(paid) == sorted(action.wire_id for action in ProposedAction.objects.all()), "each once"
    assert len(paid) == len(load.taken)
    to = [line for mail in box.mails for line in mail.splitlines() if line.startswith("To: ")]
    assert sorted(to) == sorted(f"To: c{name[5:]}@example.com" for name in load.taken)
    assert (after["figures"]["customer_notices_waiting"], after["figures"]["actions_behind"]) == (0, 0)
    assert list(broken()) == []


def executes_at(kind, url: str) -> None:
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


def health(port: int) -> dict:
    return ask(port, "GET", "/health/")[1]


def all_is_done() -> bool:
    return (
        not ProposedAction.objects.exclude(state="executed").exists()
        and not CustomerNotice.objects.exclude(state="sent").exists()
        and CustomerNotice.objects.count() == Case.objects.count()
    )


def time_passes() -> None:
    """What waits for its next attempt is due now."""
    now = db_now()
    CustomerNotice.objects.filter(state="waiting", next_attempt_at__gt=now).update(next_attempt_at=now)
    ActionJob.objects.filter(due_at__gt=now).update(due_at=now)
