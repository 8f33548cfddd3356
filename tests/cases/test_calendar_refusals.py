"""Calendars, durations and instants that cannot be meant, and those out of reach."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from cases.calendars import (
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
from tests.cases.office_hours import LONDON, NEW_YORK, WEDNESDAY, H, at, week

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
