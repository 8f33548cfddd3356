"""The audit trail searched by case, person and window; and what the home page warns supervisors of."""

from datetime import timedelta

import pytest
from django.urls import reverse

from cases.clock import db_now
from cases.models import Notice, NoticeChannel
from cases.rights import read_rights
from cases.services.notices import News, tell
from config.home import home_of
from queues.models import Entry, Reviewer
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
FIND = reverse("admin:feedback_review_find")


@pytest.fixture
def world():
    return make_world("acme")


@pytest.fixture
def cleo(client, world):
    client.force_login(world.compliance)
    return client


def found(client, **asked) -> list[str]:
    events = client.get(FIND, asked).context["found"]
    return [event.case.external_id for event in events if event.case]


def test_events_are_found_by_case_person_and_window(cleo, world):
    case = world.submit(external_id="conv-1")
    world.submit(external_id="conv-2")
    now = db_now()
    assert found(cleo, case="conv-1") == found(cleo, case=case.wire_id) == found(cleo, case=str(case.pk)) == ["conv-1"]
    assert found(cleo, person="acme-serv") == ["conv-2", "conv-1"]
    assert found(cleo, person="nobody") == []
    hour = timedelta(hours=1)
    minute = "%Y-%m-%dT%H:%M"
    assert found(cleo, since=(now - hour).strftime(minute), until=(now + hour).strftime(minute)) == ["conv-2", "conv-1"]
    assert found(cleo, case="conv-1", until=(now - hour).strftime(minute)) == []


def test_without_a_question_nothing_is_searched(cleo, world):
    world.submit()
    assert cleo.get(FIND).context["found"] is None


def test_a_window_that_ends_before_it_begins_is_refused_in_words(cleo):
    html = cleo.get(FIND, {"since": "2026-05-02T10:00", "until": "2026-05-01T10:00"}).content.decode()
    assert "This is not after the start." in html


def test_an_outsider_finds_nothing(client, world):
    case = world.submit(external_id="conv-1")
    client.force_login(make_world("globex").compliance)
    assert found(client, case="conv-1") == found(client, case=case.wire_id) == found(client, person="rita") == []


def test_a_reviewer_does_not_search_the_trail(client, world):
    client.force_login(world.reviewer)
    assert client.get(FIND).status_code == 403


# --- the supervisor's home -----------------------------------------------------------------------------------------


def floor_of(world):
    return home_of(world.supervisor, read_rights(world.supervisor)).floor


def test_what_comes_due_within_the_hour_is_at_risk_and_what_is_paused_is_not(world):
    other = make_world("globex")
    late, calm, paused = world.submit(), world.submit(), world.submit()
    now = db_now()
    Entry.objects.filter(case__in=[late, paused]).update(due_at=now + timedelta(minutes=20))
    Entry.objects.filter(case=paused).update(paused_at=now, pause_reason="Waits")
    Entry.objects.filter(case=other.submit()).update(due_at=now)
    assert [entry.case_id for entry in floor_of(world).at_risk] == [late.pk]
    assert calm.pk


def test_a_queue_without_people_and_a_failed_notice_are_alerts(client, world):
    assert floor_of(world).alerts == []
    Reviewer.objects.filter(tenant=world.tenant).update(is_on_shift=False)
    channel = NoticeChannel(tenant=world.tenant, name="Team", email="team@acme.example")
    channel.save_as(world.supervisor, "created")
    tell([News(world.tenant.pk, "sla.warn", "Due soon.", "key-1")])
    Notice.objects.update(state=Notice.State.FAILED)
    client.force_login(world.supervisor)
    html = client.get(reverse("admin:index")).content.decode()
    assert "Nobody is on shift" in html
    assert "This notice could not be sent." in html
    assert floor_of(make_world("globex")).alerts == []
