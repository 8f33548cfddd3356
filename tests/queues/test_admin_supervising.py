"""The supervisors' pages: who holds what, giving and taking back in bulk, people's hours and absence."""

from uuid import uuid4

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm, remove_perm

from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.services.members import role_group
from cases.vocabulary import Role
from queues.models import Entry, Reviewer
from queues.services import asides
from queues.services.claims import claim
from queues.services.setup import create_queue
from tests.cases.test_admin_cases import empty_inline, sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
ENTRIES = "/admin/queues/entry/"


@pytest.fixture
def world(db) -> World:
    return make_world()


@pytest.fixture
def desk(world) -> Client:
    return sign_in(world.supervisor)


def held(world, count: int) -> list[Entry]:
    Reviewer.objects.update(capacity=50)
    return [claim(world.submit(external_id=f"conv-{number}"), world.reviewer) for number in range(count)]


def choose(client: Client, action: str, entries: list[Entry], **values):
    return client.post(ENTRIES, {"action": action, "_selected_action": [entry.pk for entry in entries]} | values)


def test_cases_are_given_in_bulk_after_a_page_that_asks_to_whom_and_why(world, desk):
    entries = held(world, 3)
    asked = choose(desk, "give_chosen", entries[:2])
    text = asked.content.decode()
    assert "conv-0" in text and "conv-2" not in text and "Carl" in text
    assert Entry.objects.held().count() == 3
    assert choose(desk, "give_chosen", entries[:2], confirmed="yes", to="", reason="").status_code == 400
    values = {"confirmed": "yes", "to": world.colleague.pk, "reason": "Rita is ill"}
    assert choose(desk, "give_chosen", entries[:2], **values).status_code == 302
    assert Entry.objects.filter(kept_for=world.colleague).count() == 2
    note = CaseEvent.objects.filter(kind=CaseEvent.Kind.ASSIGNED).select_related("note").first().note
    assert note.text["note"] == "Rita is ill"


def test_cases_are_taken_back_in_bulk(world, desk):
    entries = held(world, 2)
    choose(desk, "take_back_chosen", entries, confirmed="yes", reason="Rita is ill")
    assert not Entry.objects.held().exists()


def test_nobody_moves_cases_of_queues_that_they_do_not_supervise(world):
    entries = held(world, 1)
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    remove_perm("queues.supervise_queue", role_group(world.tenant, Role.SUPERVISOR), world.queue)
    values = {"confirmed": "yes", "to": world.colleague.pk, "reason": "mine"}
    lead = world.person("lena", Role.REVIEWER)
    assign_perm("queues.supervise_queue", lead, other)
    for user in (world.supervisor, lead, world.colleague, make_world("outer").supervisor):
        client = sign_in(user)
        choose(client, "give_chosen", entries, **values)
        choose(client, "take_back_chosen", entries, **values)
        assert client.post(f"{ENTRIES}rebalance/{world.queue.pk}/", {"reason": "r"}).status_code == 404
        client.post(f"{ENTRIES}hand-over/{world.reviewer.pk}/", {"reason": "r"})
    assert Entry.objects.get().claimed_by == world.reviewer


