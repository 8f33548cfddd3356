"""Customers hear of a promise that cannot be kept before it is missed."""

from datetime import time, timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import (
    Case,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
    Promise,
)
from cases.services import customer_notices, customer_sending, lifecycle
from tests.cases.customers.telling import ANNA, HOUR, MINUTE, at_noon, decide, read, send_after, states, told

pytestmark = pytest.mark.django_db


def warn_after(span: timedelta) -> int:
    with pretend_now(db_now() + span):
        return customer_notices.warn_of_delays()


def test_a_promise_that_will_be_missed_is_replaced_before_it_is_missed_and_once(world, mailbox):
    case = world.submit(customer=ANNA)
    send_after()
    first = Promise.objects.get()
    assert warn_after(2 * HOUR) == 0
    soon = first.by - HOUR / 2
    for _ in range(3):
        with pretend_now(soon):
            customer_notices.warn_of_delays()
            customer_sending.send_due()
    assert states() == [("received", "sent"), ("delayed", "sent")]
    second = Promise.objects.latest("id")
    assert first.by + 4 * HOUR <= second.by < first.by + 4 * HOUR + 5 * MINUTE
    assert second.told_at == soon
    assert "It takes longer. A specialist will review this and write to you by" in read(mailbox.mails[1])[1]
    assert told(case) == ["case.customer_told"] * 2


def test_a_new_time_is_not_in_the_middle_of_the_night(world, mailbox):
    CustomerNoticeSettings.objects.update(quiet_from=time(21), quiet_until=time(8))
    with pretend_now(at_noon() + 5 * HOUR):
        world.submit(customer=ANNA)
    with pretend_now(at_noon() + timedelta(hours=8, minutes=30)):
        customer_notices.warn_of_delays()
        customer_sending.send_due()
    assert Promise.objects.latest("id").by == at_noon() + 20 * HOUR


@pytest.mark.parametrize("why", ["decided", "withdrawn", "no address", "off"])
def test_no_second_notice_where_there_is_no_need(world, mailbox, why):
    case = world.submit(customer={"reference": "c"} if why == "no address" else ANNA)
    if why == "decided":
        decide(case)
    if why == "withdrawn":
        lifecycle.withdraw(case.pk, actor=world.service)
    if why == "off":
        CustomerNoticeSettings.objects.update(is_on=False)
    assert warn_after(4 * HOUR) == 0


def test_an_action_that_still_waits_is_a_delay_too(world, mailbox):
    case = world.submit(customer=ANNA)
    decide(case)
    Case.objects.filter(pk=case.pk).update(open_actions=1)
    assert warn_after(4 * HOUR) == 1
    send_after(4 * HOUR)
    assert ("delayed", "sent") in states()


def test_a_delay_without_a_text_in_their_language_is_kept_as_not_sent(world, mailbox):
    CustomerTemplate.objects.filter(occasion="delayed").update(locale="fr")
    world.submit(customer=ANNA)
    assert warn_after(4 * HOUR) == 1
    assert warn_after(4 * HOUR) == 0
    assert CustomerNotice.objects.get(occasion="delayed").state == "cancelled"
