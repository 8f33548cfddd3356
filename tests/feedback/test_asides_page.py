"""Setting a case aside on the review page, without JavaScript."""

import pytest
from django.test import Client

from queues.models import Aside, Consultation, Entry
from queues.services import consults
from tests.cases.test_admin_cases import sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def world(db) -> World:
    return make_world()


@pytest.fixture
def rita(world) -> Client:
    return sign_in(world.reviewer)


def page_of(case_id) -> str:
    return f"/admin/feedback/review/work/{case_id}/"


def send(client: Client, entry: Entry, name: str, **values):
    return client.post(f"{page_of(entry.case_id)}aside/{name}/", {"generation": entry.generation} | values)


@pytest.fixture
def entry(world) -> Entry:
    world.submit()
    return world.claim()


def test_the_holder_is_offered_every_way_and_a_reader_none(world, rita, entry):
    text = rita.get(page_of(entry.case_id)).content.decode()
    for label in ("Skip", "Snooze", "Ask a colleague", "Decline", "Give back"):
        assert label in text
    assert "deadline goes on running" in text
    other = sign_in(world.colleague).get(page_of(entry.case_id)).content.decode()
    assert "Set aside" not in other and "/aside/" not in other


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("skip", {"reason": "Not my field"}, "skip"),
        ("snooze", {"until": "60"}, "snooze"),
        ("decline", {"reason": "My sister"}, "decline"),
    ],
)
def test_a_case_is_set_aside_by_its_form(rita, entry, name, values, kind):
    assert send(rita, entry, name, **values)["Location"] == "/admin/"
    assert Aside.objects.get().kind == kind
    assert Entry.objects.get().claimed_by is None
    again = send(rita, entry, name, **values)
    assert again.status_code == 302, "it is not theirs any more"
    assert Aside.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [("skip", {}), ("snooze", {"until": "999999"}), ("consult", {"question": "?"}), ("decline", {"reason": " "})],
)
def test_what_is_missing_is_said_beside_its_field_and_nothing_is_done(rita, entry, name, values):
    answer = send(rita, entry, name, **values)
    assert answer.status_code == 400
    assert "field-error" in answer.content.decode()
    assert Entry.objects.get().claimed_by_id == entry.claimed_by_id


def test_a_question_goes_to_a_colleague_who_answers_on_the_same_page(world, rita, entry):
    case = page_of(entry.case_id)
    send(rita, entry, "consult", colleague="carl@acme", question=HOSTILE, hours="2")
    assert "On hold" in rita.get(case).content.decode()
    assert Consultation.objects.get().colleague == world.colleague
    carl = sign_in(world.colleague)
    text = carl.get(case).content.decode()
    assert "<script>alert(1)" not in text and "&lt;script&gt;" in text
    assert send(carl, entry, "answer", answer="Yes, section 4.").status_code == 302
    text = rita.get(case).content.decode()
    assert "Yes, section 4." in text and "Take this case" in text


def test_who_asked_goes_on_without_the_answer(world, rita, entry):
    consults.ask(entry.case_id, world.reviewer, entry.generation, colleague=world.colleague, question="?")
    assert "Go on without the answer" in rita.get(page_of(entry.case_id)).content.decode()
    assert send(rita, entry, "stop-waiting").status_code == 302
    assert Entry.objects.get().kept_for == world.reviewer


@pytest.mark.parametrize("name", ["skip", "answer", "stop-waiting", "release", "no-such"])
def test_nobody_does_what_they_are_not_offered(world, entry, name):
    for user, status in ((world.colleague, 302), (make_world("other").reviewer, 404)):
        answer = send(sign_in(user), entry, name, reason="r", answer="a")
        assert answer.status_code == status
    assert Entry.objects.get().claimed_by == world.reviewer


def test_a_stale_page_sets_nothing_aside_and_says_so(world, rita, entry):
    answer = rita.post(f"{page_of(entry.case_id)}aside/skip/", {"generation": entry.generation + 1, "reason": "r"})
    assert answer["Location"] == page_of(entry.case_id)
    assert Entry.objects.get().claimed_by == world.reviewer


def test_the_list_of_questions_holds_ones_own_and_nobody_elses(world, entry):
    consults.ask(entry.case_id, world.reviewer, entry.generation, colleague=world.colleague, question="?")
    third = world.person("tess", "reviewer", reviews=True)
    counts = {
        user: sign_in(user).get("/admin/queues/consultation/").context["cl"].result_count
        for user in (world.reviewer, world.colleague, world.supervisor, third, make_world("other").supervisor)
    }
    assert list(counts.values()) == [1, 1, 1, 0, 0]
    mine = sign_in(world.colleague).get("/admin/queues/consultation/?standing=mine")
    assert mine.context["cl"].result_count == 1
