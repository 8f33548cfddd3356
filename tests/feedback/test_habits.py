"""Rubber-stamp signals: what they count, how sure they are, and who sees whose."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.vocabulary import Verdict
from feedback.blind import Anchoring
from feedback.habits import CHARACTERS_PER_SECOND, Look, Share, habits
from feedback.models import Review
from feedback.services import habits as service
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.worlds import make_world

PAGE = "admin:feedback_review_habits"
NOTHING = {"caught": Share(0, 0), "anchored": Anchoring()}
SLOW, FAST = Look(True, 60, 600), Look(True, 2, 600)


def test_less_than_half_the_time_of_reading_is_fast():
    assert 47 < CHARACTERS_PER_SECOND < 48
    assert (FAST.is_fast, SLOW.is_fast, Look(True, 0.0, 0).is_fast) == (True, False, False)


def test_streaks_are_counted_from_the_latest_and_broken_by_whatever_is_no_acceptance():
    other = Look(False, 60, 600)
    found = habits([SLOW, SLOW, other, SLOW, SLOW, SLOW, other], **NOTHING)
    assert (found.streak, found.longest) == (2, 3)
    assert (habits([other], **NOTHING).streak, habits([], **NOTHING).longest) == (0, 0)


@pytest.mark.parametrize(
    ("looks", "caught", "anchored", "count"),
    [
        ([SLOW] * 50, Share(0, 0), Anchoring(), 0),  # to accept everything is no fault where nothing got past
        ([SLOW] * 50, Share(4, 4), Anchoring(), 0),
        ([SLOW] * 50, Share(1, 4), Anchoring(), 1),
        ([FAST] * 3, Share(0, 0), Anchoring(), 1),
        ([FAST] + [SLOW] * 9, Share(0, 0), Anchoring(), 0),  # one of ten may be chance
        ([SLOW], Share(0, 0), Anchoring(moved=9, differed=10), 1),
        ([SLOW], Share(0, 0), Anchoring(moved=2, differed=3), 0),
    ],
)
def test_only_what_chance_explains_badly_is_worth_a_talk(looks, caught, anchored, count):
    assert len(habits(looks, caught=caught, anchored=anchored).stands_out) == count


def decide(world, user, verdict=Verdict.ACCEPT, seconds=90, **case) -> Review:
    world.submit(**case)
    start = db_now()
    with pretend_now(start):
        entry = claims.claim_next(user, tenant=world.tenant)
    with pretend_now(start + timedelta(seconds=seconds)):
        said = Submission(verdict, notes="seen")
        return reviews.submit(entry.case_id, said, actor=user, generation=entry.generation)


@pytest.fixture
def world(db):
    return make_world(undo_seconds=0)


def test_it_is_counted_from_the_decisions_of_real_cases_with_a_draft(world):
    decide(world, world.reviewer)
    decide(world, world.reviewer, seconds=1)
    decide(world, world.reviewer, Verdict.REJECT)
    decide(world, world.colleague, Verdict.REJECT)
    planted = decide(world, world.reviewer).case
    type(planted).objects.filter(pk=planted.pk).update(purpose="challenge")
    later = db_now() + timedelta(minutes=5)
    mine = service.of_person(world.reviewer, world.tenant, now=later)
    assert (mine.accepted, mine.fast, mine.streak, mine.longest) == (Share(2, 3), Share(1, 3), 0, 2)
    assert [(one.name, one.habits.accepted.among) for one in service.of_team(world.tenant, now=later)] == [
        ("Carl", 1),
        ("Rita", 3),
    ]
    gone = service.of_person(world.reviewer, world.tenant, now=later + service.WINDOW)
    assert gone.accepted.among == 0


def page_of(user) -> str:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(reverse(PAGE))
    assert response.status_code == 200
    return response.content.decode()


def test_one_sees_ones_own_and_the_supervisor_sees_the_team(world):
    decide(world, world.reviewer)
    decide(world, world.colleague)
    mine = page_of(world.reviewer)
    assert "You at Acme" in mine
    assert "1 of 1" in mine
    assert "Carl" not in mine
    assert "The people at" not in mine
    team = page_of(world.supervisor)
    assert "Carl" in team
    assert "Rita" in team


def test_an_outsider_sees_nobody(world):
    decide(world, world.reviewer)
    other = make_world("other")
    assert "Rita" not in page_of(other.colleague)
    assert "Acme" not in page_of(other.supervisor)


def test_more_people_and_decisions_ask_no_more_queries(world):
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            service.of_team(world.tenant, now=db_now() + timedelta(minutes=5))
        return len(queries)

    decide(world, world.reviewer)
    few = asked()
    for user in (world.reviewer, world.colleague, world.person("theo", "reviewer", reviews=True)):
        decide(world, user)
    assert asked() == few
