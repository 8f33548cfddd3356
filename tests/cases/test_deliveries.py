"""Webhooks: sent at least once, signed, in order, never early, and given up in the end."""

import json
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from cases import nudges, tasks
from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, Content, Delivery, Draft, Release, Tenant, User, WebhookEndpoint
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import decisions, deliveries, events, lifecycle
from cases.services.decisions import Decision
from cases.services.deliveries import Result, backlog, begin, finish, lease_due, resend, retry_delay, send
from cases.services.people import assign_roles, create_tenant, ensure_system_actor
from cases.signing import new_secret
from cases.vocabulary import Verdict
from config.celery import app

from . import receiver as receiving
from .receiver import Receiver

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind
State = Delivery.State
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def world(settings: Any) -> Iterator[None]:
    """The database without the rooms above: nobody is told of an event but its receivers."""
    settings.CASE_EVENT_HANDLERS = []
    events._handlers.cache_clear()
    ensure_system_actor()
    yield
    events._handlers.cache_clear()


@pytest.fixture
def tenant(world: None) -> Tenant:
    return create_tenant(actor=system_actor(), slug="acme", name="Acme")


@pytest.fixture
def endpoint(tenant: Tenant, receiver: Receiver) -> WebhookEndpoint:
    return add_endpoint(tenant, receiver.url)


def add_endpoint(tenant: Tenant, url: str, **fields: Any) -> WebhookEndpoint:
    endpoint = WebhookEndpoint(tenant=tenant, url=url, **{"secret": new_secret(), **fields})
    endpoint.save_as(system_actor())
    return endpoint


@transaction.atomic
def open_case(tenant: Tenant, **fields: Any) -> Case:
    """A case that waits for a person."""
    now = db_now()
    content = Content(tenant=tenant, owner=Content.Owner.CASE, body={"user_question": "Refund after 40 days?"})
    text = Content(tenant=tenant, owner=Content.Owner.DRAFT, body={"model_draft": "Yes."})
    release, _ = Release.objects.get_or_create(tenant=tenant, defaults={"first_seen_at": now})
    case = Case(
        tenant=tenant,
        intake_digest=b"",
        kind="answer",
        domain="billing",
        language="en",
        risk="low",
        state="pending_review",
        content=content,
        caller=system_actor(),
        opened_at=now,
        **fields,
    )
    draft = Draft(
        tenant=tenant,
        case=case,
        number=1,
        release=release,
        confidence=0.5,
        route="quick_review",
        threshold=0.95,
        content=text,
        content_digest=b"",
        created_at=now,
    )
    case.current_draft = draft
    content.save(force_insert=True)
    text.save(force_insert=True)
    case.save_as(system_actor(), force_insert=True)
    draft.save(force_insert=True)
    return case


@transaction.atomic
def record(case: Case, kind: CaseEvent.Kind, **data: Any) -> CaseEvent:
    events.record(case, kind, system_actor(), **data)
    return CaseEvent.objects.filter(case=case).latest("id")


@transaction.atomic
def decide(case: Case, *, at: datetime | None = None) -> Case:
    """A person accepts; as things were a minute ago unless ``at`` says otherwise, so that the undo window is over."""
    case = lifecycle.locked(case.pk)
    at = at or db_now() - timedelta(minutes=1)
    decisions.decide(case, Decision(Verdict.ACCEPT), actor=system_actor(), now=at)
    return case


def sweep(seconds: float = 5) -> int:
    return deliveries.sweep(seconds=5, call_seconds=seconds)


def make_due(**which: Any) -> None:
    """As if the wait before the next attempt were over."""
    Delivery.objects.filter(**which).update(next_attempt_at=db_now() - timedelta(seconds=1))


def kinds(receiver: Receiver) -> list[str]:
    return [json.loads(request.body)["type"] for request in receiver.requests]


def only_delivery() -> Delivery:
    return Delivery.objects.select_related("event", "endpoint").get()


# --- what is sent ------------------------------------------------------------------------------------------------


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


# --- when it is sent ---------------------------------------------------------------------------------------------


