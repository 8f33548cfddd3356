"""Webhooks: what is sent, to whom, and signed how."""

import json
from zoneinfo import ZoneInfo

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, Delivery
from cases.models.people import system_actor
from cases.services import events
from cases.services.people import create_tenant
from cases.signing import new_secret
from tests.cases.deliveries.sending import (
    add_endpoint,
    decide,
    only_delivery,
    open_case,
    record,
    sweep,
)
from tests.cases.receiver import Receiver

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind
State = Delivery.State
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_an_event_arrives_signed_and_whole(endpoint, receiver, tenant):
    case = open_case(tenant, external_id="conv-1", trace_id="t-1", traceparent=TRACEPARENT, resume_token="opaque")
    event = record(case, Kind.OPENED, route="quick_review")
    assert sweep() == 1
    (request,) = receiver.requests
    body = request.json(endpoint.secret)
    assert body == {
        "type": "case.opened",
        "id": event.wire_id,
        "timestamp": event.at.isoformat().replace("+00:00", "Z"),
        "data": {
            "tenant_id": "acme",
            "case_id": case.wire_id,
            "external_id": "conv-1",
            "state": "pending_review",
            "trace_id": "t-1",
            "resume_token": "opaque",
            "route": "quick_review",
        },
    }
    assert request.headers["webhook-id"] == event.wire_id
    assert request.headers["content-type"] == "application/json"
    assert request.headers["traceparent"] == TRACEPARENT
    assert request.headers["user-agent"].startswith("Countersign")
    assert "countersign-gap" not in request.headers
    delivery = only_delivery()
    assert (delivery.state, delivery.last_status, delivery.attempts) == (State.DELIVERED, 200, 1)
    assert delivery.delivered_at is not None and delivery.leased_until is None


def test_a_final_decision_arrives_with_its_outcome(endpoint, receiver, tenant):
    case = decide(open_case(tenant))
    sweep()
    data = receiver.requests[0].json(endpoint.secret)["data"]
    assert (data["state"], data["verdict"]) == ("approved", "accept")
    assert data["outcome"] == {
        "verdict": "accept",
        "final_decision": None,
        "final_answer": "Yes.",
        "decided_by": "human",
        "decided_at": case.decided_at.isoformat().replace("+00:00", "Z"),
        "actions": [],
    }


def test_an_event_of_automation_says_its_scope_and_names_no_case(endpoint, receiver, tenant):
    events.record_for(tenant, Kind.AUTOMATION_STOPPED, system_actor(), domain="billing", action="", depth="dispatch")
    sweep()
    body = receiver.requests[0].json(endpoint.secret)
    assert body["type"] == "automation.stopped"
    assert body["data"] == {"tenant_id": "acme", "domain": "billing", "action": "", "depth": "dispatch"}


def test_a_stop_of_everything_reaches_every_tenant(endpoint, receiver, tenant):
    other = create_tenant(actor=system_actor(), slug="other", name="Other")
    with Receiver() as theirs:
        add_endpoint(other, theirs.url)
        events.record_for(None, Kind.AUTOMATION_STOPPED, system_actor(), domain="", action="", depth="decisions")
        sweep()
        assert [json.loads(r.requests[0].body)["data"]["tenant_id"] for r in (receiver, theirs)] == [None, None]


def test_an_action_and_an_export_go_by_their_own_ids(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.ACTION_PENDING, subject="act_1")
    events.record_for(tenant, Kind.EXPORT_READY, system_actor(), subject="exp_1")
    sweep()
    data = {body["type"]: body["data"] for body in (r.json(endpoint.secret) for r in receiver.requests)}
    assert data["action.pending"]["action_id"] == "act_1"
    assert data["export.ready"] == {"tenant_id": "acme", "export_id": "exp_1"}


def test_both_secrets_sign_while_a_receiver_changes_over(endpoint, receiver, tenant):
    old, endpoint.previous_secret, endpoint.secret = endpoint.secret, endpoint.secret, new_secret()
    endpoint.save_as(system_actor())
    record(open_case(tenant), Kind.OPENED)
    sweep()
    (request,) = receiver.requests
    assert request.is_signed_with(old) and request.is_signed_with(endpoint.secret)
    assert not request.is_signed_with(new_secret())
    assert request.headers["webhook-signature"].count("v1,") == 2


def test_the_signature_is_right_whatever_zone_the_clock_speaks(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.OPENED)
    with pretend_now(db_now().astimezone(ZoneInfo("Asia/Kolkata"))):
        sweep()
    assert receiver.requests[0].is_signed_with(endpoint.secret)


def test_no_other_tenants_receiver_hears_of_a_case(endpoint, receiver, tenant):
    other = create_tenant(actor=system_actor(), slug="other", name="Other")
    record(open_case(other), Kind.OPENED)
    assert sweep() == 0
    assert receiver.requests == []


def test_a_challenge_is_never_sent(endpoint, receiver, tenant):
    record(open_case(tenant, purpose=Case.Purpose.CHALLENGE), Kind.OPENED)
    assert sweep() == 0
