"""ISO weeks on a tenant's own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.weeks import SETTLING, Week

BERLIN, KOLKATA, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
ZONES = sorted(available_timezones())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "zone", "week"),
    [
        ("2026-11-15T22:59:59", BERLIN, "2026-W46"),
        ("2026-11-15T23:00:00", BERLIN, "2026-W47"),  # Monday 00:00 there, still Sunday in UTC.
        ("2026-11-15T23:00:00", NEW_YORK, "2026-W46"),
        ("2026-11-15T18:30:00", KOLKATA, "2026-W47"),
        ("2026-12-31T12:00:00", BERLIN, "2026-W53"),
        ("2027-01-03T12:00:00", BERLIN, "2026-W53"),  # The first Sunday of January belongs to the old year.
        ("2024-12-30T12:00:00", BERLIN, "2025-W01"),  # And the last Monday of December to the new one.
    ],
)
def test_an_instant_belongs_to_the_week_that_the_tenants_calendar_shows(instant, zone, week):
    assert str(Week.of(at(instant), zone)) == week


@pytest.mark.parametrize(
    ("week", "zone", "hours"),
    [
        (Week(2026, 13), BERLIN, 167),  # Sunday 29 March: one hour less.
        (Week(2026, 43), BERLIN, 169),
        (Week(2026, 20), BERLIN, 168),
        (Week(2026, 13), KOLKATA, 168),
    ],
)
def test_a_week_with_a_clock_change_is_an_hour_shorter_or_longer(week, zone, hours):
    assert week.ends_at(zone) - week.starts_at(zone) == timedelta(hours=hours)


@given(
    instant=st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_every_instant_lies_within_its_week_and_weeks_join_without_a_gap(instant, zone):
    week = Week.of(instant, zone)
    assert week.starts_at(zone) <= instant < week.ends_at(zone)
    assert week.next().starts_at(zone) == week.ends_at(zone)
    assert week.next() > week
    assert Week.parse(str(week)) == week


def test_a_week_is_due_when_it_is_over_and_settled():
    week = Week(2026, 46)
    end = week.ends_at(BERLIN)
    assert not week.is_due(end + SETTLING - timedelta(microseconds=1), BERLIN)
    assert week.is_due(end + SETTLING, BERLIN)


@pytest.mark.parametrize("text", ["2026-W54", "2026-W00", "2026-47", "26-W01", "2026-W1", "W47", "", "２０２６-W07"])
def test_what_is_no_week_is_refused(text):
    with pytest.raises(ValueError):
        Week.parse(text)