def test_nothing_is_sent_before_the_undo_window_ends(endpoint, receiver, tenant):
    case = decide(open_case(tenant), at=db_now())
    assert sweep() == 0
    Case.objects.filter(pk=case.pk).update(final_at=db_now())
    make_due()
    assert sweep() == 1
    assert kinds(receiver) == ["case.decided"]


def test_a_delivery_that_is_due_too_early_still_waits_for_the_decision_to_be_final(endpoint, receiver, tenant):
    case = decide(open_case(tenant), at=db_now())
    make_due()
    assert sweep() == 0
    assert only_delivery().next_attempt_at == case.final_at


def test_an_undone_decision_is_never_sent(endpoint, receiver, tenant):
    case = decide(open_case(tenant), at=db_now())
    decisions.undo(lifecycle.locked(case.pk), actor=system_actor(), now=db_now())
    make_due()
    assert sweep() == 0
    assert only_delivery().state == State.CANCELLED


def test_an_outcome_that_was_taken_back_before_it_was_sent_is_not_sent(endpoint, receiver, tenant):
    case = decide(open_case(tenant))
    lifecycle.reopen(case.pk, actor=system_actor(), reason="appeal")
    sweep()
    assert kinds(receiver) == ["case.reopened"]


def test_the_outcome_of_an_earlier_decision_is_not_sent_as_the_later_ones(endpoint, receiver, tenant):
    case = decide(open_case(tenant), at=db_now() - timedelta(hours=2))
    lifecycle.reopen(case.pk, actor=system_actor(), reason="appeal")
    decide(case)
    sweep()
    assert kinds(receiver) == ["case.reopened", "case.decided"]


def test_an_outcome_waits_until_its_action_has_ended(endpoint, receiver, tenant):
    case = decide(open_case(tenant, open_actions=1))
    record(case, Kind.ACTION_PENDING, subject="act_1")
    assert sweep() == 1
    assert kinds(receiver) == ["action.pending"]  # An action's own news is not held back by the outcome that waits.
    lifecycle.settle_action(lifecycle.locked(case.pk), system_actor())
    sweep()
    assert kinds(receiver) == ["action.pending", "case.decided"]


def test_an_outcome_that_lost_its_hold_too_early_is_held_again(endpoint, receiver, tenant):
    decide(open_case(tenant, open_actions=1))
    Delivery.objects.update(is_held=False)
    assert sweep() == 0
    assert only_delivery().is_held


@pytest.mark.django_db(transaction=True)
def test_an_undo_that_is_under_way_stops_a_delivery_that_is_leased(endpoint, receiver, tenant):
    case = decide(open_case(tenant))
    (lease,) = lease_due(1)
    attempts: list[object] = []
    with transaction.atomic():
        held = lifecycle.locked(case.pk)
        worker = run(lambda: attempts.append(begin(lease)))
        time.sleep(0.2)
        decisions.undo(held, actor=system_actor(), now=db_now())
    worker.join()
    assert attempts == [None]
    assert only_delivery().state == State.CANCELLED


# --- order -------------------------------------------------------------------------------------------------------


def test_events_of_a_case_arrive_in_order(endpoint, receiver, tenant):
    case = open_case(tenant)
    expected = [Kind.OPENED, Kind.RECALLED, Kind.SLA_BREACHED, Kind.ACTION_PENDING, Kind.WITHDRAWN]
    for kind in expected:
        record(case, kind)
    assert sweep() == 5
    assert kinds(receiver) == expected


def test_a_failed_event_holds_back_those_after_it_and_no_other_case(endpoint, receiver, tenant):
    case, other = open_case(tenant), open_case(tenant)
    first = record(case, Kind.OPENED)
    receiver.then(receiving.answer(500))
    sweep()
    record(case, Kind.WITHDRAWN)
    record(other, Kind.OPENED)
    assert sweep() == 1
    assert kinds(receiver) == ["case.opened", "case.opened"]
    make_due(event=first)
    sweep()
    assert kinds(receiver)[2:] == ["case.opened", "case.withdrawn"]


