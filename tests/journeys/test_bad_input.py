"""Bad input gets a clear 4xx, nothing is stored by halves, and nothing is echoed."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps

from cases.models import Denial, IdempotencyKey
from cases.models.people import system_actor
from cases.services import people
from tests.worlds import make_world

SECRET = "quetzalcoatl"  # Stands in what is sent; no answer may repeat it.
JSON = "application/json"
GOOD = {"domain": "billing", "user_question": "Refund?"}
ACTION = {"action": "issue_refund", "params": {}, "amount": "42.00", "currency": "USD"}


def case(**fields: Any) -> bytes:
    """The bytes of an intake that would be good but for ``fields``; None takes a field out."""
    return json.dumps({name: value for name, value in (GOOD | fields).items() if value is not ...}).encode()


def with_signal(value: str) -> bytes:
    return b'{"domain": "a", "user_question": "?", "signals": {"judge_score": %s}}' % value.encode()


def with_metadata(value: str) -> bytes:
    return b'{"domain": "a", "user_question": "?", "metadata": {"x": %s}}' % value.encode()


def action(**fields: Any) -> bytes:
    return case(proposed_action={name: value for name, value in (ACTION | fields).items() if value is not ...})


def nested(depth: int) -> bytes:
    return b'{"domain":"billing","user_question":"?","metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


# What is sent → status, code of the problem, pointer of its first error (None: it has none).
BODIES: dict[str, tuple[bytes, int, str, str | None]] = {
    # bytes that are no JSON, or more than one reading of it
    "empty": (b"", 400, "invalid", "/domain"),
    "white space": (b"   ", 400, "not_json", None),
    "cut short": (b'{"domain": "billing"', 400, "not_json", None),
    "two values": (b'{"domain": "billing"} {}', 400, "not_json", None),
    "trailing comma": (b'{"domain": "billing",}', 400, "not_json", None),
    "comment": (b'{"domain": "billing" /* quetzalcoatl */}', 400, "not_json", None),
    "single quotes": (b"{'domain': 'billing'}", 400, "not_json", None),
    "a form": (b"domain=billing&user_question=quetzalcoatl", 400, "not_json", None),
    "byte order mark": (b"\xef\xbb\xbf" + case(), 400, "byte_order_mark", None),
    "utf-16": (case().decode().encode("utf-16"), 400, "not_utf8", None),
    "latin-1": (b'{"domain": "billing", "user_question": "caf\xe9"}', 400, "not_utf8", None),
    "overlong utf-8": (b'{"domain": "billing", "user_question": "\xc0\x80"}', 400, "not_utf8", None),
    "raw NUL": (b'{"domain": "billing", "user_question": "a\x00b"}', 400, "not_json", None),
    "raw control character": (b'{"domain": "billing", "user_question": "a\nb"}', 400, "not_json", None),
    "zero-width only": (case(user_question="\u200b\u200d\ufeff"), 400, "invalid", "/user_question"),
    "spaces and zero-width": (case(user_question=" \u2060\n\u3164 "), 400, "invalid", "/user_question"),
    "a blank tag": (case(tags=["\u200b"]), 400, "invalid", "/tags/0"),
    "escaped NUL": (case(user_question="a\x00b"), 400, "nul", "/user_question"),
    "NUL in a key": (
        b'{"domain": "billing", "user_question": "?", "metadata": {"a\\u0000": 1}}',
        400,
        "nul",
        "/metadata",
    ),
    "lone surrogate": (
        b'{"domain": "billing", "user_question": "\\ud83d"}',
        400,
        "lone_surrogate",
        "/user_question",
    ),
    "duplicate key": (b'{"domain": "a", "domain": "b", "user_question": "?"}', 400, "duplicate_key", "/domain"),
    "duplicate key deep inside": (
        b'{"domain": "a", "user_question": "?", "metadata": {"x": [{"y": 1, "y": 1}]}}',
        400,
        "duplicate_key",
        "/metadata/x/0/y",
    ),
    "NaN": (
        with_signal("NaN"),
        400,
        "not_a_number",
        "/signals/judge_score",
    ),
    "Infinity": (
        with_signal("Infinity"),
        400,
        "not_a_number",
        "/signals/judge_score",
    ),
    "-Infinity": (
        with_metadata("-Infinity"),
        400,
        "not_a_number",
        "/metadata/x",
    ),
    "1e999": (
        with_metadata("1e999"),
        400,
        "number_too_large",
        "/metadata/x",
    ),
    "an integer beyond 2^53": (
        with_metadata("9007199254740993"),
        400,
        "number_too_large",
        "/metadata/x",
    ),
    "a million digits": (
        with_metadata("9" * 900_000),
        400,
        "number_too_large",
        "/metadata/x",
    ),
    "too deep": (nested(40), 400, "too_deep", None),
    "far too deep": (b"[" * 100_000, 400, "too_deep", None),
    "too large": (case(user_question="x" * 1_000_001), 413, "body_too_large", None),
    # values of the wrong kind
    "a list": (b"[]", 400, "invalid", ""),
    "a text": (b'"quetzalcoatl"', 400, "invalid", ""),
    "null": (b"null", 400, "invalid", ""),
    "nothing in it": (b"{}", 400, "invalid", "/domain"),
    "no question": (case(user_question=...), 400, "invalid", "/user_question"),
    "null question": (case(user_question=None), 400, "invalid", "/user_question"),
    "blank question": (case(user_question=" \n\t"), 400, "invalid", "/user_question"),
    "numeric question": (case(user_question=5), 400, "invalid", "/user_question"),
    "question too long": (case(user_question="x" * 200_001), 400, "invalid", "/user_question"),
    "no domain": (case(domain=...), 400, "invalid", "/domain"),
    "domain with capitals": (case(domain="Billing"), 400, "invalid", "/domain"),
    "domain with a line feed": (case(domain="billing\n"), 400, "invalid", "/domain"),
    "domain as a path": (case(domain="../quetzalcoatl"), 400, "invalid", "/domain"),
    "unknown field": (case(quetzalcoatl_field=1), 400, "invalid", "/quetzalcoatl_field"),
    "misspelt field": (case(model_drfat="quetzalcoatl"), 400, "invalid", "/model_drfat"),
    "a field of the server": (case(state="approved"), 400, "invalid", "/state"),
    "a purpose": (case(purpose="challenge"), 400, "invalid", "/purpose"),
    "a case_id": (case(case_id="quetzalcoatl"), 400, "invalid", "/case_id"),
    "unknown kind": (case(kind="quetzalcoatl"), 400, "invalid", "/kind"),
    "unknown risk": (case(risk_level="HIGH"), 400, "invalid", "/risk_level"),
    "risk as a number": (case(risk_level=3), 400, "invalid", "/risk_level"),
    "unknown trigger": (case(triggers=["low_confidence", "quetzalcoatl"]), 400, "invalid", "/triggers/1"),
    "triggers as a text": (case(triggers="low_confidence"), 400, "invalid", "/triggers"),
    "signal above one": (case(signals={"judge_score": 1.01}), 400, "invalid", "/signals/judge_score"),
    "signal below zero": (case(signals={"judge_score": -0.01}), 400, "invalid", "/signals/judge_score"),
    "signal as a text": (case(signals={"judge_score": "0.5"}), 400, "invalid", "/signals/judge_score"),
    "signal as a truth value": (case(signals={"judge_score": True}), 400, "invalid", "/signals/judge_score"),
    "unknown signal": (case(signals={"quetzalcoatl": 0.5}), 400, "invalid", "/signals/quetzalcoatl"),
    "signals as a list": (case(signals=[0.5]), 400, "invalid", "/signals"),
    "evidence without an id": (case(evidence=[{"quote": "q"}]), 400, "invalid", "/evidence/0/document_id"),
    "evidence score above one": (
        case(evidence=[{"document_id": "d", "quote": "q", "score": 2}]),
        400,
        "invalid",
        "/evidence/0/score",
    ),
    "evidence from a script": (
        case(evidence=[{"document_id": "d", "quote": "q", "url": "javascript:quetzalcoatl"}]),
        400,
        "invalid",
        "/evidence/0/url",
    ),
    "attachment by file": (
        case(attachments=[{"url": "file:///etc/passwd", "media_type": "text/plain", "sha256": "0" * 64}]),
        400,
        "invalid",
        "/attachments/0/url",
    ),
    "attachment with a short digest": (
        case(attachments=[{"url": "https://example.org/a", "media_type": "text/plain", "sha256": "0" * 63}]),
        400,
        "invalid",
        "/attachments/0/sha256",
    ),
    "message without content": (case(messages=[{"role": "user"}]), 400, "invalid", "/messages/0/content"),
    "message at a naive instant": (
        case(messages=[{"role": "user", "content": "c", "at": "2027-05-09T18:00:00"}]),
        400,
        "invalid",
        "/messages/0/at",
    ),
    "naive deadline": (case(sla_deadline="2027-05-09T18:00:00"), 400, "invalid", "/sla_deadline"),
    "deadline as a date": (case(sla_deadline="2027-05-09"), 400, "invalid", "/sla_deadline"),
    "deadline in seconds": (case(sla_deadline=1_800_000_000), 400, "invalid", "/sla_deadline"),
    "deadline that does not exist": (case(sla_deadline="2027-02-30T18:00:00Z"), 400, "invalid", "/sla_deadline"),
    "deadline before computers": (case(sla_deadline="0001-01-01T00:00:00Z"), 400, "invalid", "/sla_deadline"),
    "action without params": (action(params=...), 400, "invalid", "/proposed_action/params"),
    "action with a list of params": (action(params=[]), 400, "invalid", "/proposed_action/params"),
    "action with a strange name": (action(action="Issue Refund"), 400, "invalid", "/proposed_action/action"),
    "money as a number": (action(amount=42.0), 400, "invalid", "/proposed_action/amount"),
    "negative money": (action(amount="-42.00"), 400, "invalid", "/proposed_action/amount"),
    "money in exponents": (action(amount="4e3"), 400, "invalid", "/proposed_action/amount"),
    "money with a comma": (action(amount="4,200.00"), 400, "invalid", "/proposed_action/amount"),
    "too much money": (action(amount="1" * 16), 400, "invalid", "/proposed_action/amount"),
    "money that is not a number": (action(amount="NaN"), 400, "invalid", "/proposed_action/amount"),
    "more cents than there are": (action(amount="42.001"), 400, "invalid", "/proposed_action/amount"),
    "cents of a yen": (action(amount="42.10", currency="JPY"), 400, "invalid", "/proposed_action/amount"),
    "an invented currency": (action(currency="QQQ"), 400, "invalid", "/proposed_action/currency"),
    "money without a currency": (action(currency=...), 400, "invalid", "/proposed_action/currency"),
    "a currency without money": (action(amount=...), 400, "invalid", "/proposed_action/amount"),
    "approval as a text": (
        action(requires_approval="false"),
        400,
        "invalid",
        "/proposed_action/requires_approval",
    ),
    "an approval that the model grants itself": (action(approved=True), 400, "invalid", "/proposed_action/approved"),
    "too many tags": (case(tags=[str(number) for number in range(21)]), 400, "invalid", "/tags"),
    "a tag twice": (case(tags=["a", "a"]), 400, "invalid", "/tags"),
    "a tag that is no text": (case(tags=[1]), 400, "invalid", "/tags/0"),
    "metadata as a text": (case(metadata="quetzalcoatl"), 400, "invalid", "/metadata"),
    "metadata too large": (case(metadata={"x": "y" * 20_001}), 400, "invalid", "/metadata"),
    "a language that is none": (case(language="English, please"), 400, "invalid", "/language"),
    "an external_id too long": (case(external_id="x" * 201), 400, "invalid", "/external_id"),
    "a traceparent of another version": (case(traceparent="ff-" + "0" * 52), 400, "invalid", "/traceparent"),
    "customer as a text": (case(customer="quetzalcoatl"), 400, "invalid", "/customer"),
    "customer with an unknown field": (case(customer={"name": "quetzalcoatl"}), 400, "invalid", "/customer/name"),
    "a tenant that is not yours": (case(tenant_id="quetzalcoatl"), 404, "not_found", None),
    "a tenant id that is none": (case(tenant_id="Quetzal Coatl!"), 400, "invalid", "/tenant_id"),
}

GOOD_BODY = case()
REQUESTS: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "no token": ({"Authorization": ""}, GOOD_BODY, 401, "not_authenticated"),
    "an unknown token": ({"Authorization": "Token cs_" + "0" * 64}, GOOD_BODY, 401, "authentication_failed"),
    "another scheme": ({"Authorization": "Bearer " + "0" * 64}, GOOD_BODY, 401, "authentication_failed"),
    "a form's type": ({"Content-Type": "application/x-www-form-urlencoded"}, GOOD_BODY, 415, "unsupported_media_type"),
    "a text's type": ({"Content-Type": "text/plain"}, GOOD_BODY, 415, "unsupported_media_type"),
    "no type": ({"Content-Type": ""}, GOOD_BODY, 415, "unsupported_media_type"),
    "another charset": ({"Content-Type": "application/json; charset=utf-16"}, GOOD_BODY, 415, "unsupported_charset"),
    "compressed": ({"Content-Encoding": "gzip"}, GOOD_BODY, 415, "unsupported_encoding"),
    "asks for XML": ({"Accept": "application/xml"}, GOOD_BODY, 406, "not_acceptable"),
    "an empty key": ({"Idempotency-Key": ""}, GOOD_BODY, 400, "invalid_idempotency_key"),
    "a key too long": ({"Idempotency-Key": "k" * 256}, GOOD_BODY, 400, "invalid_idempotency_key"),
    "a key with a space": ({"Idempotency-Key": "a b"}, GOOD_BODY, 400, "invalid_idempotency_key"),
    "a keyed body that is no JSON": ({"Idempotency-Key": "k"}, b"{", 400, "not_json"),
}

LISTS = {
    "?unknown=1": (400, "unknown_parameter"),
    "?state=quetzalcoatl": (400, "invalid"),
    "?opened_after=yesterday": (400, "invalid"),
    "?limit=0": (400, "invalid_limit"),
    "?limit=201": (400, "invalid_limit"),
    "?limit=-1": (400, "invalid_limit"),
    "?limit=5&limit=6": (400, "empty_parameter"),
    "?state=": (400, "empty_parameter"),
    "?cursor=quetzalcoatl": (400, "invalid_cursor"),
    "?cursor=" + "A" * 4000: (400, "invalid_cursor"),
    "?external_id=%00": (400, "bad_address"),
    "?external_id=%ff": (400, "bad_address"),
}
# Of the lists that come whole.
OTHER_LISTS = ("queues/?x=1", "queues/?limit=5", "queues/?tenant_id=", "cases/{case}/timeline/?x=1", "automation/?x=1")


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def token(world) -> str:
    return people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)


def stored() -> dict[str, int]:
    rooms = ("cases", "queues", "approvals", "feedback")
    models = [model for room in rooms for model in apps.get_app_config(room).get_models()]
    return {model._meta.label: model.objects.count() for model in models if model is not Denial}


def send(client, token: str, body: bytes, headers: dict[str, str] | None = None, path: str = "/api/v1/cases/"):
    headers = {"Authorization": f"Token {token}", "Content-Type": JSON} | (headers or {})
    content_type = headers.pop("Content-Type")
    return client.post(path, body, content_type=content_type, headers=headers)


def problem_of(status: int, content_type: str, body: bytes) -> tuple[int, str, str | None]:
    """Status, code and first pointer of a problem document, after what every one of them must be."""
    assert content_type == "application/problem+json", (content_type, body[:200])
    assert SECRET not in body.decode().lower().replace("/quetzalcoatl_field", "").replace("/signals/quetzalcoatl", "")
    document = json.loads(body)
    assert set(document) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert document["status"] == status
    assert document["title"]
    assert document["detail"].endswith(".") or document["detail"].endswith("…")
    for error in document["errors"]:
        assert set(error) == {"pointer", "code", "detail"}
        assert error["detail"]
    pointers = [error["pointer"] for error in document["errors"]]
    return status, document["code"], pointers[0] if pointers else None


def test_there_are_enough_bad_inputs():
    assert len(BODIES) + len(REQUESTS) + len(LISTS) >= 60


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_with_its_place_and_nothing_is_stored(client, world, token, name):
    body, status, code, pointer = BODIES[name]
    before = stored()
    answer = send(client, token, body)
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content) == (status, code, pointer)
    assert stored() == before


@pytest.mark.parametrize("name", REQUESTS)
def test_a_bad_request_is_refused_and_nothing_is_stored(client, world, token, name):
    headers, body, status, code = REQUESTS[name]
    before = stored()
    answer = send(client, token, body, headers)
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[:2] == (status, code)
    assert stored() == before
    if status == 401:
        assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("query", LISTS)
def test_a_bad_filter_is_refused_and_never_lists_everything(client, world, token, query):
    answer = client.get(f"/api/v1/cases/{query}", headers={"Authorization": f"Token {token}"})
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[:2] == LISTS[query]


@pytest.mark.parametrize("path", OTHER_LISTS)
def test_a_list_that_comes_whole_refuses_every_parameter_that_it_does_not_know(client, world, token, path):
    address = "/api/v1/" + path.format(case=world.submit().wire_id)
    answer = client.get(address, headers={"Authorization": f"Token {token}"})
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[0] == 400
    assert client.get(address.partition("?")[0], headers={"Authorization": f"Token {token}"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_real_server_answers_every_bad_body_alike(live_server):
    world = make_world()
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    before = stored()
    address = urlsplit(live_server.url)
    wrong = {}
    for name, (body, *expected) in BODIES.items():
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        connection.request("POST", "/api/v1/cases/", body, {"Authorization": f"Token {token}", "Content-Type": JSON})
        answer = connection.getresponse()
        found = problem_of(answer.status, answer.getheader("Content-Type"), answer.read())
        if found != tuple(expected):
            wrong[name] = found
        connection.close()
    assert wrong == {}
    assert stored() == before


def test_a_refused_case_id_comes_with_advice(client, world, token):
    answer = send(client, token, case(case_id="case_1"))
    assert answer.json()["errors"][0]["detail"] == "The server chooses case_id: send your own key as external_id."


def test_every_error_of_a_body_is_named_at_once(client, world, token):
    answer = send(client, token, json.dumps({"domain": "B", "risk_level": "x", "oops": 1}).encode())
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/domain",
        "/risk_level",
        "/user_question",
        "/oops",
    }


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_method_that_is_not_there_says_which_are(client, world, token, method):
    answer = getattr(client, method)("/api/v1/cases/", headers={"Authorization": f"Token {token}"})
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[:2] == (405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing/", "/api/v1/cases", "/api/v1/cases/case_1/", "/api/v1/cases/1/", "/api/v2/cases/"]
)
def test_an_address_that_is_not_there_is_one_and_the_same_404(client, world, token, path):
    answer = client.post(path, b"{}", content_type=JSON, headers={"Authorization": f"Token {token}"})
    assert answer.status_code in (404, 405)
    assert answer["Content-Type"] == "application/problem+json"


def test_a_bad_body_leaves_no_idempotency_key_behind_and_may_be_mended_under_it(client, world, token):
    key = {"Idempotency-Key": "k1"}
    assert send(client, token, case(domain="B"), key).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert send(client, token, case(), key).status_code == 201


@pytest.mark.parametrize(
    ("tail", "body", "pointer"),
    [
        ("drafts", {"user_question": "no"}, "/user_question"),
        ("drafts", {"signals": {"judge_score": 7}}, "/signals/judge_score"),
        ("withdraw", {"reason": 5}, "/reason"),
        ("withdraw", {"because": "x"}, "/because"),
        ("escalate", {"reason": "x" * 2001}, "/reason"),
        ("reviews", {"verdict": "maybe", "generation": 1}, "/verdict"),
        ("reviews", {"verdict": "accept"}, "/generation"),
        ("reviews", {"verdict": "accept", "generation": 0}, "/generation"),
        ("reviews", {"verdict": "accept", "generation": "1"}, "/generation"),
        ("reviews", {"verdict": "accept", "generation": 2**60}, None),
        ("heartbeat", {}, "/generation"),
        ("release", {"generation": 1.5}, "/generation"),
    ],
)
def test_the_other_posts_are_as_strict(client, world, token, tail, body, pointer):
    known = world.submit()
    answer = send(client, token, json.dumps(body).encode(), path=f"/api/v1/cases/{known.wire_id}/{tail}/")
    status, _, found = problem_of(answer.status_code, answer["Content-Type"], answer.content)
    assert status == 400
    assert pointer is None or found == pointer
    assert known.events.count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/reason"),
        ({"reason": " "}, "/reason"),
        ({"reason": "r", "depth": "abyss"}, "/depth"),
        ({"reason": "r", "depth": 1}, "/depth"),
        ({"reason": "r", "scope": "all"}, "/scope"),
    ],
)
def test_the_switch_is_as_strict(client, world, body, pointer):
    token = people.issue_token(world.supervisor, actor=system_actor(), tenant=world.tenant)
    answer = send(client, token, json.dumps(body).encode(), path="/api/v1/automation/stop/")
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[::2] == (400, pointer)
