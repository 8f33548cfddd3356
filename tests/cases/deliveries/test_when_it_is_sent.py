"""Webhooks: never before a decision is final."""

import time
from datetime import timedelta

import pytest
from django.db import transaction

from cases.clock import db_now
from cases.models import Case, CaseEvent, Delivery
from cases.models.people import system_actor
from cases.services import decisions, lifecycle
from cases.services.deliveries import begin, lease_due
from tests.cases.deliveries.sending import decide, kinds, make_due, only_delivery, open_case, record, run, sweep

pytestmark = pytest.mark.django_db
Kind = CaseEvent.Kind
State = Delivery.State


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