def test_those_behind_a_failed_event_are_not_looked_at_again_before_it_is_due(endpoint, receiver, tenant):
    case = open_case(tenant)
    first = record(case, Kind.OPENED)
    record(case, Kind.WITHDRAWN)
    receiver.then(receiving.answer(500))
    sweep()
    assert len(set(Delivery.objects.values_list("next_attempt_at", flat=True))) == 1
    make_due(event=first)
    assert sweep() == 2  # And they follow as soon as it has arrived.


def test_a_decision_behind_a_failed_event_still_waits_for_its_undo_window(endpoint, receiver, tenant):
    case = open_case(tenant)
    first = record(case, Kind.OPENED)
    decide(case, at=db_now())
    receiver.then(receiving.answer(500))
    sweep()
    make_due(event=first)
    sweep()
    assert kinds(receiver) == ["case.opened", "case.opened"]
    assert Delivery.objects.get(event__kind=Kind.DECIDED).next_attempt_at == lifecycle.locked(case.pk).final_at


def test_a_long_backlog_does_not_slow_the_lease(endpoint, tenant):
    """Without fresh statistics of the tables too: there the planner's own idea took seconds for this."""
    now, actor = db_now(), system_actor()
    backlog = CaseEvent.objects.bulk_create(
        CaseEvent(tenant=tenant, case=case, kind=Kind.SLA_BREACHED, actor=actor, at=now)
        for case in [open_case(tenant) for _ in range(50)]
        for _ in range(50)
    )
    Delivery.objects.bulk_create(Delivery(event=event, endpoint=endpoint, next_attempt_at=now) for event in backlog)
    began = time.monotonic()
    assert len(lease_due(8)) == deliveries.PARALLEL_PER_ENDPOINT
    assert time.monotonic() - began < 0.5


def test_one_receivers_failure_does_not_hold_back_anothers_events(endpoint, receiver, tenant):
    case = open_case(tenant)
    with Receiver(always=receiving.answer(500)) as failing:
        add_endpoint(tenant, failing.url)
        record(case, Kind.OPENED)
        record(case, Kind.WITHDRAWN)
        sweep()
        assert kinds(failing) == ["case.opened"]
    assert kinds(receiver) == ["case.opened", "case.withdrawn"]


def test_after_an_event_that_was_given_up_the_next_one_tells_of_the_gap(endpoint, receiver, tenant):
    case = open_case(tenant)
    record(case, Kind.OPENED)
    record(case, Kind.WITHDRAWN)
    Delivery.objects.filter(event__kind=Kind.OPENED).update(attempts=len(deliveries.RETRY_DELAYS))
    receiver.then(receiving.answer(500))
    sweep()
    assert [request.headers.get("countersign-gap") for request in receiver.requests] == [None, "1"]


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_send_each_event_once_and_in_order(endpoint, receiver, tenant):
    cases = [open_case(tenant) for _ in range(6)]
    for kind in (Kind.OPENED, Kind.RECALLED, Kind.WITHDRAWN):
        for case in cases:
            record(case, kind)
    workers = [run(sweep) for _ in range(3)]
    for worker in workers:
        worker.join()
    sweep()
    bodies = [json.loads(request.body) for request in receiver.requests]
    assert len({body["id"] for body in bodies}) == len(bodies) == 18
    for case in cases:
        heard = [body["type"] for body in bodies if body["data"]["case_id"] == case.wire_id]
        assert heard == ["case.opened", "case.recalled", "case.withdrawn"]


def test_sending_needs_no_database(endpoint, receiver, tenant, django_assert_num_queries):
    record(open_case(tenant), Kind.OPENED)
    attempt = begin(lease_due(1)[0])
    with django_assert_num_queries(0):
        assert send(attempt).is_success


