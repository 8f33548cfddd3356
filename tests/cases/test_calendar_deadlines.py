"""Deadlines, pauses and shares on a calendar."""

from datetime import UTC

from cases.calendars import ALWAYS, Duration, at_share, due_at
from tests.cases.office_hours import LONDON, WEDNESDAY, H, at


def test_a_duration_on_a_calendar_is_open_time_and_on_always_clock_time():
    assert due_at(Duration(4, "hours"), WEDNESDAY, LONDON) == at("2026-11-19T11:00+00:00")
    assert due_at(Duration(240, "minutes"), WEDNESDAY, LONDON) == at("2026-11-19T11:00+00:00")
    assert due_at(Duration(4, "hours"), WEDNESDAY, ALWAYS) == at("2026-11-18T19:00+00:00")
    assert due_at(Duration(2, "business_days"), WEDNESDAY, LONDON) == at("2026-11-20T15:00+00:00")


def test_a_pause_moves_the_deadline_by_its_open_time():
    assert due_at(Duration(4, "hours"), WEDNESDAY, LONDON, paused=3 * H) == at("2026-11-19T14:00+00:00")
    assert due_at(Duration(1, "business_days"), WEDNESDAY, LONDON, paused=3 * H) == at("2026-11-20T10:00+00:00")


def test_the_callers_earlier_deadline_wins_and_no_pause_moves_it():
    earlier = at("2026-11-18T18:30+01:00")
    due = due_at(Duration(4, "hours"), WEDNESDAY, LONDON, paused=9 * H, caller_deadline=earlier)
    assert (due, due.tzinfo) == (earlier, UTC)


def test_the_callers_later_deadline_does_not_win():
    far = at("9999-12-31T23:59:59-12:00")
    assert due_at(Duration(4, "hours"), WEDNESDAY, LONDON, caller_deadline=far) == at("2026-11-19T11:00+00:00")


def test_a_callers_deadline_in_the_past_is_kept():
    past = at("2020-01-01T00:00+00:00")
    assert due_at(Duration(4, "hours"), WEDNESDAY, LONDON, caller_deadline=past) == past


def test_shares_divide_the_open_time():
    due = at("2026-11-20T15:00+00:00")  # 16 hours: 2 on Wednesday, 8 on Thursday, 6 on Friday.
    shares = {share: at_share(WEDNESDAY, due, LONDON, share) for share in (0, 0.125, 0.5, 0.8, 1, 1.25)}
    assert shares == {
        0: WEDNESDAY,
        0.125: at("2026-11-18T17:00+00:00"),
        0.5: at("2026-11-19T15:00+00:00"),
        0.8: at("2026-11-20T11:48+00:00"),
        1: due,
        1.25: at("2026-11-23T11:00+00:00"),
    }


def test_the_whole_share_is_the_deadline_even_outside_hours():
    sunday = at("2026-11-22T03:00+00:00")
    assert at_share(WEDNESDAY, sunday, LONDON, 1.0) == sunday
    assert at_share(WEDNESDAY, sunday, LONDON, 0.99) < at("2026-11-20T17:00+00:00")
    assert at_share(WEDNESDAY, sunday, LONDON, 1.01) > at("2026-11-23T09:00+00:00")


def test_a_case_that_arrives_late_reaches_every_step_at_once():
    past = WEDNESDAY - 5 * H
    assert {at_share(WEDNESDAY, past, LONDON, share) for share in (0, 0.5, 1, 2)} == {WEDNESDAY}


def test_a_deadline_before_any_open_time_warns_at_once_and_escalates_at_the_deadline():
    friday_night, saturday = at("2026-11-20T20:00+00:00"), at("2026-11-21T12:00+00:00")
    assert at_share(friday_night, saturday, LONDON, 0.5) == friday_night
    assert at_share(friday_night, saturday, LONDON, 1) == saturday
    assert at_share(friday_night, saturday, LONDON, 1.5) == saturday
