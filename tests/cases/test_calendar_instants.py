"""Business time against tables of instants that were worked out by hand."""

from datetime import UTC

import pytest

from cases.calendars import (
    ALWAYS,
    add_business_days,
    add_working,
    is_open,
    next_opening,
    working_between,
)
from tests.cases.office_hours import (
    APIA,
    EVENINGS,
    KATHMANDU,
    KOLKATA,
    LONDON,
    LONDON_ALL_DAY,
    LONDON_LUNCH,
    LONDON_NIGHT,
    LONDON_PLAIN,
    LORD_HOWE_NIGHT,
    NEW_YORK,
    NEW_YORK_2_TO_3,
    NEW_YORK_FROM_130,
    NEW_YORK_FROM_230,
    NEW_YORK_TO_130,
    OWN_DAYS,
    SANTIAGO,
    UNEVEN,
    H,
    M,
    at,
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