@pytest.mark.django_db(transaction=True)
def test_a_worker_takes_what_is_free_and_waits_for_no_other(endpoint, tenant):
    record(open_case(tenant), Kind.OPENED)
    record(open_case(tenant), Kind.OPENED)
    leased: list[object] = []
    with transaction.atomic():
        Delivery.objects.select_for_update().filter(pk=Delivery.objects.earliest("id").pk).get()
        worker = run(lambda: leased.extend(lease_due(5)))
        worker.join(timeout=5)
        assert len(leased) == 1


# --- failures and repetitions ------------------------------------------------------------------------------------


def test_a_duplicate_carries_the_same_id(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.OPENED)
    receiver.then(receiving.raw(b""))  # It took the request, and broke off before it answered.
    sweep()
    make_due()
    sweep()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.is_signed_with(endpoint.secret)
    assert only_delivery().state == State.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_sending_sends_again_under_the_same_id(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.OPENED)
    receiver.then(receiving.hang)
    connection.close()
    worker = multiprocessing.get_context("fork").Process(target=sweep, args=(10,))
    worker.start()
    wait_until(lambda: len(receiver.requests) == 1)
    worker.kill()
    worker.join()
    assert sweep() == 0  # The dead worker's lease still runs.
    Delivery.objects.update(leased_until=db_now())
    assert sweep() == 1
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert (len(receiver.requests), only_delivery().state, only_delivery().attempts) == (2, State.DELIVERED, 2)


def test_a_result_that_comes_after_the_lease_ran_out_changes_nothing(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.OPENED)
    slow = begin(lease_due(1)[0])
    Delivery.objects.update(leased_until=db_now())
    quick = begin(lease_due(1)[0])
    assert not finish(slow, Result(500, "too late"))
    assert finish(quick, Result(200))
    assert (only_delivery().state, only_delivery().last_error) == (State.DELIVERED, "")
    assert not finish(slow, Result(500, "too late"))


def test_a_lease_that_ran_out_before_the_call_makes_none(endpoint, tenant):
    record(open_case(tenant), Kind.OPENED)
    (stale,) = lease_due(1)
    Delivery.objects.update(leased_until=db_now())
    lease_due(1)
    assert begin(stale) is None
    assert only_delivery().attempts == 0


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_any_other_answer_than_2xx_is_tried_again_later(endpoint, receiver, tenant, status):
    record(open_case(tenant), Kind.OPENED)
    receiver.then(receiving.answer(status, b"secret words", {"Location": "http://169.254.169.254/"}))
    assert sweep() == 1
    delivery = only_delivery()
    assert (delivery.state, delivery.last_status, delivery.attempts) == (State.PENDING, status, 1)
    assert delivery.last_error == f"The receiver answered {status}."
    assert timedelta(seconds=3) < delivery.next_attempt_at - db_now() < timedelta(seconds=6)


def test_a_receiver_that_said_2xx_has_it_even_if_its_answer_never_ends(endpoint, receiver, tenant):
    record(open_case(tenant), Kind.OPENED)
    receiver.then(receiving.drip(b"HTTP/1.1 200 OK\r\n\r\n", every=0.05))
    sweep(seconds=0.3)
    assert only_delivery().state == State.DELIVERED


def test_a_hanging_receiver_is_left_at_the_deadline_and_holds_up_nobody_else(endpoint, receiver, tenant):
    with Receiver(always=receiving.hang) as hanging:
        slow = add_endpoint(tenant, hanging.url)
        for _ in range(10):
            record(open_case(tenant), Kind.OPENED)
        began = time.monotonic()
        deliveries.sweep(seconds=0.8, call_seconds=1)
        assert time.monotonic() - began < 5
    assert len(receiver.requests) == 10
    assert len(hanging.requests) == deliveries.PARALLEL_PER_ENDPOINT
    assert Delivery.objects.filter(endpoint=slow, last_error="No whole answer came in time.").exists()


def test_an_address_that_is_not_public_is_an_error_and_no_call(endpoint, receiver, tenant, settings):
    settings.OUTBOUND_ALLOW_LOOPBACK = False
    record(open_case(tenant), Kind.OPENED)
    sweep()
    assert receiver.requests == []
    assert only_delivery().last_error == "The address must begin with https://."


