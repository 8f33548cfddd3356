"""Days and hours say the same, whatever the window and however clocks are set."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from cases.clock import db_now, pretend_now
from cases.models import Case
from feedback.metrics import rollups
from feedback.metrics.behind import facts_behind
from feedback.metrics.overview import load_by_hour
from feedback.metrics.reading import Period, Question, figures, full_hours, percentiles, read_sums
from feedback.models import MetricDay, MetricHour, MetricMark, MetricState
from tests.feedback import brute
from tests.worlds import SURE, World, make_world

CHANGES = [
    pytest.param("Europe/Berlin", datetime(2027, 3, 28, 1, tzinfo=UTC), id="an hour is skipped"),
    pytest.param("Europe/Berlin", datetime(2027, 10, 31, 1, tzinfo=UTC), id="an hour comes twice"),
    pytest.param("America/Havana", datetime(2027, 3, 14, 5, tzinfo=UTC), id="a midnight is skipped"),
    pytest.param("America/Havana", datetime(2027, 11, 7, 5, tzinfo=UTC), id="a midnight comes twice"),
    pytest.param("Australia/Lord_Howe", datetime(2027, 10, 2, 15, 30, tzinfo=UTC), id="half an hour is skipped"),
    pytest.param("Australia/Lord_Howe", datetime(2027, 4, 3, 15, tzinfo=UTC), id="half an hour comes twice"),
    pytest.param("Asia/Kolkata", datetime(2027, 4, 3, 18, 30, tzinfo=UTC), id="hours at half past"),
]
AROUND = timedelta(hours=60)


def hours_around(zone: str, at: datetime) -> list[tuple[datetime, date, int]]:
    """Each hour of five days, the day that it is of and its number in it, as PostgreSQL has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT hour, (hour AT TIME ZONE %(zone)s)::date, "
            "extract(hour FROM hour AT TIME ZONE %(zone)s)::int FROM (SELECT date_trunc('hour', at, %(zone)s) "
            "FROM generate_series(%(start)s::timestamptz, %(end)s, interval '10 minutes') at) of (hour) ORDER BY 1",
            {"zone": zone, "start": at - AROUND, "end": at + AROUND},
        )
        return cursor.fetchall()


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "at"), CHANGES)
def test_no_hour_is_read_twice_or_left_out_whatever_the_window(zone, at):
    world = make_world(time_zone=zone)
    MetricState.objects.create(tenant=world.tenant, time_zone=zone, refreshed_at=db_now())
    hours = hours_around(zone, at)
    MetricHour.objects.bulk_create(
        MetricHour(tenant=world.tenant, hour=hour, dimension="all", domain="billing", key="", opened=1, **took(number))
        for number, (hour, *_) in enumerate(hours)
    )
    rollups.rebuild_days(world.tenant.pk, zone)
    kept = MetricDay.objects.values_list("opened", flat=True)
    assert sum(kept) == len(hours)
    assert max(kept) >= 24
    draw = random.Random(zone)
    edges = [hour for hour, *_ in hours]
    begins = {day: hour for hour, day, _ in reversed(hours)}
    changing = [number for number, hour in enumerate(edges) if abs(hour - at) < timedelta(hours=5)]
    windows = [sorted(draw.sample(range(len(edges)), 2)) for _ in range(25)]
    windows += [sorted(draw.sample(changing, 2)) for _ in range(15)]
    for first, beyond in windows:
        asked = Question(world.tenant.pk, zone, edges[first], edges[beyond])
        inside = hours[first:beyond]
        assert read_sums(asked, ["opened"]) == {(None, None): {"opened": len(inside)}}
        by_day = read_sums(replace(asked, period=Period.DAY), ["opened"])
        assert load_by_hour(asked) == Counter((day.isoweekday(), of_day) for _, day, of_day in inside)
        days = Counter(day for _, day, _ in inside)
        assert [sums["opened"] for sums in by_day.values()] == [days[day] for day in sorted(days)]
        whole = {begins[day] for day in days} - {begins[hours[0][1]]}
        assert {start for start, _ in by_day} >= whole
        values = [value for number in range(first, beyond) for value in took(number)["handling_values"]]
        assert percentiles(asked)[None, None] == (brute.rank(values, 0.5), brute.rank(values, 0.9))


def took(number: int) -> dict:
    values = sorted((number * 37 + step * 11) % 60 for step in range(1 + number % 3))
    return {"handling_values": values, "handled": len(values), "handling_seconds": sum(values)}


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "at"), CHANGES[:-1])
def test_facts_around_a_change_of_clocks_count_once_in_their_hour_and_day(zone, at):
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, time_zone=zone)
    for minutes in range(-90, 150, 20):
        with pretend_now(at + timedelta(minutes=minutes)):
            world.submit(signals=SURE)
    with pretend_now(at + timedelta(days=1)):
        rollups.refresh()
        assert_right(world, zone, at)
        for case in Case.objects.order_by("?"):  # One hour after the other, beside those that stay.
            MetricMark.objects.create(case=case, due_at=db_now())
            rollups.refresh()
        assert_right(world, zone, at)


def assert_right(world: World, zone: str, at: datetime) -> None:
    assert rollups.compare(world.tenant) == []
    opened = list(Case.objects.values_list("opened_at", flat=True))
    start, end = full_hours(at - timedelta(days=3), at + timedelta(days=3), zone)
    asked = Question(world.tenant.pk, zone, start, end)
    by_day = figures(replace(asked, period=Period.DAY), ["escalation_rate"])
    local = ZoneInfo(zone)
    assert {figure.at.astimezone(local).date(): figure.below for figure in by_day} == Counter(
        when.astimezone(local).date() for when in opened
    )
    found, _ = facts_behind(asked, ("opened",))
    assert [fact.at for fact in found] == sorted(opened, reverse=True)
    for slot, n in load_by_hour(asked).items():
        assert len(facts_behind(asked, ("opened",), slot=slot)[0]) == n
