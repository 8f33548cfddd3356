"""A case that waits and that nobody may take is a warning that cannot be overlooked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import remove_perm

from cases.clock import db_now
from cases.models.people import system_actor
from cases.services import people
from cases.vocabulary import Role, Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry, Queue, Reviewer
from queues.services import asides
from queues.services.setup import save_queue
from queues.services.stranded import barred, is_stranded, languages_waiting, stranded
from queues.services.warnings import warnings_of
from tests.cases.test_admin_cases import sign_in
from tests.worlds import make_world

EDIT = Submission(verdict=Verdict.EDIT, final_answer="My own words.", notes="a note")


@pytest.fixture
def world(db):
    return make_world()


def reads_only(user, *languages: str) -> None:
    Reviewer.objects.filter(user=user).update(languages=list(languages))


def codes(queue: Queue) -> list[str]:
    return [warning.code for warning in warnings_of([queue])[queue.pk]]


# --- who may have it ----------------------------------------------------------------------------------------------


def test_a_vote_that_nobody_is_left_for_is_a_warning_until_somebody_comes(world):
    world.queue.required_reviews = 2
    save_queue(world.queue, system_actor(), "two")
    case = world.submit()
    entry = world.claim()
    reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=entry.generation)
    assert codes(world.queue) == []
    entry = world.claim(world.colleague)
    asides.decline(case.pk, world.colleague, entry.generation, reason="My neighbour")
    entry = Entry.objects.get(case=case)
    assert (barred(Queue.objects.all()), is_stranded(entry)) == ([entry], True)
    assert codes(world.queue) == ["stranded"]
    assert "1 case waits" in warnings_of([world.queue])[world.queue.pk][0].text
    world.person("nina", Role.REVIEWER, reviews=True)
    assert (codes(world.queue), is_stranded(entry)) == ([], False)


def test_a_case_that_all_have_declined_is_a_warning(world):
    case = world.submit()
    for user in (world.reviewer, world.colleague):
        entry = world.claim(user)
        asides.decline(case.pk, user, entry.generation, reason="My neighbour")
    assert codes(world.queue) == ["stranded"]


def test_a_disagreement_without_anybody_who_may_settle_it_is_a_warning(world):
    world.submit()
    Entry.objects.update(for_adjudicator=True)
    assert codes(world.queue) == ["stranded"]
    world.person("sena", Role.SENIOR_REVIEWER, reviews=True)
    assert codes(world.queue) == []


def test_who_reads_the_case_counts_and_not_only_who_works_the_queue(world):
    world.submit(language="de")
    Entry.objects.update(excluded=[world.reviewer.pk])
    assert codes(world.queue) == []
    reads_only(world.colleague, "en-GB", "fr")
    assert codes(world.queue) == ["stranded"]


def test_a_case_in_a_language_that_nobody_reads_is_a_warning_though_its_queue_takes_any(world):
    reads_only(world.reviewer, "en")
    reads_only(world.colleague, "de-AT")
    world.submit(language="fi-FI"), world.submit(language="de"), world.submit(language=None)
    (warning,) = warnings_of([world.queue])[world.queue.pk]
    assert (warning.code, "Cases in fi wait" in warning.text) == ("unread", True)
    assert languages_waiting([world.queue.pk]) == {world.queue.pk: {"de", "fi"}}
    assert stranded(Queue.objects.all()).get().language == "fi-FI"


@pytest.mark.parametrize("away", ["held", "paused", "kept"])
def test_what_does_not_wait_is_not_stranded(world, away):
    world.submit()
    now = db_now()
    values = {
        "held": {"claimed_by": world.reviewer, "claimed_at": now, "lease_expires_at": now},
        "paused": {"paused_at": now},
        "kept": {"kept_for": world.reviewer, "back_at": now, "kept_until": now + asides.LEASE},
    }[away]
    Entry.objects.update(excluded=[world.reviewer.pk, world.colleague.pk], **values)
    assert (codes(world.queue), stranded(Queue.objects.all()).exists()) == ([], False)


def test_a_queue_without_people_says_so_once(world):
    world.submit()
    Entry.objects.update(excluded=[world.reviewer.pk])
    for role in (Role.REVIEWER, Role.SENIOR_REVIEWER):
        remove_perm("queues.work_queue", people.role_group(world.tenant, role), world.queue)
    assert codes(world.queue) == ["nobody"]
    assert not stranded(Queue.objects.all()).exists()


def test_asking_takes_as_many_queries_for_many_cases_as_for_one(world):
    counts = []
    for size in (1, 12):
        for number in range(size):
            world.submit(language=("de", "fi", "en")[number % 3])
        Entry.objects.update(excluded=[world.reviewer.pk])
        with CaptureQueriesContext(connection) as queries:
            warnings_of(Queue.objects.all())
            list(stranded(Queue.objects.all()))
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- where it stands ----------------------------------------------------------------------------------------------


def test_it_stands_on_the_queue_on_the_floor_on_the_lists_and_on_the_case(world):
    case, other = world.submit(external_id="nobody-may"), world.submit(external_id="somebody-may")
    Entry.objects.filter(case=case).update(excluded=[world.reviewer.pk, world.colleague.pk])
    entry, desk = Entry.objects.get(case=case), sign_in(world.supervisor)
    for page in (f"/admin/queues/queue/{world.queue.pk}/change/", "/admin/queues/queue/routing/"):
        assert "1 case waits that nobody may take" in desk.get(page).content.decode(), page
    for page in ("/admin/queues/queue/", "/admin/queues/entry/held/"):
        assert "1 case nobody may take" in desk.get(page).content.decode(), page
    listed = desk.get("/admin/queues/entry/?holder=stranded").content.decode()
    assert "nobody-may" in listed and "somebody-may" not in listed
    assert "Nobody may take this case" in desk.get(f"/admin/queues/entry/{entry.pk}/change/").content.decode()
    second = Entry.objects.get(case=other)
    assert "Nobody may take this case" not in desk.get(f"/admin/queues/entry/{second.pk}/change/").content.decode()


def test_an_outsider_is_told_nothing_of_it(world):
    world.submit(external_id="nobody-may")
    Entry.objects.update(excluded=[world.reviewer.pk, world.colleague.pk])
    outsider = sign_in(make_world("other").supervisor)
    for page in (
        "/admin/",
        "/admin/queues/queue/",
        "/admin/queues/entry/?holder=stranded",
        "/admin/queues/entry/held/",
    ):
        text = outsider.get(page).content.decode()
        assert "nobody may take" not in text and "nobody-may" not in text, page
