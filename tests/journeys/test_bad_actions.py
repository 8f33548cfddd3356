"""Bad input about actions gets a clear 4xx, nothing is changed, and nothing is echoed: the table of ``test_bad_input``
for the routes of actions."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from approvals.models import ActionType, ActionVote, ProposedAction
from approvals.services import signing, types
from cases.clock import db_now
from cases.models.people import system_actor
from cases.services import people
from tests.approvals.desks import Desk, make_desk, run_due

from .test_bad_input import problem_of, send, stored

pytestmark = pytest.mark.django_db

REFUND = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "420.00", "currency": "USD"}
LOOSE = {"action": "pay", "params": {}, "amount": "42.00", "currency": "USD"}  # its schema takes any parameters
STALE = "sha256:" + "0" * 64


@pytest.fixture
def desk(settings: Any) -> Desk:
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk()
    for name, is_active in (("pay", True), ("old", False)):
        kind = ActionType(
            tenant=desk.world.tenant, name=name, title=name, schema={"type": "object"}, is_active=is_active
        )
        types.publish(kind, actor=system_actor(), reason="created")
    return desk


def with_params(**params: Any) -> dict[str, Any]:
    return REFUND | {"params": params}


# What is proposed → status, code of the problem, pointer of its first error.
PROPOSALS: dict[str, tuple[dict[str, Any], int, str, str | None]] = {
    "nothing": ({}, 400, "invalid", "/action"),
    "no parameters": ({"action": "issue_refund"}, 400, "invalid", "/params"),
    "a list of parameters": (REFUND | {"params": ["quetzalcoatl"]}, 400, "invalid", "/params"),
    "a parameter missing": (with_params(), 400, "params_invalid", "/params/order_id"),
    "a parameter of the wrong type": (with_params(order_id=5), 400, "params_invalid", "/params/order_id"),
    "a parameter too long": (with_params(order_id="quetzalcoatl" * 2), 400, "params_invalid", "/params/order_id"),
    "a parameter that is not known": (
        with_params(order_id="o", to="quetzalcoatl"),
        400,
        "params_invalid",
        "/params/to",
    ),
    "too many parameters": (
        LOOSE | {"params": {"many": list(range(1001))}},
        400,
        "params_invalid",
        "/params",
    ),
    "an action that is not there": (REFUND | {"action": "quetzalcoatl"}, 400, "unknown_action", "/action"),
    "an action out of use": (LOOSE | {"action": "old"}, 400, "unknown_action", "/action"),
    "a name that is none": (REFUND | {"action": "Issue Refund"}, 400, "invalid", "/action"),
    "a negative amount": (REFUND | {"amount": "-42.00"}, 400, "invalid", "/amount"),
    "an amount of zero": (REFUND | {"amount": "0.00"}, 400, "params_invalid", "/amount"),
    "an amount as a number": (REFUND | {"amount": 42.0}, 400, "invalid", "/amount"),
    "an amount in exponents": (REFUND | {"amount": "4e3"}, 400, "invalid", "/amount"),
    "more cents than there are": (REFUND | {"amount": "42.001"}, 400, "invalid", "/amount"),
    "cents of a yen": (REFUND | {"amount": "42.10", "currency": "JPY"}, 400, "invalid", "/amount"),
    "an invented currency": (REFUND | {"currency": "QQQ"}, 400, "invalid", "/currency"),
    "an amount without its currency": (
        {name: value for name, value in REFUND.items() if name != "currency"},
        400,
        "invalid",
        "/currency",
    ),
    "parameters of another amount": (
        LOOSE | {"params": {"amount": "4200.00"}},
        400,
        "params_invalid",
        "/params/amount",
    ),
    "parameters of another currency": (
        LOOSE | {"params": {"currency": "EUR"}},
        400,
        "params_invalid",
        "/params/currency",
    ),
    "parameters with money of an action without": (
        {"action": "pay", "params": {"amount": "1.00"}},
        400,
        "params_invalid",
        "/params/amount",
    ),
    "an approval that it brings along": (REFUND | {"approved": True}, 400, "invalid", "/approved"),
    "an impact of its own": (REFUND | {"impact": "low"}, 400, "invalid", "/impact"),
    "a life of its own": (REFUND | {"expires_at": "2099-01-01T00:00:00Z"}, 400, "invalid", "/expires_at"),
    "a hash of its own": (REFUND | {"payload_hash": STALE}, 400, "invalid", "/payload_hash"),
    "a case": (REFUND | {"case_id": "quetzalcoatl"}, 400, "invalid", "/case_id"),
    "a wish as a text": (REFUND | {"requires_approval": "false"}, 400, "invalid", "/requires_approval"),
    "a customer too long": (REFUND | {"customer_id": "x" * 201}, 400, "invalid", "/customer_id"),
    "a tenant that is not yours": (REFUND | {"tenant_id": "quetzalcoatl"}, 404, "not_found", None),
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_a_bad_proposal_is_refused_with_its_place_and_nothing_is_stored(client, desk, name):
    body, *expected = PROPOSALS[name]
    token = people.issue_token(desk.world.service, actor=system_actor(), tenant=desk.world.tenant)
    before = stored()
    answer = send(client, token, json.dumps(body).encode(), path="/api/v1/actions/")
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content) == tuple(expected)
    assert stored() == before


# --- decisions -------------------------------------------------------------------------------------------------------


def rejected(desk: Desk, action: ProposedAction) -> None:
    signing.reject(action.pk, actor=desk.ann, payload_hash=bytes(action.payload_hash), reason="no")


def expired(desk: Desk, action: ProposedAction) -> None:
    ProposedAction.objects.filter(pk=action.pk).update(expires_at=db_now() - timedelta(seconds=1))


def signed(desk: Desk, action: ProposedAction) -> None:
    desk.approve(action, desk.ann)


def executed(desk: Desk, action: ProposedAction) -> None:
    desk.approve(action, desk.ben)
    run_due()


Prepare = Callable[[Desk, ProposedAction], None] | None
SEEN = ...  # in a body: the hash that stands there
EDIT = {"params": {"order_id": "o_2"}, "amount": "400.00", "currency": "USD", "payload_hash": SEEN, "reason": "r"}

# what happened before, who, what → status, code, pointer of the first error
DECISIONS: dict[str, tuple[Prepare, str, str, dict[str, Any], int, str, str | None]] = {
    "without a hash": (None, "ann", "approve", {}, 400, "invalid", "/payload_hash"),
    "with half a hash": (None, "ann", "approve", {"payload_hash": "sha256:00"}, 400, "invalid", "/payload_hash"),
    "with a number for a hash": (None, "ann", "approve", {"payload_hash": 5}, 400, "invalid", "/payload_hash"),
    "with a stale hash": (None, "ann", "approve", {"payload_hash": STALE}, 412, "stale_payload", None),
    "with an instruction": (None, "ann", "approve", {"payload_hash": SEEN, "do": "x"}, 400, "invalid", "/do"),
    "what is rejected": (rejected, "ann", "approve", {"payload_hash": SEEN}, 409, "action_not_waiting", None),
    "what is executed": (executed, "ann", "approve", {"payload_hash": SEEN}, 409, "action_not_waiting", None),
    "what is executed, stale": (executed, "ann", "approve", {"payload_hash": STALE}, 412, "stale_payload", None),
    "what is expired": (expired, "ann", "approve", {"payload_hash": SEEN}, 409, "action_expired", None),
    "without authority": (None, "reviewer", "approve", {"payload_hash": SEEN}, 403, "not_permitted", None),
    "rejected without a reason": (None, "ann", "reject", {"payload_hash": SEEN}, 400, "invalid", "/reason"),
    "rejected for nothing": (
        None,
        "ann",
        "reject",
        {"payload_hash": SEEN, "reason": " \n"},
        400,
        "invalid",
        "/reason",
    ),
    "rejected twice": (
        rejected,
        "ann",
        "reject",
        {"payload_hash": SEEN, "reason": "r"},
        409,
        "action_not_waiting",
        None,
    ),
    "edited into what it is": (
        None,
        "ann",
        "edit",
        EDIT | {"params": {"order_id": "o_1"}, "amount": "420.00"},
        400,
        "params_invalid",
        None,
    ),
    "edited to nothing": (None, "ann", "edit", EDIT | {"amount": "0"}, 400, "params_invalid", "/amount"),
    "edited beyond the cent": (None, "ann", "edit", EDIT | {"amount": "1.001"}, 400, "invalid", "/amount"),
    "edited out of its schema": (
        None,
        "ann",
        "edit",
        EDIT | {"params": {"to": "quetzalcoatl"}},
        400,
        "params_invalid",
        "/params/to",
    ),
    "edited unseen": (None, "ann", "edit", EDIT | {"payload_hash": None}, 412, "stale_payload", None),
    "edited without authority": (None, "supervisor", "edit", EDIT, 403, "no_authority", None),
    "cancelled for a number": (None, "service", "cancel", {"reason": 5}, 400, "invalid", "/reason"),
    "cancelled too late": (executed, "service", "cancel", {}, 409, "action_not_waiting", None),
    "taken back by another": (signed, "ben", "take-back", {}, 409, "action_not_waiting", None),
    "previewed though it is": (None, "service", "preview", {}, 409, "action_not_waiting", None),
    "reconciled by nothing": (None, "supervisor", "reconcile", {}, 400, "invalid", ""),
    "reconciled in two ways": (
        None,
        "supervisor",
        "reconcile",
        {"look_up": True, "send_again": True},
        400,
        "invalid",
        "",
    ),
    "reconciled by a word of one's own": (
        None,
        "supervisor",
        "reconcile",
        {"result": "quetzalcoatl", "evidence": "e"},
        400,
        "invalid",
        "/result",
    ),
    "reconciled though it is known": (
        executed,
        "supervisor",
        "reconcile",
        {"result": "not_executed", "evidence": "e"},
        409,
        "action_not_waiting",
        None,
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_a_bad_decision_changes_nothing(client, desk, name):
    prepare, who, verb, body, *expected = DECISIONS[name]
    action = desk.propose()
    if prepare:
        prepare(desk, action)
    user = getattr(desk, who, None) or getattr(desk.world, who)
    token = people.issue_token(user, actor=system_actor(), tenant=desk.world.tenant)
    seen = "sha256:" + bytes(action.payload_hash).hex()
    body = {key: seen if value is SEEN else value for key, value in body.items()}
    before, votes = ProposedAction.objects.values().get(pk=action.pk), ActionVote.objects.count()
    answer = send(client, token, json.dumps(body).encode(), path=f"/api/v1/actions/{action.wire_id}/{verb}/")
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content) == tuple(expected)
    assert ProposedAction.objects.values().get(pk=action.pk) == before
    assert ActionVote.objects.count() == votes


LISTS = {
    "?state=quetzalcoatl": "invalid",
    "?impact=huge": "invalid",
    "?waiting_for_me=yes": "invalid",
    "?case_id=nonsense": "invalid",
    "?case_id=": "empty_parameter",
    "?unknown=1": "unknown_parameter",
    "?limit=0": "invalid_limit",
}


@pytest.mark.parametrize("query", LISTS)
def test_a_bad_filter_lists_nothing(client, desk, query):
    token = people.issue_token(desk.world.service, actor=system_actor(), tenant=desk.world.tenant)
    answer = client.get(f"/api/v1/actions/{query}", headers={"Authorization": f"Token {token}"})
    assert problem_of(answer.status_code, answer["Content-Type"], answer.content)[:2] == (400, LISTS[query])


def test_there_are_enough_bad_inputs():
    assert len(PROPOSALS) + len(DECISIONS) + len(LISTS) >= 60
