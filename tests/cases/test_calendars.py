"""Business time: tables of instants worked out by hand, and properties that hold for any calendar."""

import pickle
import time as stopwatch
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cases.calendars import (
    ALWAYS,
    Calendar,
    CalendarError,
    CalendarExhausted,
    CalendarInvalid,
    Duration,
    DurationInvalid,
    add_business_days,
    add_working,
    at_share,
    due_at,
    is_open,
    next_opening,
    working_between,
)
from cases.opening_hours import public_holidays


def week(*spans: str, days: range | tuple[int, ...] = range(5)) -> dict[int, tuple[tuple[time, time], ...]]:
    """``week("09:00-12:00", "13:00-24:00")``: the same spans on each of the days, Monday to Friday."""
    return {day: tuple((clock(span[:5]), clock(span[6:])) for span in spans) for day in days}


def clock(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def at(text: str) -> datetime:
    """An instant as ISO 8601 with its offset: local times stand in the tables as people read them."""
    return datetime.fromisoformat(text)


H = timedelta(hours=1)
M = timedelta(minutes=1)
EVERY_DAY = range(7)

LONDON = Calendar("Europe/London", week("09:00-17:00"), "GB", "ENG")
LONDON_PLAIN = Calendar("Europe/London", week("09:00-17:00"))
LONDON_NIGHT = Calendar("Europe/London", week("00:00-04:00", days=EVERY_DAY))
LONDON_LUNCH = Calendar("Europe/London", week("09:00-12:00", "13:00-17:00"))
LONDON_ALL_DAY = Calendar("Europe/London", week("00:00-24:00", days=EVERY_DAY))
NEW_YORK = Calendar("America/New_York", week("09:00-17:00"), "US")
NEW_YORK_2_TO_3 = Calendar("America/New_York", week("02:00-03:00", days=EVERY_DAY))
NEW_YORK_FROM_230 = Calendar("America/New_York", week("02:30-05:00", days=EVERY_DAY))
NEW_YORK_TO_130 = Calendar("America/New_York", week("00:00-01:30", days=EVERY_DAY))
NEW_YORK_FROM_130 = Calendar("America/New_York", week("01:30-04:00", days=EVERY_DAY))
KOLKATA = Calendar("Asia/Kolkata", week("09:30-18:00", days=range(6)))
KATHMANDU = Calendar("Asia/Kathmandu", week("10:00-17:00"))
LORD_HOWE_NIGHT = Calendar("Australia/Lord_Howe", week("00:00-06:00", days=EVERY_DAY))
SANTIAGO = Calendar("America/Santiago", week("00:00-02:00", days=EVERY_DAY))
APIA = Calendar("Pacific/Apia", week("09:00-17:00", days=EVERY_DAY))
EVENINGS = Calendar("Europe/Berlin", week("22:00-24:00", days=EVERY_DAY))
UNEVEN = Calendar(
    "Europe/London",
    week("09:00-18:00", days=(0,)) | week("10:00-12:00", days=(1,)) | week("08:00-12:00", "13:00-20:00", days=(2,)),
)
OWN_DAYS = Calendar(
    "Europe/London", week("09:00-17:00"), "GB", "ENG", closed={date(2026, 11, 23)}, open_anyway={date(2026, 12, 25)}
)

# 20 November 2026 is a Friday. Clocks: London back on 25 October 2026, forward on 28 March 2027; New York back on
# 1 November 2026, forward on 14 March 2027; Lord Howe by half an hour, back on 5 April and forward on 4 October 2026.
ADDING = {
    "within-a-day": (LONDON, "2026-11-18T10:00+00:00", 2 * H, "2026-11-18T12:00+00:00"),
    "ends-at-the-closing-not-the-next-opening": (LONDON, "2026-11-18T16:00+00:00", 1 * H, "2026-11-18T17:00+00:00"),
    "a-minute-past-closing-is-next-morning": (LONDON, "2026-11-18T16:00+00:00", 61 * M, "2026-11-19T09:01+00:00"),
    "before-hours-counts-from-nine": (LONDON, "2026-11-18T06:00+00:00", 1 * H, "2026-11-18T10:00+00:00"),
    "after-hours-counts-from-tomorrow": (LONDON, "2026-11-18T20:00+00:00", 1 * H, "2026-11-19T10:00+00:00"),
    "friday-evening-counts-from-monday": (LONDON, "2026-11-20T17:00+00:00", 1 * H, "2026-11-23T10:00+00:00"),
    "nothing-added-stays-even-when-closed": (LONDON, "2026-11-21T12:00+00:00", 0 * H, "2026-11-21T12:00+00:00"),
    "forty-hours-are-a-week": (LONDON, "2026-11-16T09:00+00:00", 40 * H, "2026-11-20T17:00+00:00"),
    "lunch-does-not-count": (LONDON_LUNCH, "2026-11-18T11:00+00:00", 2 * H, "2026-11-18T14:00+00:00"),
    "ends-when-lunch-begins": (LONDON_LUNCH, "2026-11-18T11:00+00:00", 1 * H, "2026-11-18T12:00+00:00"),
    "microseconds-are-kept": (LONDON, "2026-11-18T16:59:59.999999+00:00", M, "2026-11-19T09:00:59.999999+00:00"),
    # Thursday 24 December 16:00: one hour is left, then Friday Christmas, the weekend, Monday 28 for Boxing Day.
    "christmas-on-friday-boxing-day-moved-to-monday": (
        LONDON,
        "2026-12-24T16:00+00:00",
        2 * H,
        "2026-12-29T10:00+00:00",
    ),
    # Thursday 31 December, Friday 1 January off, Monday 4.
    "over-the-year-end": (LONDON, "2026-12-31T16:00+00:00", 2 * H, "2027-01-04T10:00+00:00"),
    # New Year's Day 2022 was a Saturday: federal offices closed on Friday 31 December 2021, a year earlier.
    "a-holiday-observed-in-the-year-before": (NEW_YORK, "2021-12-30T16:00-05:00", 2 * H, "2022-01-03T10:00-05:00"),
    "thanksgiving": (NEW_YORK, "2026-11-25T16:00-05:00", 2 * H, "2026-11-27T10:00-05:00"),
    "an-own-day-off": (OWN_DAYS, "2026-11-20T16:00+00:00", 2 * H, "2026-11-24T10:00+00:00"),
    "an-own-working-day-on-a-holiday": (OWN_DAYS, "2026-12-24T16:00+00:00", 2 * H, "2026-12-25T10:00+00:00"),
    # Friday 23 October is summer time, Monday 26 is not: the wall clock counts, 73 hours pass between openings.
    "london-back-over-a-weekend": (LONDON, "2026-10-23T16:00+01:00", 2 * H, "2026-10-26T10:00+00:00"),
    "new-york-forward-over-a-weekend": (NEW_YORK, "2027-03-12T16:00-05:00", 2 * H, "2027-03-15T10:00-04:00"),
    # 01:00 to 02:00 comes twice: the night from 00:00 to 04:00 has five hours.
    "a-night-with-clocks-put-back-is-longer": (LONDON_NIGHT, "2026-10-25T00:00+01:00", 5 * H, "2026-10-25T04:00+00:00"),
    # 01:00 to 02:00 is skipped: three hours.
    "a-night-with-clocks-put-forward-is-shorter": (
        LONDON_NIGHT,
        "2027-03-28T00:00+00:00",
        4 * H,
        "2027-03-29T01:00+01:00",
    ),
    "the-second-half-past-one-is-later": (LONDON_NIGHT, "2026-10-25T01:30+00:00", 1 * H, "2026-10-25T02:30+00:00"),
    # 02:00 to 03:00 does not exist on 14 March: the whole span is skipped.
    "a-span-inside-the-gap-is-skipped": (NEW_YORK_2_TO_3, "2027-03-13T02:30-05:00", 1 * H, "2027-03-15T02:30-04:00"),
    # An opening at 02:30 that does not exist is the change itself, 03:00 summer time.
    "an-opening-in-the-gap-is-the-change": (
        NEW_YORK_FROM_230,
        "2027-03-14T00:00-05:00",
        1 * H,
        "2027-03-14T04:00-04:00",
    ),
    # A closing at 01:30 is the first 01:30 (-04:00); the second is outside.
    "a-closing-that-comes-twice-is-the-first": (
        NEW_YORK_TO_130,
        "2026-11-01T01:00-04:00",
        1 * H,
        "2026-11-02T00:30-05:00",
    ),
    # An opening at 01:30 is the first one: two and a half hours by the wall until 04:00, and the one that came twice.
    "an-opening-that-comes-twice-is-the-first": (
        NEW_YORK_FROM_130,
        "2026-11-01T00:00-04:00",
        210 * M,
        "2026-11-01T04:00-05:00",
    ),
    # 02:00 (+11:00) goes back to 01:30 (+10:30): 00:00 to 06:00 has six and a half hours.
    "lord-howe-back-by-half-an-hour": (LORD_HOWE_NIGHT, "2026-04-05T00:00+11:00", 390 * M, "2026-04-05T06:00+10:30"),
    # 02:00 (+10:30) goes forward to 02:30 (+11:00): five and a half.
    "lord-howe-forward-by-half-an-hour": (LORD_HOWE_NIGHT, "2026-10-04T00:00+10:30", 330 * M, "2026-10-04T06:00+11:00"),
    "kolkata-is-five-and-a-half-ahead": (KOLKATA, "2026-11-20T03:00+00:00", 2 * H, "2026-11-20T06:00+00:00"),
    "kolkata-works-on-saturday": (KOLKATA, "2026-11-20T17:30+05:30", 1 * H, "2026-11-21T10:00+05:30"),
    "kathmandu-is-five-and-three-quarters-ahead": (
        KATHMANDU,
        "2026-11-20T00:00+00:00",
        1 * H,
        "2026-11-20T05:15+00:00",
    ),
    # In Santiago the clocks go from 24:00 to 01:00: Sunday 6 September 2026 starts at 01:00, with one hour.
    "a-midnight-that-does-not-exist": (SANTIAGO, "2026-09-05T12:00-04:00", 2 * H, "2026-09-07T01:00-03:00"),
    # Samoa had no 30 December 2011: it crossed the date line.
    "a-day-that-does-not-exist": (APIA, "2011-12-29T16:00-10:00", 2 * H, "2011-12-31T10:00+14:00"),
    "an-end-of-24-00-is-midnight": (EVENINGS, "2026-11-20T23:00+01:00", 1 * H, "2026-11-21T00:00+01:00"),
    "clock-time-never-stops": (ALWAYS, "2026-12-24T23:00+00:00", 48 * H, "2026-12-26T23:00+00:00"),
    "clock-time-over-a-leap-day": (ALWAYS, "2028-02-28T12:00+00:00", 48 * H, "2028-03-01T12:00+00:00"),
    "hours-on-a-day-of-25-are-clock-hours": (
        LONDON_ALL_DAY,
        "2026-10-25T00:00+01:00",
        24 * H,
        "2026-10-25T23:00+00:00",
    ),
    # 1,000 hours are 125 days of 8: 25 weeks from Monday 5 January 2026 without holidays is Friday 26 June, closing.
    "a-thousand-hours": (LONDON_PLAIN, "2026-01-05T09:00+00:00", 1000 * H, "2026-06-26T17:00+01:00"),
    "the-start-may-be-told-in-any-zone": (LONDON, "2026-11-18T19:00+09:00", 2 * H, "2026-11-18T12:00+00:00"),
}


@pytest.mark.parametrize(("calendar", "start", "amount", "expected"), ADDING.values(), ids=ADDING)
def test_open_time_passes_as_worked_out_by_hand(calendar, start, amount, expected):
    found = add_working(calendar, at(start), amount)
    assert found == at(expected)
    assert found.tzinfo is UTC
    assert working_between(calendar, at(start), found) == amount


BUSINESS_DAYS = {
    "tuesday-to-wednesday": (LONDON, "2026-11-17T11:00+00:00", 1, "2026-11-18T11:00+00:00"),
    "friday-to-monday": (LONDON, "2026-11-20T16:00+00:00", 1, "2026-11-23T16:00+00:00"),
    "friday-at-closing-counts-from-monday-opening": (LONDON, "2026-11-20T17:00+00:00", 1, "2026-11-24T09:00+00:00"),
    "sunday-counts-from-monday-opening": (LONDON, "2026-11-22T12:00+00:00", 1, "2026-11-24T09:00+00:00"),
    "before-hours-counts-from-the-same-opening": (LONDON, "2026-11-18T07:00+00:00", 1, "2026-11-19T09:00+00:00"),
    "five-days-are-a-week": (LONDON, "2026-11-18T11:00+00:00", 5, "2026-11-25T11:00+00:00"),
    "over-christmas-and-boxing-day": (LONDON, "2026-12-24T11:00+00:00", 1, "2026-12-29T11:00+00:00"),
    "over-the-year-end": (LONDON, "2026-12-31T11:00+00:00", 2, "2027-01-05T11:00+00:00"),
    "same-wall-clock-when-clocks-go-back": (LONDON, "2026-10-23T11:00+01:00", 1, "2026-10-26T11:00+00:00"),
    "none-is-the-start-when-open": (LONDON, "2026-11-18T11:00+00:00", 0, "2026-11-18T11:00+00:00"),
    "none-is-the-next-opening-when-closed": (LONDON, "2026-11-21T11:00+00:00", 0, "2026-11-23T09:00+00:00"),
    # Monday is open until 18:00, Tuesday 10:00 to 12:00, Wednesday with a break from 12:00 to 13:00.
    "too-late-for-a-short-day-is-its-closing": (UNEVEN, "2026-11-16T16:00+00:00", 1, "2026-11-17T12:00+00:00"),
    "too-early-for-a-short-day-is-its-opening": (UNEVEN, "2026-11-16T09:15+00:00", 1, "2026-11-17T10:00+00:00"),
    "in-a-break-is-the-end-of-the-break": (UNEVEN, "2026-11-16T12:30+00:00", 2, "2026-11-18T13:00+00:00"),
    "days-without-hours-do-not-count": (UNEVEN, "2026-11-18T19:00+00:00", 1, "2026-11-23T18:00+00:00"),
    # 02:45 on Saturday; on Sunday 14 March 02:45 does not exist and is the change, 03:00 summer time.
    "a-wall-clock-time-in-the-gap": (NEW_YORK_FROM_230, "2027-03-13T02:45-05:00", 1, "2027-03-14T03:00-04:00"),
    # Sunday 14 March has no hours at all (02:00 to 03:00 is skipped), so Monday is the next open day.
    "a-day-whose-hours-are-skipped-is-not-open": (
        NEW_YORK_2_TO_3,
        "2027-03-13T02:45-05:00",
        1,
        "2027-03-15T02:45-04:00",
    ),
    "clock-time-has-days-of-24-hours": (ALWAYS, "2026-12-31T23:00+00:00", 3, "2027-01-03T23:00+00:00"),
    # 2027 has 261 weekdays: from Friday 1 January (itself one) 260 days on is Friday 31 December.
    "a-year-of-weekdays": (LONDON_PLAIN, "2027-01-01T10:00+00:00", 260, "2027-12-31T10:00+00:00"),
}


@pytest.mark.parametrize(("calendar", "start", "days", "expected"), BUSINESS_DAYS.values(), ids=BUSINESS_DAYS)
def test_business_days_pass_as_worked_out_by_hand(calendar, start, days, expected):
    assert add_business_days(calendar, at(start), days) == at(expected)


BETWEEN = {
    "a-full-day": (LONDON, "2026-11-18T00:00+00:00", "2026-11-19T00:00+00:00", 8 * H),
    "a-weekend-is-nothing": (LONDON, "2026-11-20T17:00+00:00", "2026-11-23T09:00+00:00", 0 * H),
    "both-outside-hours": (LONDON, "2026-11-20T20:00+00:00", "2026-11-23T12:00+00:00", 3 * H),
    "backwards-is-nothing": (LONDON, "2026-11-19T12:00+00:00", "2026-11-18T12:00+00:00", 0 * H),
    # 2026 has 261 weekdays, and in England 8 bank holidays, of which Boxing Day's substitute is one, fall on weekdays.
    "a-year-in-england": (LONDON, "2026-01-01T00:00+00:00", "2027-01-01T00:00+00:00", 253 * 8 * H),
    # 2021 to 2030 are 521 weeks and five days, Friday to Tuesday, of which three are weekdays: 2,608.
    "ten-years": (LONDON_PLAIN, "2021-01-01T00:00+00:00", "2031-01-01T00:00+00:00", 2608 * 8 * H),
    "a-day-of-25-hours": (LONDON_ALL_DAY, "2026-10-25T00:00+01:00", "2026-10-26T00:00+00:00", 25 * H),
    "a-day-of-23-hours": (LONDON_ALL_DAY, "2027-03-28T00:00+00:00", "2027-03-29T00:00+01:00", 23 * H),
}


@pytest.mark.parametrize(("calendar", "start", "end", "expected"), BETWEEN.values(), ids=BETWEEN)
def test_open_time_is_measured_as_counted_by_hand(calendar, start, end, expected):
    assert working_between(calendar, at(start), at(end)) == expected


OPENINGS = {
    "open-at-the-opening": (LONDON, "2026-11-18T09:00+00:00", "2026-11-18T09:00+00:00"),
    "closed-at-the-closing": (LONDON, "2026-11-18T17:00+00:00", "2026-11-19T09:00+00:00"),
    "closed-in-the-break": (LONDON_LUNCH, "2026-11-18T12:00+00:00", "2026-11-18T13:00+00:00"),
    "open-from-lunch": (LONDON_LUNCH, "2026-11-18T13:00+00:00", "2026-11-18T13:00+00:00"),
    "closed-on-a-holiday": (LONDON, "2026-12-25T12:00+00:00", "2026-12-29T09:00+00:00"),
    "open-on-a-holiday-of-our-own": (OWN_DAYS, "2026-12-25T12:00+00:00", "2026-12-25T12:00+00:00"),
    "open-over-midnight": (LONDON_ALL_DAY, "2026-11-19T00:00+00:00", "2026-11-19T00:00+00:00"),
    "the-second-half-past-one-is-closed": (NEW_YORK_TO_130, "2026-11-01T01:15-05:00", "2026-11-02T00:00-05:00"),
    "closed-on-new-years-eve-after-work": (LONDON, "2026-12-31T18:00+00:00", "2027-01-04T09:00+00:00"),
}


@pytest.mark.parametrize(("calendar", "moment", "opening"), OPENINGS.values(), ids=OPENINGS)
def test_the_next_opening_is_now_or_the_first_after(calendar, moment, opening):
    assert next_opening(calendar, at(moment)) == at(opening)
    assert is_open(calendar, at(moment)) == (moment == opening)


# --- deadlines ---------------------------------------------------------------------------------------------------

WEDNESDAY = at("2026-11-18T15:00+00:00")


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


# --- what is refused ---------------------------------------------------------------------------------------------

NINE, NOON, FIVE = time(9), time(12), time(17)

REFUSED = {
    "no-hours": ({"hours": {}}, "never open"),
    "only-empty-days": ({"hours": {0: ()}}, "never open"),
    "zero-length": ({"hours": {0: ((NINE, NINE),)}}, "some time between"),
    "backwards": ({"hours": {4: ((time(22), time(6)),)}}, "split hours"),
    "overlap": ({"hours": {1: ((NINE, FIVE), (NOON, time(20)))}}, "overlap, before and after 12:00"),
    "twice-the-same": ({"hours": {1: ((NINE, FIVE), (NINE, FIVE))}}, "overlap"),
    "inside-a-whole-day": ({"hours": {1: ((time(0), time(0)), (NINE, FIVE))}}, "overlap"),
    "seconds": ({"hours": {0: ((NINE, time(23, 59, 59)),)}}, "whole minutes"),
    "zoned-time": ({"hours": {0: ((NINE, time(17, tzinfo=UTC)),)}}, "local time"),
    "text-for-a-time": ({"hours": {0: (("09:00", "17:00"),)}}, "local time"),
    "one-time-alone": ({"hours": {0: (NINE,)}}, "opening and a closing"),
    "eighth-day": ({"hours": {7: ((NINE, FIVE),)}}, "7 is no weekday"),
    "text-for-a-day": ({"hours": {"0": ((NINE, FIVE),)}}, "no weekday"),
    "unknown-zone": ({"time_zone": "Europe/Londres"}, "no IANA time zone"),
    "empty-zone": ({"time_zone": ""}, "no IANA time zone"),
    "path-for-a-zone": ({"time_zone": "../../etc/passwd"}, "no IANA time zone"),
    "the-machines-own-zone": ({"time_zone": "localtime"}, "no IANA time zone"),
    "unknown-country": ({"country": "XX"}, "not known"),
    "class-for-a-country": ({"country": "HolidayBase"}, "not known"),
    "unknown-part": ({"country": "GB", "subdivision": "CA"}, "GB has no part 'CA'"),
    "part-without-country": ({"subdivision": "ENG"}, "part of no country"),
    "closed-and-open": ({"closed": {date(2026, 12, 1)}, "open_anyway": {date(2026, 12, 1)}}, "choose one"),
    "open-on-a-day-without-hours": ({"open_anyway": {date(2026, 11, 21)}}, "Saturdays have no hours"),
    "text-for-a-date": ({"closed": {"2026-12-01"}}, "not a date"),
    "instant-for-a-date": ({"closed": {datetime(2026, 12, 1)}}, "not a date"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_calendar_that_cannot_be_meant_is_refused_with_a_reason(change, reason):
    with pytest.raises(CalendarInvalid, match=reason):
        Calendar(**({"time_zone": "Europe/London", "hours": week("09:00-17:00")} | change))


@pytest.mark.parametrize("amount", [0, -1, 1.5, True, "4"])
def test_a_duration_is_a_whole_number_from_one(amount):
    with pytest.raises(DurationInvalid):
        Duration(amount, "hours")


def test_a_duration_has_a_known_unit():
    with pytest.raises(DurationInvalid, match="fortnights"):
        Duration(1, "fortnights")


@pytest.mark.parametrize("share", [-0.1, float("nan"), float("inf")])
def test_a_share_is_a_finite_number_from_zero(share):
    with pytest.raises(DurationInvalid):
        at_share(WEDNESDAY, WEDNESDAY + H, LONDON, share)


def test_negative_amounts_are_refused():
    with pytest.raises(DurationInvalid):
        add_working(LONDON, WEDNESDAY, -H)
    with pytest.raises(DurationInvalid):
        add_business_days(LONDON, WEDNESDAY, -1)
    with pytest.raises(DurationInvalid):
        due_at(Duration(1, "hours"), WEDNESDAY, LONDON, paused=-H)


@pytest.mark.parametrize(
    "ask",
    [
        lambda naive: is_open(LONDON, naive),
        lambda naive: next_opening(LONDON, naive),
        lambda naive: add_working(LONDON, naive, H),
        lambda naive: add_working(LONDON, naive, 0 * H),
        lambda naive: add_business_days(LONDON, naive, 1),
        lambda naive: working_between(LONDON, naive, WEDNESDAY),
        lambda naive: working_between(LONDON, WEDNESDAY, naive),
        lambda naive: due_at(Duration(1, "hours"), WEDNESDAY, LONDON, caller_deadline=naive),
        lambda naive: at_share(naive, WEDNESDAY, LONDON, 0.5),
    ],
)
def test_a_naive_time_is_refused_everywhere(ask):
    with pytest.raises(CalendarError, match="no time zone"):
        ask(datetime(2026, 11, 18, 12))


def test_a_calendar_that_closes_for_ten_years_opens_again():
    days = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(3652))
    closed = Calendar("Europe/London", week("09:00-17:00"), closed=days)
    assert next_opening(closed, WEDNESDAY) == at("2036-01-01T09:00+00:00")


def test_a_calendar_that_closes_for_ever_gives_up_with_a_reason():
    days = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(366 * 40))
    closed = Calendar("Europe/London", week("09:00-17:00"), closed=days)
    for ask in (
        lambda: next_opening(closed, WEDNESDAY),
        lambda: add_working(closed, WEDNESDAY, H),
        lambda: add_business_days(closed, WEDNESDAY, 1),
    ):
        with pytest.raises(CalendarExhausted, match="within 30 years"):
            ask()
    assert not is_open(closed, WEDNESDAY)
    assert working_between(closed, WEDNESDAY, WEDNESDAY + 24 * H) == 0 * H


@pytest.mark.parametrize(
    "ask",
    [
        lambda: add_working(LONDON, WEDNESDAY, timedelta.max),
        lambda: due_at(Duration(10**30, "hours"), WEDNESDAY, LONDON),
        lambda: due_at(Duration(10**30, "business_days"), WEDNESDAY, LONDON),
        lambda: at_share(WEDNESDAY, WEDNESDAY + 24 * H, LONDON, 1e300),
        lambda: working_between(LONDON, WEDNESDAY, at("9990-01-01T00:00+00:00")),
        lambda: next_opening(LONDON, at("9999-12-31T23:59:59+00:00")),
        lambda: is_open(NEW_YORK, at("0001-01-01T00:00:00+00:00")),
        lambda: due_at(Duration(1, "hours"), WEDNESDAY, LONDON, caller_deadline=at("0001-01-01T00:00:00+14:00")),
    ],
)
def test_out_of_reach_is_an_error_and_never_a_long_search(ask):
    with pytest.raises(CalendarExhausted):
        ask()


# --- what a calendar is ------------------------------------------------------------------------------------------


def test_calendars_are_values():
    same = Calendar("Europe/London", {day: [(NINE, FIVE)] for day in range(5)}, "GB", "ENG")
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


# --- properties --------------------------------------------------------------------------------------------------

# The first example of a country loads its holidays; how fast things are is tested above.
UNHURRIED = settings(deadline=None)

ZONES = ["UTC", "Europe/London", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe"]
ZONES += ["America/Santiago", "Pacific/Apia", "Pacific/Chatham", "Africa/Casablanca", "America/Havana", "Asia/Tehran"]


@st.composite
def days_of_spans(draw) -> tuple[tuple[time, time], ...]:
    edges = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple((time(start // 60, start % 60), time(end // 60 % 24, end % 60)) for start, end in pairs)


def _minute(at: time | datetime) -> int:
    return at.hour * 60 + at.minute


@st.composite
def calendars(draw) -> Calendar:
    hours = draw(st.dictionaries(st.integers(0, 6), days_of_spans(), min_size=1))
    closings = sum(_minute(end) or 1440 for spans in hours.values() for _, end in spans)
    openings = sum(_minute(start) for spans in hours.values() for start, _ in spans)
    assume(closings - openings >= 60)  # An hour a week: with less, the amounts below would take more than the horizon.
    country, subdivision = draw(st.sampled_from([("", ""), ("GB", "ENG"), ("US", ""), ("IN", ""), ("JP", "")]))
    closed = draw(st.frozensets(st.dates(date(2024, 1, 1), date(2028, 12, 31)), max_size=5))
    return Calendar(draw(st.sampled_from(ZONES)), hours, country, subdivision, closed)


INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
# Beside changes of clocks, where the mistakes live.
NEAR_CHANGES = st.builds(
    lambda day, minutes: at(f"{day}T00:00+00:00") + timedelta(minutes=minutes),
    st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-04", "2026-10-25", "2026-11-01"]),
    st.integers(-1440, 2880),
)
MOMENTS = INSTANTS | NEAR_CHANGES
AMOUNTS = st.integers(0, 200 * 3600 * 10**6).map(lambda micro: timedelta(microseconds=micro))


@UNHURRIED
@given(calendars(), MOMENTS, AMOUNTS)
def test_what_was_added_can_be_measured(calendar, start, amount):
    end = add_working(calendar, start, amount)
    assert working_between(calendar, start, end) == amount


@UNHURRIED
@given(calendars(), MOMENTS, AMOUNTS, AMOUNTS)
def test_more_time_never_ends_earlier_and_adding_twice_is_adding_the_sum(calendar, start, one, other):
    first = add_working(calendar, start, one)
    both = add_working(calendar, first, other)
    assert start <= first <= both == add_working(calendar, start, one + other)


@UNHURRIED
@given(calendars(), MOMENTS, MOMENTS, AMOUNTS)
def test_a_later_start_never_ends_earlier(calendar, one, other, amount):
    assume(amount)
    one, other = sorted((one, other))
    assert add_working(calendar, one, amount) <= add_working(calendar, other, amount)


@UNHURRIED
@given(calendars(), MOMENTS, AMOUNTS)
def test_open_time_ends_within_hours_or_at_a_closing(calendar, start, amount):
    assume(amount)
    end = add_working(calendar, start, amount)
    assert is_open(calendar, end - timedelta(microseconds=1))


@UNHURRIED
@given(calendars(), MOMENTS)
def test_nothing_is_open_before_the_next_opening(calendar, start):
    opening = next_opening(calendar, start)
    assert opening >= start
    assert is_open(calendar, opening)
    assert working_between(calendar, start, opening) == timedelta()


@UNHURRIED
@given(calendars(), MOMENTS, MOMENTS, MOMENTS)
def test_open_time_adds_up(calendar, one, two, three):
    one, two, three = sorted((one, two, three))
    parts = working_between(calendar, one, two) + working_between(calendar, two, three)
    assert parts == working_between(calendar, one, three)
    assert timedelta() <= parts <= three - one


@UNHURRIED
@given(calendars(), MOMENTS, st.integers(1, 60), st.floats(0, 1, exclude_max=True), st.integers(0, 60 * 24 * 30))
def test_to_pause_and_resume_is_to_shift(calendar, opened, hours, share, pause):
    stop = add_working(calendar, opened, hours * H * share)
    resume = stop + pause * M
    left = hours * H - working_between(calendar, opened, stop)
    paused = working_between(calendar, stop, resume)
    assume(left)
    assert due_at(Duration(hours, "hours"), opened, calendar, paused=paused) == add_working(calendar, resume, left)


@UNHURRIED
@given(calendars(), MOMENTS, st.integers(1, 30), st.integers(1, 30))
def test_business_days_are_monotonic_and_end_in_hours(calendar, start, few, more):
    few, more = sorted((few, more))
    first, second = add_business_days(calendar, start, few), add_business_days(calendar, start, more)
    assert start < first <= second
    for end in (first, second):
        assert is_open(calendar, end) or is_open(calendar, end - timedelta(microseconds=1))


SHARES = st.floats(0, 3) | st.sampled_from([0.9999999999999999, 1.0, 1.0000000000000002])


@UNHURRIED
@given(calendars(), MOMENTS, st.integers(1, 100 * 60), SHARES, SHARES)
def test_a_larger_share_never_comes_earlier_even_for_a_deadline_outside_hours(calendar, opened, minutes, one, other):
    one, other = sorted((one, other))
    due = due_at(Duration(100, "hours"), opened, calendar, caller_deadline=opened + minutes * M)
    assert opened <= at_share(opened, due, calendar, one) <= at_share(opened, due, calendar, other)
    assert at_share(opened, due, calendar, 1) == due


@UNHURRIED
@given(calendars(), NEAR_CHANGES)
def test_open_agrees_with_the_wall_clock_except_where_it_shows_a_time_twice(calendar, moment):
    zone = ZoneInfo(calendar.time_zone)
    local = moment.astimezone(zone)
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    around = (local - timedelta(hours=2), local + timedelta(hours=2))
    assume(first == second and all(day.utcoffset() == first for day in around))
    off = calendar.closed | public_holidays(calendar.country, calendar.subdivision, local.year)
    spans = calendar.hours.get(local.weekday(), ())
    inside = any(_minute(start) <= _minute(local) < (_minute(end) or 1440) for start, end in spans)
    assert is_open(calendar, moment) == (inside and local.date() not in off)


def test_a_calendar_that_is_open_all_day_is_open_at_every_instant_in_every_zone():
    start, end = at("2025-12-31T12:00Z"), at("2027-01-02T12:00Z")
    for zone in available_timezones() - {"localtime", "Factory"}:
        assert working_between(Calendar(zone, week("00:00-24:00", days=EVERY_DAY)), start, end) == end - start, zone
