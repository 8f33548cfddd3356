"""The sweep over deadlines: each missed one is said once, and an overdue case moves on."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.models.people import SYSTEM_ID, system_actor
from cases.vocabulary import Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims, deadlines
from queues.services.deadlines import sweep_deadlines
from queues.services.setup import create_queue
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

BREACHED = CaseEvent.Kind.SLA_BREACHED
LATER = timedelta(hours=5)  # The world's queue gives four.


@pytest.fixture
def world(db):
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 1.0})


@pytest.fixture
def urgent(world):
    """The queue where overdue cases go."""
    target = create_queue(
        world.tenant,
        actor=system_actor(),
        slug="urgent",
        name="Urgent",
        domains=["nothing-comes-here-by-itself"],
        sla_policy=world.queue.sla_policy,
    )
    world.queue.escalation_target = target
    world.queue.save_as(system_actor(), "escalates")
    return target


def sweep() -> int:
    with pretend_now(db_now() + LATER):
        return sweep_deadlines().missed


def test_a_missed_deadline_is_marked_and_said_once(world):
    case = world.submit()
    assert sweep_deadlines().missed == 0
    assert sweep() == 1
    assert sweep() == 0
    event = case.events.get(kind=BREACHED)
    entry = Entry.objects.get(case=case)
    assert event.actor_id == SYSTEM_ID
    assert event.data == {"queue": "general", "due_at": entry.due_at.isoformat()}
    assert entry.breached_at is not None


def test_an_overdue_case_moves_to_where_its_queue_escalates_and_says_why(world, urgent):
    case = world.submit()
    due = Entry.objects.get(case=case).due_at
    sweep()
    entry = Entry.objects.get(case=case)
    assert (entry.queue, entry.queue_reason) == (urgent, "urgent: overdue in general")
    assert entry.due_at == due, "its deadline stays missed"
    assert case.events.get(kind=BREACHED).data["queue"] == "general"


def test_a_case_that_somebody_works_on_is_marked_and_stays_where_it_is(world, urgent):
    case = world.submit()
    entry = world.claim()
    assert sweep() == 1
    assert Entry.objects.get(case=case).queue == world.queue
    reviews.submit(case.pk, Submission(verdict=Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)


def test_a_case_that_waits_for_a_draft_misses_no_deadline_meanwhile(world):
    case = world.submit()
    entry = world.claim()
    task = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
    reviews.submit(case.pk, task, actor=world.reviewer, generation=entry.generation)
    assert sweep() == 0
    assert not case.events.filter(kind=BREACHED).exists()


def test_a_decided_case_misses_no_deadline_any_more(world):
    case = world.submit()
    entry = world.claim()
    reviews.submit(case.pk, Submission(verdict=Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)
    assert sweep() == 0


def test_a_sample_that_nobody_looked_at_in_time_is_marked_and_told_to_nobody(world):
    case = world.submit(signals=SURE)
    assert sweep() == 1
    assert Entry.objects.get(case=case).breached_at is not None
    assert not case.events.filter(kind=BREACHED).exists()


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_at_once_say_each_missed_deadline_once(monkeypatch):
    monkeypatch.setattr(deadlines, "BATCH", 7)
    world = make_world()
    cases = [world.submit() for _ in range(30)]
    claims.claim(cases[0], world.reviewer)
    results = in_parallel([sweep] * 4)
    assert not failures(results)
    assert sum(results) == 30
    assert CaseEvent.objects.filter(kind=BREACHED).count() == 30
