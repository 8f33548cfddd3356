"""Customers hear from us: once for each occasion, in their language, when it is final and they are awake."""

import email
import re
from datetime import time, timedelta
from email import policy

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import (
    Case,
    CaseEvent,
    Content,
    CustomerNotice,
    CustomerNoticeSettings,
    CustomerOptOut,
    CustomerTemplate,
    Promise,
)
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import customer_notices, customer_sending, decisions, lifecycle
from cases.services.decisions import Decision
from cases.services.notices import LEASE, RETRY_DELAYS
from cases.vocabulary import Verdict
from tests.cases.mailbox import Mailbox
from tests.cases.receiver import Receiver, answer
from tests.cases.test_admin_cases import sign_in
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

pytestmark = pytest.mark.django_db
SMTP = "django.core.mail.backends.smtp.EmailBackend"
ANNA = {"reference": "c_1", "email": "anna@example.com", "locale": "en"}
TEXTS = {
    "received": "{promise}\n\n{opt_out}",
    "decided": "{answer}\n\n{opt_out}",
    "delayed": "It takes longer. {promise}\n\n{opt_out}",
}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = "2027-05-10T12:00:00+00:00"  # a Monday


def furnished(slug: str = "acme", **tenant):
    world = make_world(slug, rules={"new_release_reviews": 0, "sampling_share": 0.0}, **tenant)
    CustomerNoticeSettings(tenant=world.tenant, is_on=True).save_as(system_actor(), "on")
    for occasion in TEXTS:
        template(world, occasion)
    return world


def template(world, occasion: str, **fields) -> CustomerTemplate:
    values = {"subject": "{company}: {reference}", "text": TEXTS[occasion]} | fields
    row = CustomerTemplate(tenant=world.tenant, occasion=occasion, **values)
    row.full_clean()
    row.save_as(system_actor(), "new")
    return row


@pytest.fixture
def world(db):
    return furnished()


@pytest.fixture
def mailbox(settings):
    with Mailbox() as box:
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", box.port
        settings.EMAIL_USE_TLS = False
        yield box


def decide(case: Case, verdict: str = "accept") -> None:
    with transaction.atomic():
        decisions.decide(lifecycle.locked(case.pk), Decision(Verdict(verdict)), actor=system_actor(), now=db_now())


def send_after(span: timedelta = timedelta(0)) -> int:
    with pretend_now(db_now() + span):
        return customer_sending.send_due(seconds=5)


def read(text: str) -> tuple[str, str]:
    mail = email.message_from_string(text, policy=policy.default)
    return mail["Subject"], mail.get_content()


def states(**fields) -> list[tuple[str, str]]:
    found = CustomerNotice.objects.filter(**fields).order_by("id")
    return [(notice.occasion, notice.state) for notice in found]


def told(case: Case) -> list[str]:
    kinds = ("case.customer_told", "case.customer_not_told")
    return list(CaseEvent.objects.filter(case=case, kind__in=kinds).order_by("id").values_list("kind", flat=True))


# --- the three occasions ----------------------------------------------------------------------------------------------


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


def at_noon():
    return db_now().fromisoformat(NOON)


# --- quiet hours ------------------------------------------------------------------------------------------------------


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


# --- a promise that cannot be kept ------------------------------------------------------------------------------------


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


# --- failure ----------------------------------------------------------------------------------------------------------


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


# --- SMS --------------------------------------------------------------------------------------------------------------


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


# --- opting out -------------------------------------------------------------------------------------------------------


def link_in(mail: str) -> str:
    return re.search(r"/customers/opt-out/[^\s/]+/", read(mail)[1])[0]


def test_a_customer_opts_out_by_a_button_and_comes_back(world, mailbox):
    case = world.submit(customer=ANNA)
    send_after()
    link = link_in(mailbox.mails[0])
    assert "Send me no more messages" in Client().get(link).content.decode()
    assert not CustomerOptOut.objects.exists(), "a scanner that follows links changes nothing"
    page = Client(enforce_csrf_checks=True).post(link, {"wish": "off"}, headers={"Accept-Language": "de-CH,en"})
    assert "Sie erhalten keine automatischen Nachrichten mehr" in page.content.decode()
    decide(case)
    world.submit(customer={"email": "ANNA@example.com"}, external_id="another, without the reference")
    assert send_after(MINUTE) == 0
    assert "The customer wants no notices." in CustomerNotice.objects.latest("id").last_error
    Client().post(link, {"wish": "on"})
    world.submit(customer=ANNA, external_id="third")
    assert send_after(MINUTE) == 1


