"""Business time: properties that hold for any calendar, zone and instant."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cases.calendars import (
    Calendar,
    Duration,
    add_business_days,
    add_working,
    at_share,
    due_at,
    is_open,
    next_opening,
    working_between,
)
from cases.opening_hours import public_holidays
from tests.cases.office_hours import EVERY_DAY, H, M, at, week

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
