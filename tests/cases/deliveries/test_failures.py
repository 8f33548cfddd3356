"""Webhooks: sent at least once, tried again, and given up in the end."""

import multiprocessing
import time
from datetime import datetime, timedelta

import pytest
from django.db import connection

from cases.clock import db_now
from cases.models import CaseEvent, Delivery
from cases.models.people import system_actor
from cases.services import deliveries
from cases.services.deliveries import Result, begin, finish, lease_due, retry_delay
from tests.cases import receiver as receiving
from tests.cases.deliveries.sending import add_endpoint, make_due, only_delivery, open_case, record, sweep, wait_until
from tests.cases.receiver import Receiver

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind
State = Delivery.State


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
