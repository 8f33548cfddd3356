"""An executor behind HTTP, asked by a real client over a real socket: whatever it answers ends in one clear state."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from approvals.executors import Call, PreviewFailed
from approvals.executors.http import HttpExecutor
from cases.signing import new_secret
from tests.cases.receiver import Behaviour, Receiver, answer, drip, hang, pour, raw, redirect

CALL = Call(
    "act_0199aa", "issue_refund", b'{"action":"issue_refund","action_id":"act_0199aa","params":{"order_id":"o"}}'
)
JSON = {"Content-Type": "application/json"}


def says(body: Any, status: int = 200, **headers: str) -> Behaviour:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(status, data, JSON | {name.replace("_", "-"): value for name, value in headers.items()})


def cut_after(body: bytes, promised: int) -> Behaviour:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {promised}\r\n\r\n"
    return raw(head.encode() + body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def executor(receiver, settings) -> HttpExecutor:
    settings.OUTBOUND_ALLOW_LOOPBACK = True
    return HttpExecutor(receiver.url, (new_secret(), ""), 0.6, owner=str(uuid4()))


# --- execute ----------------------------------------------------------------------------------------------------------

DONE = {"state": "executed", "reference": "re_1"}
EXECUTIONS = {
    "done": (says(DONE), "executed", ""),
    "done and more than is asked for": (says(DONE | {"fee": 1}), "executed", ""),
    "a clear no": (says({"state": "failed", "message": "No such order."}), "failed", "refused"),
    "a clear no by status too": (says({"state": "failed", "code": "gone"}, 409), "failed", "refused"),
    "unprocessable": (says({"state": "failed"}, 422), "failed", "refused"),
    "a conflict that a gateway made": (
        answer(409, b"<h1>Conflict</h1>", {"Content-Type": "text/html"}),
        "unknown",
        "n",
    ),
    "a conflict that does not say failed": (says({"code": "in_progress"}, 409), "unknown", '"state"'),
    "executed by a refusing status": (says(DONE, 422), "unknown", '"state"'),
    "accepted, later perhaps": (says(DONE, 202), "unknown", "202"),
    "no content": (answer(204), "unknown", "204"),
    "unauthorised": (says({"state": "failed"}, 401), "unknown", "401"),
    "not found": (says({"state": "failed"}, 404), "unknown", "404"),
    "a fault": (says({"state": "failed"}, 500), "unknown", "500"),
    "busy": (says(DONE, 503), "unknown", "503"),
    "a redirect to a metadata address": (redirect("http://169.254.169.254/latest/meta-data/", 307), "unknown", "307"),
    "a permanent redirect to itself": (redirect("/hook/execute", 308), "unknown", "308"),
    "a page": (answer(200, b"<html>ok</html>", {"Content-Type": "text/html"}), "unknown", "application/json"),
    "JSON under another name": (
        answer(200, b'{"state":"executed"}', {"Content-Type": "text/plain"}),
        "unknown",
        "json",
    ),
    "no type at all": (answer(200, b'{"state":"executed"}'), "unknown", "application/json"),
    "garbage": (says(b"\x00\xff\x13garbage"), "unknown", "not_utf8"),
    "nothing": (says(b""), "unknown", "not_json"),
    "half of it": (says(b'{"state": "executed"'), "unknown", "not_json"),
    "two states": (says(b'{"state": "failed", "state": "executed"}'), "unknown", "duplicate_key"),
    "not a number": (says(b'{"state": "executed", "x": NaN}'), "unknown", "not_a_number"),
    "too deep": (says(b'{"state": ' + b"[" * 5000 + b"]" * 5000 + b"}"), "unknown", "too_deep"),
    "a list": (says([DONE]), "unknown", "object"),
    "a text": (says("executed"), "unknown", "object"),
    "a state that nobody knows": (says({"state": "Executed"}), "unknown", '"state"'),
    "a state that is no text": (says({"state": True}), "unknown", '"state"'),
    "absent, which only a look-up may say": (says({"state": "absent"}), "unknown", '"state"'),
    "a reference that is no text": (says({"state": "executed", "reference": 7}), "unknown", '"reference"'),
    "compressed": (says(b"\x1f\x8b\x08rest", Content_Encoding="gzip"), "unknown", "not_utf8"),
    "gigabytes": (pour(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"), "unknown", "longer than"),
    "gigabytes of headers": (pour(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 50_000 + b"\r\n"), "unknown", ""),
    "a byte now and then": (
        drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", 0.2),
        "unknown",
        "in time",
    ),
    "nothing for ever": (hang, "unknown", "in time"),
    "cut before the head": (raw(b""), "unknown", "broke"),
    "cut in the head": (raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), "unknown", ""),
    "cut before the body": (cut_after(b"", 100), "unknown", "broke"),
    "cut in the body, though what came reads well": (cut_after(b'{"state": "executed"}', 100), "unknown", "broke"),
    "not HTTP": (raw(b"220 mail.example ESMTP\r\n"), "unknown", "not HTTP"),
}


@pytest.mark.parametrize("name", EXECUTIONS)
def test_whatever_it_answers_an_execution_ends_in_one_clear_state_after_one_request(receiver, executor, name):
    behaviour, state, words = EXECUTIONS[name]
    receiver.always = behaviour
    outcome = executor.execute(CALL)
    assert (outcome.state, outcome.was_sent) == (state, True), outcome
    assert words in outcome.cause
    assert "garbage" not in outcome.cause and "Conflict" not in outcome.cause
    assert [request.path for request in receiver.requests] == ["/hook/execute"]


def test_a_reference_and_a_message_are_kept_and_cut(receiver, executor):
    receiver.always = says(DONE | {"message": "m" * 5000, "code": "c" * 500})
    assert executor.execute(CALL).detail == {"reference": "re_1", "message": "m" * 500, "code": "c" * 50}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://no-such-host.invalid/x", "resolved"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://10.0.0.8/x", "not public"),
        ("http://8.8.8.8/x", "https"),
    ],
)
def test_what_was_never_sent_says_so(executor, url, words):
    outcome = replace(executor, url=url).execute(CALL)
    assert (outcome.state, outcome.was_sent) == ("unknown", False)
    assert words in outcome.cause


def test_a_closed_port_and_tls_junk_are_never_sent(receiver, executor):
    assert executor.execute(CALL).was_sent  # The receiver answers, if nonsense.
    for url in (f"http://127.0.0.1:{closed_port()}/x", f"https://127.0.0.1:{receiver.port}/hook"):
        outcome = replace(executor, url=url, owner=str(uuid4())).execute(CALL)
        assert (outcome.state, outcome.was_sent) == ("unknown", False), outcome
    assert len(receiver.requests) == 1


def test_a_secret_that_is_none_sends_nothing(receiver, executor):
    outcome = replace(executor, secrets=("whsec_%%%",)).execute(CALL)
    assert (outcome.state, outcome.was_sent, receiver.requests) == ("unknown", False, [])


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_the_stored_bytes_go_out_signed_with_both_secrets_and_the_key(receiver, executor):
    receiver.always = says(DONE)
    executor = replace(executor, secrets=(new_secret(), new_secret()))
    executor.execute(CALL)
    (request,) = receiver.requests
    assert request.body == CALL.payload
    assert request.json(*executor.secrets)["action_id"] == CALL.action_id
    assert request.headers["idempotency-key"] == CALL.action_id
    assert not request.is_signed_with(new_secret())


def test_a_preview_cannot_be_replayed_as_an_execution(receiver, executor):
    receiver.always = says({"binding": {}})
    executor.preview(CALL)
    receiver.always = says({"state": "absent"})
    executor.look_up(CALL)
    ids = [request.headers["webhook-id"].split("_")[0] for request in receiver.requests]
    assert ids == ["preview", "lookup"]
    replayed = replace(receiver.requests[0])
    headers = dict(replayed.headers) | {"webhook-id": replayed.headers["webhook-id"].replace("preview", "execute")}
    assert not replace(replayed, headers=headers).is_signed_with(executor.secrets[0])


def test_each_sending_has_its_own_id_and_the_same_key(receiver, executor):
    receiver.always = says(DONE)
    executor.execute(CALL)
    executor.execute(CALL)
    first, second = receiver.requests
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


# --- preview ----------------------------------------------------------------------------------------------------------


def test_a_preview_has_a_binding_and_an_informative_part(receiver, executor):
    receiver.always = says({"binding": {"total": "80.00"}, "info": {"balance": "12.00"}})
    found = executor.preview(CALL)
    assert (found.binding, found.info) == ({"total": "80.00"}, {"balance": "12.00"})
    assert receiver.requests[0].path == "/hook/preview"


def test_a_refused_preview_says_why_and_that_asking_again_is_useless(receiver, executor):
    receiver.always = says({"state": "failed", "message": "Only 30.00 are left."}, 422)
    with pytest.raises(PreviewFailed, match=r"Only 30\.00 are left") as caught:
        executor.preview(CALL)
    assert (caught.value.code, caught.value.is_refusal) == ("preview_refused", True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, '"binding"'),
        ({"binding": []}, '"binding"'),
        ({"binding": {}, "info": "x"}, '"info"'),
        ({"binding": {}, "more": 1}, "undocumented"),
        ({"binding": {"text": "x" * 17_000}}, "longer"),
        ({"binding": {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}}, "deeper"),
        (b'{"binding": {"a": 1, "a": 2}}', "duplicate_key"),
        (b'{"binding": {"a": 12345678901234567890}}', "number_too_large"),
    ],
)
def test_a_preview_of_another_shape_is_no_preview(receiver, executor, body, words):
    receiver.always = says(body)
    with pytest.raises(PreviewFailed) as caught:
        executor.preview(CALL)
    assert (caught.value.code, caught.value.is_refusal) == ("preview_unreadable", False)
    assert words in caught.value.message


def test_a_preview_that_never_reached_it_says_so(executor):
    with pytest.raises(PreviewFailed) as caught:
        replace(executor, url=f"http://127.0.0.1:{closed_port()}/").preview(CALL)
    assert caught.value.code == "preview_not_sent"


# --- look-up ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["executed", "failed", "absent", "unknown"])
def test_a_look_up_finds_each_state_in_its_own_words(receiver, executor, state):
    receiver.always = says({"state": state, "reference": "re_1"})
    outcome = executor.look_up(CALL)
    assert (outcome.state, outcome.detail) == (state, {"reference": "re_1"})
    assert receiver.requests[0].json(executor.secrets[0]) == {"action": "issue_refund", "action_id": "act_0199aa"}


@pytest.mark.parametrize(
    "behaviour", [answer(404), says({"state": "absent"}, 404), says({"state": "no"}), says({}, 409)]
)
def test_a_look_up_that_does_not_say_it_in_words_finds_nothing_out(receiver, executor, behaviour):
    receiver.always = behaviour
    assert executor.look_up(CALL).state == "unknown"
