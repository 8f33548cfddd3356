"""Telling people: bundled, throttled, retried, visible, over a real mail server and a real service."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import Notice, NoticeChannel
from cases.models.people import system_actor
from cases.notice_ways import UrlRefused, checked
from cases.permissions import Denied
from cases.services import notices
from cases.services.notices import QUIET, RETRY_DELAYS, SETTLE, News, backlog, resend, send_due, tell
from tests.cases.receiver import Receiver, answer
from tests.cases.test_admin_cases import form_of, sign_in
from tests.threads import failures, in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
CHANNELS = "/admin/cases/noticechannel/"
SECOND = timedelta(seconds=1)
W = Notice.State


@pytest.fixture
def world(db):
    world = make_world()
    for person in (world.supervisor, world.reviewer):
        person.email = f"{person.first_name.lower()}@acme.example"
        person.save()
    return world


def news(world, key="k", *, to=None, text="Something is due.", kind="sla.notify") -> News:
    to = [world.supervisor.pk] if to is None else to
    return News(world.tenant.pk, kind, text, key, to, subject="case_1", path="/admin/cases/case/1/change/")


def channel(world, name="Ops", **fields) -> NoticeChannel:
    row = NoticeChannel(tenant=world.tenant, name=name, **({"email": "ops@acme.example"} | fields))
    row.full_clean()
    row.save_as(system_actor(), "created")
    return row


def send_after(span: timedelta) -> int:
    with pretend_now(db_now() + span):
        return send_due()


def states() -> list[str]:
    return list(Notice.objects.order_by("id").values_list("state", flat=True))


# --- writing ----------------------------------------------------------------------------------------------------------


def test_news_is_told_once_however_often_it_is_written(world):
    for _ in range(3):
        tell([news(world)])
    assert Notice.objects.get().user == world.supervisor


def test_what_rolls_back_is_told_to_nobody(world):
    with pytest.raises(RuntimeError), transaction.atomic():
        tell([news(world)])
        raise RuntimeError
    assert not Notice.objects.exists()


def test_people_are_told_on_their_own_channels_and_the_team_on_its(world):
    own = channel(world, "Sue's", user=world.supervisor, email="sue@phone.example")
    team = channel(world, "Team")
    channel(world, "Night", hears=["sla.escalate"])
    channel(world, "Off", is_active=False)
    channel(make_world("other"), "Theirs")
    tell([news(world, to=[world.supervisor.pk, world.reviewer.pk])])
    told = {(notice.channel, notice.user) for notice in Notice.objects.all()}
    assert told == {(team, None), (own, world.supervisor), (None, world.reviewer)}


def test_telling_takes_as_many_statements_for_one_as_for_a_hundred(world):
    counts = []
    for size in (1, 100):
        with CaptureQueriesContext(connection) as queries:
            tell([news(world, f"{size}-{number}") for number in range(size)])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_notice_has_a_recipient(world):
    now = db_now()
    lost = Notice(tenant=world.tenant, destination=world.tenant.pk, kind="x", text="x", key="x")
    lost.created_at = lost.next_attempt_at = now
    with pytest.raises(IntegrityError, match="notices_have_a_recipient"), transaction.atomic():
        lost.save(force_insert=True)


# --- sending ----------------------------------------------------------------------------------------------------------


def test_several_notices_to_one_person_are_one_mail(world, mailbox):
    tell([news(world, f"k{number}", text=f"Case {number} is due.") for number in range(3)])
    assert send_due() == 0, "they settle first"
    assert send_after(SETTLE) == 1
    (text,) = mailbox.mails
    assert "Subject: Acme: 3 notices" in text and "To: sue@acme.example" in text
    assert all(f"Case {number} is due." in text for number in range(3))
    assert states() == [W.SENT] * 3
    assert Notice.objects.values("bundle").distinct().count() == 1


def test_a_bundle_of_very_many_says_how_many_more_there_are(world, mailbox):
    tell([news(world, f"k{number}") for number in range(60)])
    send_after(SETTLE)
    assert "And 20 more" in mailbox.mails[0]


def test_one_who_was_just_told_is_left_in_peace_for_a_while(world, mailbox):
    tell([news(world, "first")])
    send_after(SETTLE)
    with pretend_now(db_now() + SETTLE + SECOND):
        tell([news(world, "second"), news(world, "third")])
    assert send_after(SETTLE * 2 + 2 * SECOND) == 0
    assert send_after(SETTLE + QUIET + 2 * SECOND) == 1
    assert len(mailbox.mails) == 2


def test_a_mail_that_is_refused_is_tried_again_at_its_time_and_then_given_up_visibly(world, mailbox):
    mailbox.refuses = True
    tell([news(world)])
    at = db_now() + SETTLE
    for tries, delay in enumerate([*RETRY_DELAYS, None], start=1):
        with pretend_now(at):
            assert send_due() == 1
            assert send_due() == 0
        notice = Notice.objects.get()
        assert (notice.attempts, notice.last_error) == (
            tries,
            "The mail server refused the address (550).",
        )
        if delay:
            assert notice.next_attempt_at == at + delay
            at += delay
    assert notice.state == W.FAILED
    assert backlog().failed == 1
    mailbox.refuses = False
    with pytest.raises(Denied):
        resend(notice.pk, actor=world.reviewer)
    resend(notice.pk, actor=world.supervisor)
    send_after(SETTLE)
    assert (states(), len(mailbox.mails)) == ([W.SENT], 1)


def test_who_has_no_address_is_said_and_not_lost(world):
    world.supervisor.email = ""
    world.supervisor.save()
    tell([news(world)])
    send_after(SETTLE)
    assert "no e-mail address and no channel" in Notice.objects.get().last_error


def test_one_destination_that_fails_holds_up_no_other(world, settings):
    settings.NOTICE_SCHEMES = {"json"}
    channel(world, "Dead", way="service", email="", url="json://127.0.0.1:9/?rto=1&cto=1")
    tell([news(world)])
    assert send_after(SETTLE) == 2
    assert sorted(states()) == [W.SENT, W.WAITING]
    assert len(mail.outbox) == 1


def test_a_service_gets_the_notice_by_apprise(world, settings):
    settings.NOTICE_SCHEMES = {"json"}
    with Receiver() as receiver:
        channel(world, "Chat", way="service", email="", url=receiver.url.replace("http://", "json://"))
        tell([news(world, to=[])])
        send_after(SETTLE)
        receiver.always = answer(500)
        tell([news(world, "again", to=[])])
        send_after(SETTLE + QUIET + SECOND)
    assert b"Something is due." in receiver.requests[0].body
    assert states() == [W.SENT, W.WAITING]
    assert Notice.objects.last().last_error.startswith("The service did not take it")


def test_a_sender_that_died_leaves_a_lease_that_runs_out(world):
    tell([news(world)])
    with pretend_now(db_now() + SETTLE):
        (message,) = notices._lease_due()
        assert send_due() == 0, "somebody has it"
    assert send_after(SETTLE + notices.LEASE + SECOND) == 1
    notices._finish(message, "too late")
    assert states() == [W.SENT]


@pytest.mark.django_db(transaction=True)
def test_several_senders_at_once_send_each_bundle_once():
    world = make_world()
    people = [world.person(f"p{number}") for number in range(6)]
    for person in people:
        person.email = f"{person.first_name}@acme.example"
        person.save()
    tell([news(world, f"k{number}", to=[person.pk for person in people]) for number in range(5)])
    results = in_parallel([lambda: send_after(SETTLE)] * 4)
    assert not failures(results)
    assert (sum(results), len(mail.outbox), set(states())) == (6, 6, {W.SENT})


def test_what_was_sent_long_ago_goes_and_what_could_not_be_sent_stays(world):
    tell([news(world, "sent"), news(world, "failed")])
    Notice.objects.filter(key__startswith="sent").update(state=W.SENT, sent_at=db_now() - timedelta(days=31))
    Notice.objects.filter(key__startswith="failed").update(state=W.FAILED)
    assert notices.purge() == 1
    assert states() == [W.FAILED]


# --- where a URL may lead ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["json://169.254.169.254/", "mailto://a:b@inner", "https://example.org", "file:///etc/passwd", "nonsense", ""],
)
def test_a_url_that_could_name_any_host_is_refused(url):
    with pytest.raises(UrlRefused, match="sends to these services only"):
        checked(url)


def test_a_url_of_a_known_service_that_lacks_its_secrets_is_refused():
    with pytest.raises(UrlRefused, match="needs more than that"):
        checked("slack://")
    assert checked("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general")


# --- in the back office ----------------------------------------------------------------------------------------------

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/#general"


def test_a_supervisor_sets_up_a_channel_whose_secret_no_page_shows(world):
    desk = sign_in(world.supervisor)
    data = {"tenant": str(world.tenant.pk), "name": "Chat", "way": "service", "is_active": "on", "reason": "new"}
    assert (
        "sends to these services only" in desk.post(f"{CHANNELS}add/", data | {"new_url": "json://x"}).content.decode()
    )
    assert "Give the service" in desk.post(f"{CHANNELS}add/", data).content.decode()
    assert desk.post(f"{CHANNELS}add/", data | {"new_url": SLACK}).status_code == 302
    row = NoticeChannel.objects.get()
    page = f"{CHANNELS}{row.pk}/"
    for url in (CHANNELS, f"{page}change/", f"{page}history/"):
        assert SECRET not in desk.get(url).content.decode()
    assert "slack://…" in desk.get(CHANNELS).content.decode()
    assert (
        desk.post(f"{page}change/", form_of(desk, f"{page}change/") | {"name": "Room", "reason": "x"}).status_code
        == 302
    )
    row.refresh_from_db()
    assert (row.name, row.url) == ("Room", SLACK)
    assert SECRET not in str(row.history.values_list())


def test_a_test_is_sent_from_the_channels_page(world):
    row = channel(world)
    desk = sign_in(world.supervisor)
    page = desk.post(f"{CHANNELS}{row.pk}/test/", follow=True).content.decode()
    assert "The test went out" in page
    assert mail.outbox[0].to == ["ops@acme.example"]
    assert desk.get(f"{CHANNELS}{row.pk}/test/").status_code == 403


def test_an_outsider_and_a_reviewer_test_no_channel_and_resend_nothing(world):
    row = channel(world)
    tell([news(world)])
    Notice.objects.update(state=W.FAILED)
    outsider = sign_in(make_world("other").supervisor)
    reviewer = sign_in(world.reviewer)
    for url in (f"{CHANNELS}{row.pk}/test/", f"/admin/cases/notice/{Notice.objects.first().pk}/resend/"):
        assert outsider.post(url).status_code == 302
        assert reviewer.post(url).status_code in (302, 403)
    assert (mail.outbox, set(states())) == ([], {W.FAILED})


def test_what_could_not_be_sent_is_listed_and_sent_again(world):
    tell([news(world)])
    Notice.objects.update(state=W.FAILED, last_error="The mail server did not take it.")
    desk = sign_in(world.supervisor)
    text = desk.get("/admin/cases/notice/?state__exact=failed").content.decode()
    assert "The mail server did not take it." in text
    page = f"/admin/cases/notice/{Notice.objects.get().pk}/"
    assert "Send again" in desk.get(f"{page}change/").content.decode()
    assert "sent again within seconds" in desk.post(f"{page}resend/", follow=True).content.decode()
    assert states() == [W.WAITING]