def test_a_secret_that_cannot_be_read_stops_its_own_endpoint_only(endpoint, receiver, tenant):
    with Receiver() as broken:
        bad = add_endpoint(tenant, broken.url, secret="whsec_é")
        record(open_case(tenant), Kind.OPENED)
        sweep()
        assert broken.requests == []
    assert len(receiver.requests) == 1
    assert bad.deliveries.get().attempts == 1


def test_after_the_last_attempt_a_delivery_is_dead_and_says_why(endpoint, receiver, tenant):
    receiver.always = receiving.answer(500)
    record(open_case(tenant), Kind.OPENED)
    for _ in deliveries.RETRY_DELAYS:
        sweep()
        assert only_delivery().state == State.PENDING
        make_due()
    sweep()
    delivery = only_delivery()
    assert (delivery.state, delivery.attempts) == (State.DEAD, len(receiver.requests))
    assert delivery.last_error == "The receiver answered 500."
    make_due()
    assert sweep() == 0


def test_attempts_are_spread_over_about_two_days():
    assert timedelta(days=1.5) < sum(deliveries.RETRY_DELAYS, timedelta()) < timedelta(days=2.5)
    assert list(deliveries.RETRY_DELAYS) == sorted(deliveries.RETRY_DELAYS)


def test_410_gone_switches_the_endpoint_off_and_keeps_what_waits(endpoint, receiver, tenant):
    first, second = open_case(tenant), open_case(tenant)
    record(first, Kind.OPENED)
    receiver.then(receiving.answer(410))
    sweep()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, only_delivery().state) == (False, State.DEAD)
    assert endpoint.history.latest().history_change_reason == "the receiver answered 410 Gone"
    Delivery.objects.create(event=record(second, Kind.OPENED), endpoint=endpoint, next_attempt_at=db_now())
    assert sweep() == 0
    endpoint.is_active = True
    endpoint.save_as(system_actor())
    assert sweep() == 1


SOON, NOON = timedelta(seconds=10), "Sun, 09 May 2027 12:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "retry_after", "least", "most"),
    [
        (503, "", timedelta(0), SOON),
        (503, "120", timedelta(seconds=120), timedelta(seconds=120)),
        (429, "120", timedelta(seconds=120), timedelta(seconds=120)),
        (429, "1", timedelta(seconds=4), SOON),
        (503, NOON, timedelta(hours=2), timedelta(hours=2)),
        (503, "999999999999999", timedelta(hours=12), timedelta(hours=12)),
        (503, "-5", timedelta(0), SOON),
        (503, "soon", timedelta(0), SOON),
        (503, "Sun, 09 May 9999 99:00:00 GMT", timedelta(0), SOON),
        (500, "120", timedelta(0), SOON),
    ],
)
def test_a_busy_receiver_may_ask_for_more_time_within_bounds(status, retry_after, least, most):
    now = datetime.fromisoformat("2027-05-09T10:00:00+00:00")
    assert least <= retry_delay(1, Result(status, "", retry_after), now) <= most


# --- what people do and see --------------------------------------------------------------------------------------


def member(tenant: Tenant, *roles: str) -> User:
    user = User.objects.create(username=f"{tenant.slug}-{'-'.join(roles) or 'nobody'}")
    if roles:
        assign_roles(user, tenant, list(roles), actor=system_actor())
    return user


@pytest.fixture
def dead(endpoint: WebhookEndpoint, tenant: Tenant) -> Delivery:
    record(open_case(tenant), Kind.OPENED)
    Delivery.objects.update(state=State.DEAD, attempts=13, last_status=500)
    return only_delivery()


def test_an_admin_sends_a_dead_delivery_again_under_its_id(dead, receiver, tenant):
    resend(dead.pk, actor=member(tenant, "tenant_admin"))
    sweep()
    assert receiver.requests[0].headers["webhook-id"] == dead.event.wire_id
    assert only_delivery().state == State.DELIVERED


@pytest.mark.parametrize("role", ["reviewer", "supervisor", "compliance"])
def test_others_may_not_send_it_again(dead, tenant, role):
    with pytest.raises(Denied):
        resend(dead.pk, actor=member(tenant, role))
    assert only_delivery().state == State.DEAD