def test_an_outsider_cannot_tell_a_queue_or_a_person_from_one_that_does_not_exist(world):
    held(world, 1)
    client = sign_in(make_world("outer").supervisor)
    for path, key in (("rebalance", world.queue.pk), ("hand-over", world.reviewer.pk)):
        answers = [client.get(f"{ENTRIES}{path}/{one}/") for one in (key, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
    assert "conv-" not in client.get(f"{ENTRIES}held/").content.decode()


def test_the_page_of_who_holds_what_names_people_cases_and_times(world, desk):
    entry = held(world, 1)[0]
    text = desk.get(f"{ENTRIES}held/").content.decode()
    assert "conv-0" in text and f"{entry.lease_expires_at:%H:%M} UTC" in text and "1 of 50" in text
    assert sign_in(world.reviewer).get(f"{ENTRIES}held/").status_code == 403


def test_everything_of_a_person_is_handed_over_and_a_queue_is_spread(world, desk):
    held(world, 4)
    page = f"{ENTRIES}hand-over/{world.reviewer.pk}/"
    assert "Back to the queue" in desk.get(page).content.decode()
    assert desk.post(page, {"reason": "ill", "to": world.colleague.pk}).status_code == 302
    assert Entry.objects.filter(kept_for=world.colleague).count() == 4
    assert desk.post(f"{ENTRIES}rebalance/{world.queue.pk}/", {"reason": "morning"}).status_code == 302
    assert Entry.objects.filter(kept_for=world.colleague).count() == 2


def test_supervisors_read_why_a_case_was_declined_and_reviewers_do_not(world, desk):
    entry = held(world, 1)[0]
    asides.decline(entry.case_id, world.reviewer, entry.generation, reason="The customer is my sister")
    page = f"{ENTRIES}{entry.pk}/change/"
    assert "my sister" in desk.get(page).content.decode()
    assert "my sister" not in sign_in(world.colleague).get(page).content.decode()


# --- people ----------------------------------------------------------------------------------------------------------


def reviewer_form(world, **values) -> dict:
    reviewer = Reviewer.objects.get(user=world.reviewer)
    seen = reviewer.history.order_by("-history_id").first().pk
    return (
        {"capacity": 3, "is_on_shift": "on", "reason": "agreed", "seen": seen, "languages": ""}
        | empty_inline("skills")
        | values
    )


def test_a_supervisor_sets_hours_and_absence(world, desk):
    reviewer = Reviewer.objects.get(user=world.reviewer)
    url = f"/admin/queues/reviewer/{reviewer.pk}/change/"
    values = {"day_0": "09:00-12:30", "away_from": "2027-03-01T09:00", "delegate": str(world.colleague.pk)}
    answer = desk.post(url, reviewer_form(world, **values))
    assert answer.status_code == 302, answer.context["errors"]
    reviewer.refresh_from_db()
    place = world.reviewer.memberships.get()
    assert reviewer.own_hours == {"0": [["09:00", "12:30"]]}
    assert (place.delegate, place.away_from.isoformat()) == (world.colleague, "2027-03-01T09:00:00+00:00")
    assert place.history.latest("history_id").history_user_id == world.supervisor.pk
    text = desk.get(url).content.decode()
    assert "09:00-12:30" in text and "2027-03-01T09:00" in text


@pytest.mark.parametrize(
    "values",
    [
        {"day_0": "12:00-09:00"},
        {"away_from": "2027-03-02T09:00", "away_until": "2027-03-01T09:00"},
        {"away_from": "2027-03-02T09:00", "delegate": "compliance"},
        {"away_from": "2027-03-02T09:00", "delegate": "outsider"},
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_saved(world, desk, values):
    people = {"compliance": world.compliance.pk, "outsider": make_world("outer").reviewer.pk}
    values = {name: people.get(value, value) for name, value in values.items()}
    reviewer = Reviewer.objects.get(user=world.reviewer)
    answer = desk.post(f"/admin/queues/reviewer/{reviewer.pk}/change/", reviewer_form(world, **values))
    assert answer.status_code == 200
    assert world.reviewer.memberships.get().away_from is None
    assert Reviewer.objects.get(pk=reviewer.pk).own_hours == {}


def test_a_supervisor_of_other_queues_only_reads_people(world, desk):
    remove_perm("queues.supervise_queue", role_group(world.tenant, Role.SUPERVISOR), world.queue)
    reviewer = Reviewer.objects.get(user=world.reviewer)
    url = f"/admin/queues/reviewer/{reviewer.pk}/change/"
    assert desk.get(url).status_code == 200
    assert desk.post(url, reviewer_form(world, capacity=9)).status_code == 403


def test_the_form_of_one_tenant_keeps_nothing_of_anothers(world, desk):
    url = "/admin/queues/reviewer/{}/change/"
    other = make_world("other")
    sign_in(other.supervisor).get(url.format(Reviewer.objects.get(user=other.reviewer).pk))
    text = desk.get(url.format(Reviewer.objects.get(user=world.reviewer).pk)).content.decode()
    assert str(world.colleague.pk) in text and str(other.colleague.pk) not in text
