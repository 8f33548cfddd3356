"""The demo's ledger: a real process with its own book, asked by the executor that production uses."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import rfc8785
from django.conf import settings

from approvals.executors import Call, PreviewFailed
from approvals.executors.http import HttpExecutor
from approvals.models import ActionType
from approvals.services.types import publish
from cases.ids import new_id, to_wire
from cases.models.people import system_actor
from config.demo.ledger import KEY_VARIABLE, secret_of
from config.demo.ledger_book import Book
from config.demo.ledger_link import LedgerLink, follow
from tests.threads import in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
KEY = "a-key-for-tests-of-thirty-letters"


class Running:
    """The ledger as its own process on ``data``."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, 0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.demo.ledger", "--port", str(self.port), "--data", str(self.data)],
            cwd=settings.BASE_DIR,
            env={**os.environ, KEY_VARIABLE: KEY, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)/", line)[1])

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(10)
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def executor(self, tenant: str = "acme", secret: str = "") -> HttpExecutor:
        return HttpExecutor(f"{self.url}/{tenant}", (secret or secret_of(KEY, tenant),), 5.0, owner=str(uuid4()))

    def page(self, query: str = "", **headers: str) -> str:
        request = urllib.request.Request(f"{self.url}/{query}", headers=headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as response:
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            return response.read().decode()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    ledger = Running(tmp_path_factory.mktemp("ledger"))
    ledger.start()
    yield ledger
    with suppress(ProcessLookupError):
        ledger.end(signal.SIGTERM)


def refund(order: str, amount: str = "10.00", **more: Any) -> Call:
    return ask("issue_refund", {"order_id": order}, amount=amount, currency="USD", **more)


def ask(action: str, params: dict[str, Any], **more: Any) -> Call:
    key = to_wire("act", new_id())
    return Call(key, action, rfc8785.dumps({"action_id": key, "action": action, "params": params, **more}))


def test_a_refund_appears_once_however_often_and_by_however_many_it_is_sent(ledger):
    call = refund(f"o-{uuid4().hex[:8]}")
    outcomes = in_parallel([lambda: ledger.executor().execute(call)] * 8)
    assert {outcome.state for outcome in outcomes} == {"executed"}
    assert len({outcome.detail["reference"] for outcome in outcomes}) == 1
    assert ledger.page().count(call.action_id) == 1
    assert ledger.executor().look_up(call).state == "executed"


def test_a_kill_loses_nothing_that_was_answered_for(ledger):
    before = [refund(f"k-{number}") for number in range(5)]
    assert all(ledger.executor().execute(call).state == "executed" for call in before)
    ledger.end(signal.SIGKILL)
    ledger.start()
    assert all(ledger.executor().look_up(call).state == "executed" for call in before)
    again = ledger.executor().execute(before[0])
    assert again.state == "executed" and ledger.page().count(before[0].action_id) == 1


def test_a_preview_binds_the_order_and_not_the_balance(ledger):
    order = f"o-{uuid4().hex[:8]}"
    first = ledger.executor().preview(refund(order))
    ledger.executor().execute(refund(f"other-{order}", "5.00"))
    second = ledger.executor().preview(refund(order))
    assert first.binding == second.binding
    assert first.binding["already_refunded"] == "0.00" and first.binding["refunded_after"] == "10.00"
    assert first.info["balance"] != second.info["balance"]
    ledger.executor().execute(refund(order))
    assert ledger.executor().preview(refund(order)).binding["already_refunded"] == "10.00"


def test_no_more_is_refunded_than_was_paid(ledger):
    assert ledger.executor().preview(refund("A-118204", "289.00")).binding["order_total"] == "289.00"
    with pytest.raises(PreviewFailed, match=r"Only 289\.00 of 289\.00 USD are left") as caught:
        ledger.executor().preview(refund("A-118204", "289.01"))
    assert caught.value.is_refusal
    outcome = ledger.executor().execute(refund("A-118204", "289.01"))
    assert outcome.state == "failed" and "are left" in outcome.detail["message"]


def test_what_was_refused_stays_refused_under_its_key(ledger):
    call = refund("A-115003", "35.01")
    assert [ledger.executor().execute(call).state for _ in range(2)] == ["failed", "failed"]
    assert ledger.executor().look_up(call).state == "failed"


def test_a_binding_that_no_longer_holds_is_refused_and_nothing_is_done(ledger):
    order = f"o-{uuid4().hex[:8]}"
    binding = ledger.executor().preview(refund(order)).binding
    late = refund(order, binding=binding)
    ledger.executor().execute(refund(order, binding=binding))
    outcome = ledger.executor().execute(late)
    assert outcome.state == "failed" and "no longer holds" in outcome.detail["message"]


def test_a_reservation_is_cancelled_once(ledger):
    params = {"reservation_id": f"R{uuid4().hex[:5]}"}
    executor = ledger.executor("skylark")
    assert executor.execute(ask("cancel_reservation", params)).state == "executed"
    assert executor.execute(ask("cancel_reservation", params)).state == "failed"


def test_a_certificate_is_a_credit_and_any_other_action_a_change(ledger):
    executor = ledger.executor("skylark")
    params = {"user_id": f"u-{uuid4().hex[:6]}", "amount": "50.00"}
    assert executor.preview(ask("send_certificate", params)).binding["credit"] == "50.00"
    assert executor.preview(ask("update_reservation_flights", {"reservation_id": "X"})).binding["changes_so_far"] == 0


def test_the_same_key_with_other_bytes_is_neither_done_nor_called_failed(ledger):
    call = refund("same-key")
    ledger.executor().execute(call)
    other = Call(call.action_id, call.action, call.payload.replace(b"10.00", b"99.00"))
    assert ledger.executor().execute(other).state == "unknown"


def test_a_key_that_it_never_saw_is_absent(ledger):
    assert ledger.executor().look_up(refund("never")).state == "absent"


@pytest.mark.parametrize("tenant", ["acme", "skylark"])
def test_only_the_tenants_own_signature_opens_its_book(ledger, tenant):
    wrong = secret_of(KEY, "wellspring")
    call = refund("forged")
    assert ledger.executor(tenant, wrong).execute(call).state == "unknown"
    assert ledger.executor(tenant).look_up(call).state == "absent"


def test_the_page_shows_text_as_text_and_one_tenants_entries_on_request(ledger):
    call = refund("<script>alert(1)</script>\u202e", "1.00")
    ledger.executor().execute(call)
    assert "<script" not in ledger.page() and "U+202E" in ledger.page()
    assert call.action_id in ledger.page("?tenant=acme")
    assert call.action_id not in ledger.page("?tenant=skylark")
    assert ledger.page("?before=x&tenant=nobody%27--")


def test_a_foreign_name_that_leads_here_is_not_answered(ledger):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ledger.page(Host="evil.example")
    assert caught.value.code == 421


def test_a_long_book_is_read_in_pages(tmp_path):
    book = Book(tmp_path / "book.sqlite3")
    for number in range(60):
        call = refund(f"o-{number}")
        book.execute("acme", json.loads(call.payload), call.payload)
    first = book.newest()
    assert len(first) == 51
    assert len(book.newest(before=first[49]["id"])) == 10


def test_action_types_follow_a_ledger_that_moved_and_no_others(db):
    world = make_world("acme")
    made = {}
    for name, url in (("ours", "http://127.0.0.1:8001/acme"), ("theirs", "https://pay.example/acme")):
        kind = ActionType(tenant=world.tenant, name=name, title=name, schema={"type": "object"})
        kind.executor_kind, kind.executor, kind.executor_secret = "http", url, "whsec_b2xk"
        kind.save_as(system_actor())
        publish(kind, actor=system_actor(), reason="made")
        made[name] = kind
    assert follow(LedgerLink("http://127.0.0.1:9009", KEY), ["acme"]) == 1
    assert follow(LedgerLink("http://127.0.0.1:9009", KEY), ["acme"]) == 0
    ours = ActionType.objects.get(name="ours")
    assert (ours.executor, ours.executor_version) == ("http://127.0.0.1:9009/acme", 2)
    assert ours.executor_secret == secret_of(KEY, "acme")
    assert ActionType.objects.get(name="theirs").executor == "https://pay.example/acme"
