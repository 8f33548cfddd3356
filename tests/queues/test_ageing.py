"""Fairness: urgency is a rank that ages, and nobody waits for ever."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases.clock import db_now
from queues.models import Entry
from queues.models.entries import LEAST_PRIORITY, MINUTES_A_POINT, MOST_PRIORITY
from queues.services.claims import claim_next
from tests.worlds import make_world

POINT = timedelta(minutes=MINUTES_A_POINT)


@pytest.fixture
def world(db):
    return make_world()


def aged(world, *, due_in: timedelta, priority: int, entered_ago: timedelta = timedelta()) -> Entry:
    case = world.submit()
    now = db_now()
    Entry.objects.filter(case=case).update(due_at=now + due_in, priority=priority, entered_at=now - entered_ago)
    return Entry.objects.get(case=case)


def test_a_point_of_priority_is_worth_its_minutes_of_deadline(world):
    entry = aged(world, due_in=timedelta(hours=4), priority=10)
    assert entry.due_at - entry.ranked_at == 10 * POINT == timedelta(hours=8)


@pytest.mark.parametrize(
    ("priority", "counts"), [(-500, LEAST_PRIORITY), (-10, -10), (40, 40), (32_000, MOST_PRIORITY)]
)
def test_priorities_beyond_the_bounds_count_as_the_bounds(world, priority, counts):
    entry = aged(world, due_in=timedelta(hours=4), priority=priority)
    assert entry.due_at - entry.ranked_at == counts * POINT


def test_a_deadline_long_past_on_arrival_buys_no_place_before_everybody(world):
    entry = aged(world, due_in=timedelta(days=-900), priority=0)
    assert entry.ranked_at == entry.entered_at


def test_the_least_urgent_case_goes_first_once_it_has_waited_long_enough(world):
    old = aged(world, due_in=-(MOST_PRIORITY * POINT) - timedelta(minutes=1), priority=0, entered_ago=timedelta(days=9))
    aged(world, due_in=timedelta(), priority=MOST_PRIORITY)
    assert claim_next(world.reviewer).pk == old.pk


def test_before_that_the_urgent_one_goes_first(world):
    aged(world, due_in=-(30 * POINT) + timedelta(minutes=1), priority=0, entered_ago=timedelta(days=9))
    urgent = aged(world, due_in=timedelta(), priority=30)
    assert claim_next(world.reviewer).pk == urgent.pk


@given(st.integers(-20, 60), st.integers(-20, 60), st.floats(0, 500), st.floats(0, 500), st.floats(0, 500))
def test_whatever_comes_in_after_the_bound_never_stands_before(own, others, due_hours, late_hours, sla_hours):
    """The bound of ``entries.RANK`` in plain arithmetic, over hours since the case came in."""

    def points(priority):
        return min(max(priority, LEAST_PRIORITY), MOST_PRIORITY) * MINUTES_A_POINT / 60

    def rank(due, entered, priority):
        return max(due, entered) - points(priority)

    newcomer = due_hours + points(MOST_PRIORITY) - points(own) + late_hours
    assert rank(newcomer + sla_hours, newcomer, others) >= rank(due_hours, 0, own) - 1e-6
