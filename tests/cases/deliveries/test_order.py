"""Webhooks: a case's events arrive in order, each worker's once."""

import json
import time

import pytest
from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, Delivery
from cases.models.people import system_actor
from cases.services import deliveries, lifecycle
from cases.services.deliveries import begin, lease_due, send
from tests.cases import receiver as receiving
from tests.cases.deliveries.sending import (
    add_endpoint,
    decide,
    kinds,
    make_due,
    open_case,
    record,
    run,
    sweep,
)
from tests.cases.receiver import Receiver

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind


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
    leased, seconds = [], []
    for _ in range(3):  # The quickest counts: what else the machine does is not measured.
        began = time.monotonic()
        leased.append(len(lease_due(8)))
        seconds.append(time.monotonic() - began)
    assert leased == [deliveries.PARALLEL_PER_ENDPOINT, 0, 0]
    assert min(seconds) < 0.5, seconds


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