def test_another_tenants_admin_may_not_send_it_again(dead):
    other = create_tenant(actor=system_actor(), slug="other", name="Other")
    with pytest.raises(Denied):
        resend(dead.pk, actor=member(other, "tenant_admin"))
    assert only_delivery().state == State.DEAD


def test_only_a_dead_delivery_is_sent_again(dead, tenant):
    Delivery.objects.update(state=State.DELIVERED)
    with pytest.raises(deliveries.NotDead, match="Nothing was changed"):
        resend(dead.pk, actor=member(tenant, "tenant_admin"))


def test_the_backlog_tells_a_dead_worker_from_a_dead_receiver(endpoint, receiver, tenant):
    assert backlog() == deliveries.Backlog(timedelta(0), None, 0)
    case = open_case(tenant)
    event = record(case, Kind.OPENED)
    Delivery.objects.update(next_attempt_at=db_now() - timedelta(minutes=5))
    assert backlog().late >= timedelta(minutes=5)  # Nobody sends.
    receiver.then(receiving.answer(500))
    sweep()
    record(case, Kind.WITHDRAWN)
    assert backlog().late == timedelta(0)  # Somebody does, and the receiver fails.
    assert backlog().oldest == event.at
    Delivery.objects.filter(event=event).update(state=State.DEAD)
    assert backlog().dead == 1


# --- the nudge ---------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Says where nudges go from now on."""

    def use(url: str) -> None:
        monkeypatch.setattr(nudges, "_quiet_until", 0.0)
        monkeypatch.setattr(app.conf, "broker_url", url)
        monkeypatch.setattr(app.conf, "broker_write_url", url)
        nudges._broker.cache_clear()

    use(app.conf.broker_url)
    yield use
    nudges._broker.cache_clear()


def seconds_of_a_nudge() -> float:
    began = time.monotonic()
    assert not nudges.nudge(nudges.SWEEP_DELIVERIES)
    return time.monotonic() - began


def test_a_nudge_reaches_the_broker(broker):
    with app.connection_for_read() as connection:
        waiting = connection.SimpleQueue("celery")
        waiting.clear()
        assert nudges.nudge(nudges.SWEEP_DELIVERIES)
        message = waiting.get(timeout=2)
        message.ack()
        waiting.close()
    assert message.headers["task"] == "cases.tasks.sweep_deliveries"


def test_a_broker_that_is_down_costs_a_request_nothing(broker):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    broker(f"redis://127.0.0.1:{port}/0")
    assert seconds_of_a_nudge() < 0.3
    assert seconds_of_a_nudge() < 0.01  # It is not even asked.


def test_a_broker_that_never_answers_costs_a_request_a_moment_only(broker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert seconds_of_a_nudge() < 0.3
        assert seconds_of_a_nudge() < 0.01


def test_the_broker_is_asked_again_once_it_is_back(broker, monkeypatch):
    good = app.conf.broker_url
    monkeypatch.setattr(nudges, "QUIET_SECONDS", 0.05)
    broker("redis+socket:///nowhere.sock")
    assert not nudges.nudge(nudges.SWEEP_DELIVERIES)
    monkeypatch.setattr(app.conf, "broker_write_url", good)
    nudges._broker.cache_clear()
    time.sleep(0.06)
    assert nudges.nudge(nudges.SWEEP_DELIVERIES)


@pytest.mark.django_db(transaction=True)
def test_an_event_is_committed_and_waits_for_the_sweep_when_the_broker_is_down(endpoint, receiver, tenant, broker):
    broker("redis+socket:///nowhere.sock")
    record(open_case(tenant), Kind.OPENED)
    tasks.sweep_deliveries()
    assert kinds(receiver) == ["case.opened"]


# --- tools -------------------------------------------------------------------------------------------------------


def run(work: Callable[[], object]) -> threading.Thread:
    def body() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "It did not happen in time."
        time.sleep(0.01)
