"""`docs/examples/agent_flow.py` as an integrator runs it: its own process, a live server, a reviewer who decides over
the API."""

import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from standardwebhooks import Webhook

from approvals.models import ActionJob
from approvals.services.lifetimes import sweep_ended_cases
from cases.clock import db_now
from cases.models import Case, Delivery, User, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import deliveries, people, switch
from cases.signing import new_secret
from tests.approvals.desks import make_desk, run_due
from tests.approvals.till import Till
from tests.worlds import World, make_world

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "agent_flow.py"
CORRECTED = "We send a new parcel today. You need not send the broken one back."


@pytest.fixture
def world(transactional_db: None, settings: Any, live_server: Any) -> World:
    settings.PUBLIC_URL = live_server.url
    return make_world("acme", undo_seconds=1)


class Flow:
    """The example as a process; what it prints is read when it has ended."""

    def __init__(self, url: str, world: World, folder: Path) -> None:
        token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
        self.state_file = folder / "state.json"
        self.command = [sys.executable, str(SCRIPT), "--url", url, "--token", token, "--state", str(self.state_file)]
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*self.command, "--every", "0.2", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def end(self) -> str:
        assert self.process is not None
        printed, _ = self.process.communicate(timeout=40)
        assert self.process.returncode == 0, printed
        return printed

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())


@pytest.fixture
def flow(world: World, live_server: Any, tmp_path: Path):
    flow = Flow(live_server.url, world, tmp_path)
    yield flow
    flow.stop()


def front_end(url: str, world: World, user: User) -> Callable[..., dict[str, Any]]:
    """Calls the API as ``user``: a POST where there is a body."""
    token = people.issue_token(user, actor=system_actor(), tenant=world.tenant)

    def call(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{url}/api/v1/{path}", sent, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    return call


def decide(url: str, world: World, **review: Any) -> None:
    """What a reviewer's own front end does: claim the next case, and review it under the claim's generation."""
    post = front_end(url, world, world.reviewer)
    claim = post("queues/claim/", {})
    post(f"cases/{claim['case_id']}/reviews/", {"generation": claim["generation"], **review})


def until(happened: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_flow_polls_until_a_person_has_corrected_the_answer(flow: Flow, world: World, live_server: Any):
    flow.start("--answer-only")
    until(Case.objects.exists)
    decide(live_server.url, world, verdict="edit", final_answer=CORRECTED, notes="No refund without a photograph.")
    assert f"The customer is told: {CORRECTED}" in flow.end()
    assert flow.state["outcome"]["verdict"] == "edit"


def test_the_flow_ends_at_the_interrupt_and_a_later_run_goes_on_with_the_same_case(
    flow: Flow, world: World, live_server: Any
):
    flow.start("--stop")
    assert "wait: waiting (pending_review, issue_refund " in flow.end()
    case = Case.objects.get()
    assert case.actions.get().name == "issue_refund"
    assert flow.state["case_id"] == case.wire_id

    decide(live_server.url, world, verdict="reject", notes="The order was never delivered.")
    until(sweep_ended_cases)  # The beat's work: the refund is cancelled once the rejection cannot be undone.
    flow.start()
    printed = flow.end()
    assert "submit: done" not in printed, "what was done is not done again"
    assert "Rejected: the flow does nothing." in printed
    assert Case.objects.count() == 1


def test_the_flow_waits_for_its_refund_and_tells_the_customer_its_reference(
    settings: Any, transactional_db: None, live_server: Any, tmp_path: Path
):
    settings.PUBLIC_URL = live_server.url
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk(undo_seconds=1)
    flow = Flow(live_server.url, desk.world, tmp_path)
    try:
        flow.start()
        until(Case.objects.exists)
        run_due()
        decide(live_server.url, desk.world, verdict="accept", notes="The photograph shows it.")
        approver = front_end(live_server.url, desk.world, desk.ann)
        (action,) = approver("actions/?waiting_for_me=true")["results"]
        assert action["preview"]["binding"] == {"total": "500.00"}
        approver(f"actions/{action['action_id']}/approve/", {"payload_hash": action["payload_hash"]})
        until(lambda: (run_due() and Till.paid) or jobs_are_due())  # The workers' work.
        assert "I can refund the order in full. (420.00 USD, reference till-1)" in flow.end()
    finally:
        flow.stop()
    assert list(Till.paid) == [action["action_id"]]


def jobs_are_due() -> bool:
    """Make what waits for the end of the undo window due as soon as that is over."""
    ActionJob.objects.filter(due_at__lte=db_now() + timedelta(seconds=20)).update(due_at=db_now(), leased_until=None)
    return False


def test_the_flow_goes_on_when_the_webhook_calls(flow: Flow, world: World, live_server: Any):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = WebhookEndpoint(
        tenant=world.tenant, url=f"http://127.0.0.1:{port}/", secret=new_secret(), kinds=["case.decided"]
    )
    endpoint.save_as(system_actor(), "test")
    # Polls are a minute apart: only the webhook can wake it in time.
    flow.start("--answer-only", "--listen", str(port), "--secret", endpoint.secret, "--every", "1")
    until(Case.objects.exists)
    decide(live_server.url, world, verdict="accept", notes="Right as it is.")
    until(lambda: deliveries.sweep(seconds=1) or Delivery.objects.filter(state="delivered").exists())
    assert "The customer is told: I am sorry about that." in flow.end()


def test_the_flow_does_not_call_the_ai_while_automation_is_stopped(flow: Flow, world: World):
    switch.stop(switch.Scope(world.tenant, "billing"), actor=system_actor(), reason="wrong prices")
    flow.start("--stop")
    flow.end()
    assert flow.state["answer"] is None
    assert "no_draft" in Case.objects.get().current_draft.triggers


def test_no_answer_about_automation_is_a_no(example: ModuleType):
    assert example.Countersign("http://127.0.0.1:9", "none").automation_is_on("billing") is False


# --- its verification of webhooks, against the library ---------------------------------------------------------------


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("agent_flow", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return module


BODY = b'{"type":"case.decided","data":{}}'


def signed(secret: str, at: datetime, body: bytes = BODY) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, body.decode()),
    }


def test_a_genuine_webhook_is_read_also_while_secrets_change_over(example: ModuleType):
    old, new, now = new_secret(), new_secret(), datetime.now(UTC)
    headers = signed(new, now)
    assert example.verified(BODY, headers, new)["type"] == "case.decided"
    headers["webhook-signature"] += " " + signed(old, now)["webhook-signature"]
    assert example.verified(BODY, headers, old)["type"] == "case.decided"


@pytest.mark.parametrize("wrong", ["secret", "body", "id", "late", "early"])
def test_a_webhook_that_is_not_genuine_is_refused(example: ModuleType, wrong: str):
    secret, now = new_secret(), datetime.now(UTC)
    shift = {"late": timedelta(minutes=-6), "early": timedelta(minutes=6)}.get(wrong, timedelta())
    headers = signed(new_secret() if wrong == "secret" else secret, now + shift)
    if wrong == "id":
        headers["webhook-id"] = "evt_2"
    with pytest.raises(ValueError):
        example.verified(BODY + b" " if wrong == "body" else BODY, headers, secret)
