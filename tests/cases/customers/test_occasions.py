"""Customers hear from us: once for each occasion, in their language, when it is final and they are awake."""

import email
from datetime import time, timedelta
from email import policy

import pytest
from django.db import transaction

from cases.clock import db_now, pretend_now
from cases.models import (
    Case,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerTemplate,
)
from cases.services import customer_sending, decisions, lifecycle
from tests.cases.customers.telling import (
    ANNA,
    HOUR,
    MINUTE,
    at_noon,
    decide,
    link_in,
    read,
    send_after,
    states,
    template,
    told,
)
from tests.worlds import SURE

pytestmark = pytest.mark.django_db


def test_a_customer_hears_when_it_came_in_and_when_it_is_final_and_not_before(world, mailbox):
    case = world.submit(customer=ANNA, external_id="conv-1")
    assert send_after() == 1
    subject, body = read(mailbox.mails[0])
    assert subject == "Acme: conv-1"
    assert body.startswith("A specialist will review this and write to you by ")
    decide(case)
    assert send_after() == 0, "it can still be undone"
    assert send_after(timedelta(seconds=11)) == 1
    subject, body = read(mailbox.mails[1])
    assert body.startswith("Yes. You can return the shoes within 60 days.")
    assert told(case) == ["case.customer_told"] * 2
    assert [notice.template_version for notice in CustomerNotice.objects.all()] == [
        row.template.history.get().pk for row in CustomerNotice.objects.select_related("template")
    ]
    mail = email.message_from_string(mailbox.mails[1], policy=policy.default)
    assert (mail["Auto-Submitted"], mail["Precedence"]) == ("auto-generated", None)
    assert link_in(mailbox.mails[1]) in mail["List-Unsubscribe"]


def test_what_passes_by_itself_is_told_once_as_decided(world, mailbox):
    world.submit(customer=ANNA, signals=SURE)
    assert send_after() == 1
    assert states() == [("decided", "sent")]


def test_the_text_is_in_the_customers_language_before_the_domains(world, mailbox):
    template(world, "received", domain="billing", locale="de", text="Hallo. {promise} {opt_out}")
    template(world, "received", domain="billing", text="Billing. {opt_out}")
    world.submit(customer=ANNA | {"locale": "de-CH"})
    world.submit(customer=ANNA)
    send_after()
    bodies = sorted(read(mail)[1] for mail in mailbox.mails)
    assert bodies[0].startswith("Billing.") and bodies[1].startswith("Hallo. Eine Fachkraft")


@pytest.mark.parametrize("kind", ["off", "no address", "challenge", "probe", "no text", "withdrawn"])
def test_nobody_is_told_where_nothing_is_to_be_told(world, mailbox, kind):
    if kind == "off":
        CustomerNoticeSettings.objects.update(is_on=False)
    if kind == "no text":
        CustomerTemplate.objects.update(is_active=False)
    fields = {"customer": {"reference": "c_1"} if kind == "no address" else ANNA}
    if kind in ("challenge", "probe"):
        from cases.services import intake
        from cases.wire.intake import parse_intake

        body = {"domain": "billing", "user_question": "?", "model_draft": "Yes.", **fields}
        intake.submit(parse_intake(body), actor=world.service, tenant=world.tenant, purpose=kind)
    else:
        case = world.submit(**fields)
    if kind == "withdrawn":
        lifecycle.withdraw(case.pk, actor=world.service)
    assert send_after(HOUR) == 0
    assert mailbox.mails == []
    assert {state for _, state in states()} <= {"cancelled"}


def test_a_linked_action_holds_the_decision_back(world, mailbox):
    CustomerTemplate.objects.exclude(occasion="decided").update(is_active=False)
    case = world.submit(customer=ANNA)
    decide(case)
    Case.objects.filter(pk=case.pk).update(open_actions=1)
    assert send_after(HOUR) == 0
    assert customer_sending.backlog().late == timedelta(0)
    Case.objects.filter(pk=case.pk).update(open_actions=0)
    assert send_after(HOUR) == 1


def test_an_undone_decision_is_told_to_nobody_and_the_next_one_is(world, mailbox):
    case = world.submit(customer=ANNA)
    send_after()
    decide(case)
    with transaction.atomic():
        decisions.undo(lifecycle.locked(case.pk), actor=world.reviewer, now=db_now())
    assert send_after(MINUTE) == 0
    decide(case)
    assert send_after(MINUTE) == 1
    assert states() == [("received", "sent"), ("decided", "cancelled"), ("decided", "sent")]


def test_a_case_reopened_before_the_sending_takes_its_notice_along(world, mailbox):
    case = world.submit(customer=ANNA)
    decide(case)
    with pretend_now(db_now() + MINUTE):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="appeal")
    send_after(2 * MINUTE)
    assert states() == [("received", "sent"), ("decided", "cancelled")]


def test_a_rejected_draft_is_told_only_in_words_that_need_no_answer(world, mailbox):
    first, second = world.submit(customer=ANNA), world.submit(customer=ANNA, domain="legal")
    send_after()
    template(world, "decided", domain="legal", text_without_answer="We cannot do that. {opt_out}")
    for case in (first, second):
        decide(case, "reject")
    send_after(MINUTE)
    assert CustomerNotice.objects.get(case=first, occasion="decided").state == "cancelled"
    assert read(mailbox.mails[-1])[1].startswith("We cannot do that.")


def test_who_was_decided_before_the_morning_is_not_told_that_somebody_will_look(world, mailbox):
    with pretend_now(at_noon() + 10 * HOUR):
        CustomerNoticeSettings.objects.update(quiet_from=time(21), quiet_until=time(8))
        case = world.submit(customer=ANNA)
        decide(case)
        assert customer_sending.send_due() == 0
    with pretend_now(at_noon() + 21 * HOUR):
        customer_sending.send_due()
    assert states() == [("received", "cancelled"), ("decided", "sent")]


@pytest.mark.parametrize(
    ("zone", "urgent", "sent"),
    [(None, False, 0), (None, True, 1), ("America/New_York", False, 1), ("nonsense", False, 0)],
)
def test_at_night_only_what_is_urgent_goes_out_and_it_is_the_customers_night(world, mailbox, zone, urgent, sent):
    CustomerNoticeSettings.objects.update(quiet_from=time(21), quiet_until=time(8))
    CustomerTemplate.objects.filter(occasion="decided").update(is_urgent=urgent)
    with pretend_now(at_noon() + 10 * HOUR):
        world.submit(customer=ANNA | ({"time_zone": zone} if zone else {}), signals=SURE)
        assert customer_sending.send_due() == sent
    with pretend_now(at_noon() + 19 * HOUR):
        customer_sending.send_due()
    with pretend_now(at_noon() + 20 * HOUR):
        customer_sending.send_due()
    assert len(mailbox.mails) == 1
