"""An agent flow that stops for a person and goes on when they have decided, in the manner of LangGraph.

    python docs/examples/agent_flow.py --url http://127.0.0.1:8000 --token TOKEN

asks `automation/` before it calls the AI, lets the AI draft, posts the case with the action that it proposes, saves its
state to a file and stops there: the process could end. It goes on by polling, or, where `--listen PORT` and
`--secret whsec_…` are given, when Countersign calls the webhook. Run again with the same `--state` file, it takes up
where it stopped.

Only the standard library is used. A graph of LangGraph has the same parts: nodes that take and return the state, an
`interrupt()` where the flow waits, a checkpointer that keeps the state under a thread id, and `Command(resume=…)`.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

State = dict[str, Any]

RETRIED = {429, 500, 502, 503, 504}
ATTEMPTS = 5
CLOCK_SKEW_SECONDS = 300


# --- Countersign, over HTTP ---------------------------------------------------------------------------------------


class Refused(Exception):
    """Countersign answered with a problem document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.problem = status, problem
        fields = "".join(f"\n  {error['pointer']}: {error['detail']}" for error in problem.get("errors", ()))
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail')}{fields}")


class Countersign:
    """The few calls that a flow needs. Each is safe to repeat, so each is retried."""

    def __init__(self, url: str, token: str) -> None:
        self.base, self.token = url.rstrip("/") + "/api/v1/", token

    def automation_is_on(self, domain: str, action: str = "") -> bool:
        """Whether the AI may be called. No answer is a no: an outage must not turn the brakes off."""
        query = urllib.parse.urlencode({"domain": domain} | ({"action": action} if action else {}))
        try:
            return self.call("GET", f"automation/?{query}")["ai_automation_enabled"] is True
        except (OSError, Refused) as error:
            print(f"No answer about automation, so it counts as stopped: {error}")
            return False

    def post_case(self, case: dict[str, Any], key: str) -> dict[str, Any]:
        """The triage of a new case, or the case as it is where it was posted before."""
        return self.call("POST", "cases/", case, {"Idempotency-Key": key})

    def case(self, case_id: str) -> dict[str, Any]:
        return self.call("GET", f"cases/{case_id}/")

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """One request, repeated after a failure that may pass; raises ``Refused`` for any other."""
        for attempt in range(1, ATTEMPTS + 1):
            request = urllib.request.Request(
                self.base + path,
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={
                    "Authorization": f"Token {self.token}",
                    "Content-Type": "application/json",
                    **(headers or {}),
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                refused = Refused(error.code, _problem(error))
                in_flight = refused.problem.get("code") == "in_flight"
                if attempt == ATTEMPTS or not (error.code in RETRIED or in_flight):
                    raise refused from None
                time.sleep(float(error.headers.get("Retry-After") or 2**attempt / 4))
            except OSError:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(2**attempt / 4)
        raise AssertionError("unreachable")


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        return json.load(error)
    except ValueError:  # A proxy's page.
        return {"code": "unreadable", "detail": error.reason}


def verified(body: bytes, headers: Any, secret: str) -> dict[str, Any]:
    """The event in a webhook (standardwebhooks.com); raises ``ValueError`` unless Countersign sent it, just now."""
    sent_at = headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > CLOCK_SKEW_SECONDS:
        raise ValueError("The webhook is too old or from the future.")
    signed = b".".join((headers["webhook-id"].encode(), sent_at.encode(), body))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if not any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split(" ")):
        raise ValueError("The webhook is not signed with this secret.")
    return json.loads(body)


# --- the graph: nodes take the state and return what changes --------------------------------------------------------


class Interrupt(Exception):
    """Raised by a node that cannot go on without a person."""


def gate(state: State, countersign: Countersign) -> State:
    """May the AI be called for this?"""
    return {"automation": countersign.automation_is_on(state["domain"], "issue_refund" if state["proposes"] else "")}


def draft(state: State, countersign: Countersign) -> State:
    """Call the AI. Put your model here; this one always answers the same."""
    if not state["automation"]:
        return {"answer": None, "action": None, "signals": {}}  # A person answers from scratch.
    refund = {
        "action": "issue_refund",
        "params": {"order_id": "o_1"},
        "amount": "420.00",
        "currency": "USD",
        "policy_basis": "damaged on arrival",
    }
    return {
        "answer": "I am sorry about that. I can refund the order in full.",
        "action": refund if state["proposes"] else None,
        "signals": {"calibrated_confidence": 0.82, "answer_groundedness": 0.7, "self_confidence": 0.95},
    }


def submit(state: State, countersign: Countersign) -> State:
    """Post the case. The thread's id is its key: a flow that died here posts the same again and gets the same case."""
    case = {
        "external_id": state["thread_id"],
        "domain": state["domain"],
        "user_question": state["question"],
        "resume_token": state["thread_id"],
        "release": {"model": "stand-in", "version": "1"},
    }
    if state["answer"]:
        case |= {"model_draft": state["answer"], "signals": state["signals"], "proposed_action": state["action"]}
    receipt = countersign.post_case(case, key=state["thread_id"])
    return {"case_id": receipt["case_id"], "status_url": receipt["status_url"]}


def wait(state: State, countersign: Countersign) -> State:
    """Stop until the outcome is final. A webhook only wakes the flow: what it acts on is read from the API."""
    case = countersign.case(state["case_id"])
    if case["state"] == "withdrawn":
        return {"outcome": {"verdict": "withdrawn", "final_answer": None}}
    if case["outcome"] is None:  # It also waits for the action: until it has run, or certainly will not.
        raise Interrupt(", ".join([case["state"], *(f"{one['action']} {one['state']}" for one in case["actions"])]))
    return {"outcome": case["outcome"]}


def act(state: State, countersign: Countersign) -> State:
    """Tell the customer what was decided, and what was done: Countersign has executed an approved action itself."""
    outcome = state["outcome"]
    if outcome["verdict"] not in {"accept", "edit"}:
        return {"reply": None}  # Rejected: nothing takes effect, and the flow must not act.
    done = [action for action in outcome["actions"] if action["state"] == "executed"]
    receipts = [f"({one['amount']} {one['currency']}, reference {one['reference']})" for one in done]
    return {"reply": " ".join([outcome["final_answer"], *receipts])}


NODES: list[Callable[[State, Countersign], State]] = [gate, draft, submit, wait, act]


def run(state: State, countersign: Countersign, save: Callable[[State], None]) -> bool:
    """Walk the nodes from where ``state`` stands, saving after each; False where it has to wait for a person."""
    while state["at"] < len(NODES):
        node = NODES[state["at"]]
        try:
            state |= node(state, countersign)
        except Interrupt as reason:
            print(f"{node.__name__}: waiting ({reason})")
            return False
        state["at"] += 1
        save(state)
        print(f"{node.__name__}: done")
    return True


# --- the checkpoint, and what wakes the flow ------------------------------------------------------------------------


def load(given: argparse.Namespace) -> State:
    """The state as it was kept, or a new thread's."""
    if given.state.exists():
        return json.loads(given.state.read_text())
    return {
        "thread_id": f"thread-{uuid.uuid4()}",
        "at": 0,  # the next node
        "question": given.question,
        "domain": given.domain,
        "proposes": not given.answer_only,
    }


def saver(path: Path) -> Callable[[State], None]:
    def save(state: State) -> None:
        written = path.with_suffix(".new")
        written.write_text(json.dumps(state, indent=1))
        written.replace(path)  # Whole or not at all.

    return save


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; ``woken`` is set by each that is genuine and belongs to this thread."""

    def __init__(self, port: int, secret: str, thread_id: str) -> None:
        self.secret, self.thread_id, self.woken = secret, thread_id, threading.Event()
        super().__init__(("127.0.0.1", port), _Hook)


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = verified(body, self.headers, self.server.secret)
        except (ValueError, TypeError, KeyError, AttributeError):
            status = 401
        else:
            status = 204
            if event["data"].get("resume_token") == self.server.thread_id:
                self.server.woken.set()
        self.send_response(status)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="An agent flow that stops for a person.")
    parser.add_argument("--url", required=True, help="where Countersign runs, such as http://127.0.0.1:8000")
    parser.add_argument("--token", required=True, help="the token of a service account")
    parser.add_argument("--question", default="My parcel arrived broken. May I have my money back?")
    parser.add_argument("--domain", default="billing")
    parser.add_argument("--answer-only", action="store_true", help="propose no refund, only an answer")
    parser.add_argument("--state", type=Path, default=Path("agent_flow.json"), help="where the flow keeps its state")
    parser.add_argument("--listen", type=int, help="take webhooks on this port instead of polling")
    parser.add_argument("--secret", help="the endpoint's signing secret, whsec_…")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two polls")
    parser.add_argument("--stop", action="store_true", help="end when a person has to look; start again to go on")
    given = parser.parse_args(arguments)
    if given.listen is not None and not given.secret:
        parser.error("--listen needs --secret")

    state, countersign = load(given), Countersign(given.url, given.token)
    receiver = None
    if given.listen is not None:
        receiver = Receiver(given.listen, given.secret, state["thread_id"])
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        while not run(state, countersign, saver(given.state)):
            if given.stop:
                return 0
            if receiver:
                # A webhook can come late, never twice too often: look now and then all the same.
                receiver.woken.wait(timeout=60 * given.every)
                receiver.woken.clear()
            else:
                time.sleep(given.every)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    finally:
        if receiver:
            receiver.shutdown()
            receiver.server_close()
    print(f"The customer is told: {state['reply']}" if state["reply"] else "Rejected: the flow does nothing.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped; start again with the same --state to go on.")
