"""The steps of an SLA as pure rules: which comes next, and when its share is reached."""

from datetime import UTC, datetime, time, timedelta

import pytest

from cases.calendars import ALWAYS, Calendar
from queues.steps import LAST_SHARE, STANDARD, Clock, Step, StepKind, looked_at_next, next_steps

K = StepKind
NOON = datetime(2027, 5, 7, 12, tzinfo=UTC)  # a Friday
HOUR = timedelta(hours=1)
OFFICE = Calendar("UTC", {day: ((time(9), time(17)),) for day in range(5)})


def shares_of(steps: tuple[Step, ...], until: int) -> list[int]:
    found, share = [], 0
    while (ahead := next_steps(steps, share)) and ahead[0] <= until:
        share = ahead[0]
        found.append(share)
    return found


def test_the_standard_warns_notifies_escalates_and_escalates_again_every_half():
    assert shares_of(STANDARD, 300) == [50, 80, 100, 150, 200, 250, 300]
    assert next_steps(STANDARD, 80) == (100, (K.ESCALATE,))


def test_no_case_is_spoken_of_for_ever():
    assert shares_of(STANDARD, 10**6)[-1] == LAST_SHARE
    assert next_steps(STANDARD, LAST_SHARE) is None
    assert next_steps((Step(50, K.WARN),), 50) is None


def test_steps_of_one_share_come_in_the_order_in_which_a_case_is_told_of_before_it_moves():
    steps = (Step(100, K.ESCALATE), Step(100, K.RAISE_PRIORITY), Step(50, K.WARN, again_every=50))
    assert next_steps(steps, 50) == (100, (K.RAISE_PRIORITY, K.WARN, K.ESCALATE))


def test_a_step_comes_again_no_oftener_than_every_tenth():
    assert shares_of((Step(100, K.NOTIFY, again_every=1),), 140) == [100, 110, 120, 130, 140]


@pytest.mark.parametrize(
    ("start", "due", "calendar", "share", "reached"),
    [
        (NOON, NOON + 4 * HOUR, ALWAYS, 50, NOON + 2 * HOUR),
        (NOON, NOON + 4 * HOUR, ALWAYS, 100, NOON + 4 * HOUR),
        (NOON, NOON + 4 * HOUR, ALWAYS, 150, NOON + 6 * HOUR),
        # Eight office hours from Friday noon: five until 17:00, three on Monday.
        (NOON, NOON + 72 * HOUR, OFFICE, 50, NOON + 4 * HOUR),
        (NOON, NOON + 72 * HOUR, OFFICE, 80, datetime(2027, 5, 10, 10, 24, tzinfo=UTC)),
        (NOON, NOON + 72 * HOUR, OFFICE, 150, datetime(2027, 5, 10, 16, tzinfo=UTC)),
        # A deadline of a minute, and one that was missed before: what follows comes every quarter of an hour.
        (NOON, NOON + HOUR / 60, ALWAYS, 150, NOON + 16 * HOUR / 60),
        (NOON, NOON - HOUR, ALWAYS, 50, NOON),
        (NOON, NOON - HOUR, ALWAYS, 100, NOON),
        (NOON, NOON - HOUR, ALWAYS, 150, NOON + HOUR / 4),
    ],
)
def test_a_share_is_reached_when_so_much_open_time_has_passed(start, due, calendar, share, reached):
    assert Clock(start, due, calendar).reaches(share) == reached


def test_a_share_that_lies_beyond_all_time_is_never_reached():
    assert Clock(NOON, NOON.replace(year=2050), ALWAYS).reaches(LAST_SHARE) is None


def test_the_next_look_is_at_the_next_step_or_at_the_unmarked_deadline():
    clock = Clock(NOON, NOON + 4 * HOUR, ALWAYS)
    assert looked_at_next(STANDARD, 0, clock, is_missed=False) == NOON + 2 * HOUR
    only_late = (Step(200, K.NOTIFY),)
    assert looked_at_next(only_late, 0, clock, is_missed=False) == NOON + 4 * HOUR
    assert looked_at_next(only_late, 0, clock, is_missed=True) == NOON + 8 * HOUR
    assert looked_at_next(only_late, 200, clock, is_missed=True) is None
