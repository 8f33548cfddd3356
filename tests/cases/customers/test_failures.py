"""Notices that cannot be sent, by mail or SMS: tried again, given up in sight, and sent once by however many."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import (
    CaseEvent,
    Content,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerOptOut,
    Promise,
)
from cases.permissions import Denied
from cases.services import customer_notices, customer_sending
from cases.services.notices import LEASE, RETRY_DELAYS
from tests.cases.customers.telling import ANNA, HOUR, furnished, send_after, states, template, told
from tests.cases.mailbox import SMTP
from tests.cases.receiver import Receiver, answer
from tests.threads import failures, in_parallel

pytestmark = pytest.mark.django_db


def test_a_mail_server_that_is_down_is_tried_again_and_given_up_in_sight(world, settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 1
    settings.EMAIL_USE_TLS = False
    case = world.submit(customer=ANNA)
    span = timedelta(0)
    for delay in (timedelta(0), *RETRY_DELAYS):
        span += delay + timedelta(seconds=5)
        assert send_after(span) == 1
    assert states() == [("received", "failed")]
    assert told(case) == ["case.customer_not_told"]
    assert customer_sending.backlog().failed == 1


def test_a_refused_address_is_a_bounce_at_once_and_may_be_tried_again_by_hand(world, mailbox):
    mailbox.refuses = True
    case = world.submit(customer=ANNA)
    send_after()
    notice = CustomerNotice.objects.get()
    assert (notice.state, notice.attempts) == ("failed", 1)
    assert notice.last_error == "The mail server refused the address (550)."
    assert told(case) == ["case.customer_not_told"]
    mailbox.refuses = False
    with pytest.raises(Denied):
        customer_sending.resend(notice.pk, actor=world.reviewer)
    customer_sending.resend(notice.pk, actor=world.supervisor)
    assert send_after() == 1
    assert states() == [("received", "sent")]


@pytest.mark.parametrize("address", ["no address", "a@b\r\nBcc: all@example.com", "x" * 200])
def test_what_is_no_address_is_never_written_to(world, mailbox, address):
    world.submit(customer=ANNA | {"email": address})
    assert send_after() == 0
    assert mailbox.mails == []
    assert states() == [("received", "cancelled")]


def test_no_table_but_content_holds_the_address(world, mailbox):
    world.submit(customer=ANNA)
    send_after()
    for model in (CustomerNotice, CaseEvent, CustomerOptOut, Promise):
        assert "anna" not in str(list(model.objects.values_list()))
    Content.objects.filter(owner="case").update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=db_now()
    )
    CustomerNotice.objects.update(state="waiting")
    assert send_after() == 0
    assert CustomerNotice.objects.get().last_error == "The customer's data were erased."


def test_intake_asks_as_much_for_many_customers_as_for_one(world):
    counts = []
    from cases.services import intake
    from cases.wire.intake import parse_intake

    world.submit()  # The release is known after the first.
    for size in (1, 20):
        bodies = [parse_intake({"domain": "billing", "user_question": "?", "customer": ANNA}) for _ in range(size)]
        with CaptureQueriesContext(connection) as queries:
            intake.submit_all(bodies, actor=world.service, tenant=world.tenant)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_who_left_a_number_only_gets_an_sms(world, settings):
    settings.NOTICE_SCHEMES = {"json"}
    template(world, "received", way="sms", subject="", text="{company}: {promise}")
    with Receiver() as receiver:
        receiver.always = answer(200)
        port = receiver.url.rsplit(":", 1)[1].split("/")[0]
        CustomerNoticeSettings.objects.update(sms_url=f"json://127.0.0.1:{port}/{{phone}}")
        world.submit(customer={"phone": "+49 170 1234567"})
        assert send_after() == 1
    (request,) = receiver.requests
    assert request.path == "/+491701234567" or request.path.endswith("%2B491701234567")
    assert b"Acme: A specialist will review this" in request.body
    assert states() == [("received", "sent")]


@pytest.mark.django_db(transaction=True)
def test_eight_senders_and_warners_tell_each_customer_once(mailbox):
    world = furnished()
    for number in range(12):
        world.submit(customer=ANNA | {"email": f"c{number}@example.com"}, external_id=f"c-{number}")
    soon = Promise.objects.order_by("by").first().by - HOUR / 2

    def work() -> None:
        with pretend_now(soon):
            customer_notices.warn_of_delays()
            customer_sending.send_due(seconds=5)

    assert failures(in_parallel([work] * 8)) == []
    assert sorted(states()) == [("delayed", "sent")] * 12 + [("received", "sent")] * 12
    assert len(mailbox.mails) == 24
    assert Promise.objects.count() == 24


def test_a_sender_that_was_killed_leaves_a_lease_that_runs_out(world, mailbox):
    world.submit(customer=ANNA)
    assert len(customer_sending._lease_due()) == 1  # And then nothing: kill -9.
    assert send_after() == 0
    assert send_after(LEASE + timedelta(seconds=1)) == 1
    assert states() == [("received", "sent")]