def test_the_page_says_the_same_whoever_asks(world, mailbox):
    world.submit(customer=ANNA)
    send_after()
    link = link_in(mailbox.mails[0])
    for method in ("get", "post"):
        pages = [
            getattr(Client(), method)(path, {"wish": "off"})
            for path in (link, link[:-2] + "x/", "/customers/opt-out/nonsense/")
        ]
        assert len({(page.status_code, page.content) for page in pages}) == 1
        assert pages[0].status_code == 200
    assert CustomerOptOut.objects.count() == 2


def test_a_link_of_one_tenant_opts_nobody_out_of_another(world, mailbox):
    other = furnished("other")
    world.submit(customer=ANNA)
    send_after()
    Client().post(link_in(mailbox.mails[0]), {"wish": "off"})
    other.submit(customer=ANNA)
    assert send_after() == 1


def test_the_page_is_asked_so_often_and_no_more(world):
    statuses = [Client().get("/customers/opt-out/same/").status_code for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2


# --- the back office --------------------------------------------------------------------------------------------------


def test_a_tenant_admin_writes_previews_and_tests_a_text(world, mailbox):
    tara = world.person("tara", "tenant_admin")
    client = sign_in(tara)
    add = "/admin/cases/customertemplate/add/"
    data = {"tenant": str(world.tenant.pk), "occasion": "decided", "way": "email", "domain": "legal", "locale": "es"}
    data |= {"subject": "{company}", "text": "<b>{answer}</b> {opt_out}", "is_active": "on", "reason": "new"}
    page = client.post(add, data | {"text": "{answr} {opt_out}"}).content.decode()
    assert "Unknown here: {answr}. Known are {answer}" in page
    assert client.post(add, data).status_code == 302
    row = CustomerTemplate.objects.get(domain="legal")
    change = f"/admin/cases/customertemplate/{row.pk}/change/"
    assert "&lt;b&gt;You can send the shoes back until 30 May." in client.get(change).content.decode()
    test = f"/admin/cases/customertemplate/{row.pk}/test/"
    assert "no e-mail address" in client.post(test, follow=True).content.decode()
    tara.email = "tara@acme.example"
    tara.save()
    assert "The test went out" in client.post(test, follow=True).content.decode()
    assert "To: tara@acme.example" in mailbox.mails[0]
    outsider = sign_in(make_world("other").person("oscar", "tenant_admin", "supervisor"))
    assert outsider.get(change).status_code == outsider.post(test).status_code == 302
    assert len(mailbox.mails) == 1


def test_the_list_masks_the_address_and_shows_a_failure(world, mailbox):
    mailbox.refuses = True
    case = world.submit(customer=ANNA)
    send_after()
    page = sign_in(world.supervisor).get("/admin/cases/customernotice/").content.decode()
    assert "an•••" in page and "anna@" not in page and "refused the address" in page
    timeline = sign_in(world.supervisor).get(f"/admin/cases/case/{case.pk}/change/").content.decode()
    assert "Customer could not be told" in timeline
    notice = CustomerNotice.objects.get()
    mailbox.refuses = False
    sign_in(world.supervisor).post(f"/admin/cases/customernotice/{notice.pk}/resend/")
    assert send_after() == 1
    outsider = sign_in(make_world("other").person("oscar", "supervisor"))
    assert "an•••" not in outsider.get("/admin/cases/customernotice/").content.decode()
    assert outsider.post(f"/admin/cases/customernotice/{notice.pk}/resend/").status_code == 302


def test_the_service_for_sms_is_written_and_never_shown(world):
    client = sign_in(world.person("tara", "tenant_admin"))
    rules = CustomerNoticeSettings.objects.get()
    url = f"/admin/cases/customernoticesettings/{rules.pk}/change/"
    seen = rules.history.latest("history_id").pk
    data = {"is_on": "on", "warn_minutes": 60, "delay_minutes": 240, "reason": "sms", "seen": seen}
    for bad in ("http://10.0.0.1/{phone}", "twilio://a:b@15551234567/"):
        assert client.post(url, data | {"new_sms_url": bad}).status_code == 200
    account = "AC" + "a" * 32
    good = f"twilio://{account}:{'b' * 32}@15551234567/{{phone}}"
    assert client.post(url, data | {"new_sms_url": good}).status_code == 302
    rules.refresh_from_db()
    assert rules.sms_url == good
    assert "bbbb" not in client.get(url).content.decode()


# --- two at once ------------------------------------------------------------------------------------------------------


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
