"""Calendars are values, and quick."""

import pickle
import time as stopwatch
from datetime import time

from cases.calendars import Calendar, add_working
from tests.cases.office_hours import LONDON, LONDON_PLAIN, WEDNESDAY, H, week


def test_calendars_are_values():
    same = Calendar("Europe/London", {day: [(time(9), time(17))] for day in range(5)}, "GB", "ENG")
    assert same == LONDON
    assert hash(same) == hash(LONDON)
    assert pickle.loads(pickle.dumps(same)) == LONDON
    assert same != LONDON_PLAIN


def test_a_calendar_does_not_change_with_the_mapping_it_was_made_from():
    hours = week("09:00-17:00")
    calendar = Calendar("Europe/London", hours)
    hours.clear()
    assert calendar == LONDON_PLAIN


def test_a_thousand_business_hours_take_less_than_five_milliseconds():
    times = []
    for minute in range(5):  # A calendar of its own each time: none of its years is known yet.
        calendar = Calendar("Europe/London", week(f"09:{minute:02}-17:{minute:02}"), "GB", "ENG")
        begin = stopwatch.perf_counter()
        add_working(calendar, WEDNESDAY, 1000 * H)
        times.append(stopwatch.perf_counter() - begin)
    assert min(times) < 0.005
