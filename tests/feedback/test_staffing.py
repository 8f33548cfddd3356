"""Staffing: the forecast's interval, people by their hours, and the two against each other on a page."""

import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now, pretend_now
from cases.models import Membership
from cases.models.people import system_actor
from cases.vocabulary import Role
from feedback.models import MetricHour
from feedback.services.expected_load import TOTAL, expected_load
from feedback.staffing.balance import BUSY, balance
from feedback.staffing.forecast import Expected, Season, Seen, forecast
from queues.models import BusinessCalendar, Queue, Reviewer, ReviewerSkill, Skill
from queues.services.rota import presence
from queues.services.setup import create_queue
from tests.feedback.test_insights_page import look
from tests.worlds import World, make_world

PAGE = "/admin/staffing/"
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


# --- the forecast ---------------------------------------------------------------------------------------------------


def poisson(rng: random.Random, mean: float) -> int:
    limit, k, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        k, product = k + 1, product * rng.random()
    return k


@pytest.mark.parametrize("shape", [None, 2.0])  # None: a Poisson process; else its mean varies by a gamma of this shape
def test_of_coming_counts_as_many_lie_within_the_interval_as_it_states(shape):
    rng, seasons, held = random.Random(5), 8, []
    for _ in range(12):
        means = [rng.choice([0.3, 2.0, 6.0, 15.0]) for _ in range(24)]

        def drawn(mean: float) -> int:
            return poisson(rng, mean if shape is None else rng.gammavariate(shape, mean / shape))

        counts = [[drawn(mean) for _ in range(seasons)] for mean in means]
        seen = {slot: Seen(sum(row), sum(n * n for n in row)) for slot, row in enumerate(counts)}
        usual = {slot: sum(row) / seasons for slot, row in enumerate(counts)}
        expected = forecast(seen, slots=24, seasons=seasons, usual=usual)
        held += [
            one.low <= drawn(mean) <= one.high for one, mean in zip(expected, means, strict=True) for _ in range(5)
        ]
    assert 0.92 <= sum(held) / len(held) <= 0.995


def test_the_mean_is_that_of_the_slot_and_a_silent_slot_is_not_promised_to_stay_silent():
    found = forecast({0: Seen(80, 850)}, slots=2, seasons=8, usual={0: 10.0, 1: 1.0})
    assert (found[0].mean, found[1].mean) == (10.0, pytest.approx(1 / 9))
    assert found[1].high >= 1


@pytest.mark.parametrize(
    ("hours", "season"),
    [
        (0, (Season.HOUR, 1)),
        (30, (Season.HOUR, 30)),
        (48, (Season.DAY, 2)),
        (335, (Season.DAY, 13)),
        (336, (Season.WEEK, 2)),
        (5000, (Season.WEEK, 8)),
    ],
)
def test_the_season_is_the_longest_that_was_seen_twice(hours, season):
    assert Season.for_history(hours) == season


def test_what_is_not_done_in_its_hour_waits_for_those_who_come():
    found = balance(
        [MONDAY + number * HOUR for number in range(3)],
        [Expected(4.0, 4.0)] * 3,
        [0, 2, 2],
        [0, 0, 0],
        seconds_per_case=900,
        waiting=2,
    )
    assert [hour.work for hour in found] == [1.0] * 3
    assert [hour.is_short for hour in found] == [True, False, False]
    assert [round(hour.left, 6) for hour in found] == [1.5, max(0.0, round(2.5 - 2 * BUSY, 6)), round(0.8 + 1 - 1.7, 6)]
    assert found[0].needed == 2
    unknown = balance([MONDAY], [Expected(4.0, 4.0)], [1], [0], seconds_per_case=None, waiting=2)
    assert (unknown[0].work, unknown[0].left, unknown[0].is_short) == (None, None, False)


# --- people ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(db) -> World:
    return make_world()


def plan(world: World, user, **hours) -> Reviewer:
    reviewer = Reviewer.objects.get(user=user)
    reviewer.own_hours = {day: [["09:00", "12:30"]] for day in hours.pop("days", "01")}
    for name, value in hours.items():
        setattr(reviewer, name, value)
    reviewer.save_as(system_actor(), "hours")
    return reviewer


def test_people_are_there_in_their_hours_and_not_while_they_are_away(world):
    rita = plan(world, world.reviewer)
    Membership.objects.filter(user=world.reviewer).update(
        away_from=MONDAY + timedelta(hours=11), away_until=MONDAY + timedelta(hours=12)
    )
    found = presence(Reviewer.objects.filter(pk=rita.pk).select_related("calendar", "tenant"), MONDAY, 48)[rita.pk]
    assert found.is_planned
    monday, tuesday = found.shares[:24], found.shares[24:]
    assert monday[9:14] == [1.0, 1.0, 0.0, 0.5, 0.0]
    assert tuesday[9:14] == [1.0, 1.0, 1.0, 0.5, 0.0]
    assert sum(monday) + sum(tuesday) == 6.0


def test_who_has_no_hours_is_there_as_their_flag_says_and_who_is_paused_never(world):
    rows = Reviewer.objects.select_related("calendar", "tenant")
    carl = Reviewer.objects.get(user=world.colleague)
    assert presence(rows.all(), MONDAY, 2)[carl.pk].shares == [1.0, 1.0]
    assert not presence(rows.all(), MONDAY, 2)[carl.pk].is_planned
    Reviewer.objects.filter(pk=carl.pk).update(is_on_shift=False)
    assert presence(rows.all(), MONDAY, 2)[carl.pk].shares == [0.0, 0.0]
    Reviewer.objects.filter(pk=carl.pk).update(is_on_shift=True, is_paused=True)
    assert presence(rows.all(), MONDAY, 2)[carl.pk].shares == [0.0, 0.0]


def test_somebody_who_stays_longer_is_there_outside_their_hours(world):
    rita = plan(world, world.reviewer, days="6", works_until=MONDAY + timedelta(hours=1, minutes=30))
    found = presence(Reviewer.objects.filter(pk=rita.pk).select_related("calendar", "tenant"), MONDAY, 3)[rita.pk]
    assert found.shares == [1.0, 0.5, 0.0]


# --- both -----------------------------------------------------------------------------------------------------------


def past(world: World, queue: Queue, *, weeks: int, each: dict[int, int], handled: int = 0, seconds: int = 0) -> None:
    """Hourly sums of ``weeks`` up to now: ``each`` is how many cases come on weekdays by the hour of the day (UTC)."""
    end = db_now().replace(minute=0, second=0, microsecond=0)
    rows = []
    for number in range(1, weeks * 168 + 1):
        at = end - number * HOUR
        count = each.get(at.hour, 0) if at.weekday() < 5 else 0
        rows.append((at, count))
    for dimension, key in (("queue", str(queue.pk)), ("all", "")):
        MetricHour.objects.bulk_create(
            MetricHour(
                tenant=world.tenant,
                hour=at,
                dimension=dimension,
                domain=queue.slug,
                key=key,
                opened=count,
                handled=count * handled,
                handling_seconds=count * handled * seconds,
            )
            for at, count in rows
            if count or at == rows[-1][0]
        )


@pytest.fixture
def office(world) -> World:
    """Ten cases at ten o'clock and two at three on weekdays in the general queue, of six minutes each; and twenty at
    ten in a queue for Dutch, which Rita alone speaks, each with two reviews. Both work in the mornings, from nine."""
    world.dutch = Skill(tenant=world.tenant, code="dutch", name="Dutch")
    world.dutch.save_as(system_actor(), "created")
    world.second = create_queue(
        world.tenant,
        actor=system_actor(),
        slug="dutch",
        name="Dutch",
        skill=world.dutch,
        required_reviews=2,
        languages=["nl"],
        sla_policy=world.queue.sla_policy,
    )
    rita = plan(world, world.reviewer, days="01234")
    plan(world, world.colleague, days="01234")
    ReviewerSkill(reviewer=rita, skill=world.dutch).save_as(system_actor(), "created")
    past(world, world.queue, weeks=8, each={10: 10, 15: 2}, handled=1, seconds=360)
    past(world, world.second, weeks=8, each={10: 20}, handled=1, seconds=360)
    return world


def at_ten(group):
    return next(hour for hour in group.hours if hour.at.hour == 10 and hour.at.weekday() == 1)


def test_work_and_people_are_told_apart_by_skill(office):
    load = expected_load(office.tenant)
    general, dutch = load.group("none"), load.group(str(office.dutch.pk))
    assert (load.season, load.seasons, load.unplanned) == (Season.WEEK, 8, 0)
    assert len(load.total.hours) == 168
    # (80 + usual) / 9, where usual is the mean of ten o'clock over all days: 10 * 5 / 7.
    assert at_ten(general).cases.mean == pytest.approx((80 + 50 / 7) / 9)
    assert at_ten(dutch).cases.mean == pytest.approx(2 * at_ten(general).cases.mean)
    assert at_ten(load.total).cases.mean == pytest.approx(3 * at_ten(general).cases.mean)
    assert general.seconds_per_case == 360.0
    assert dutch.seconds_per_case == 720.0  # Two reviews for each.
    assert (at_ten(general).people, at_ten(dutch).people, at_ten(load.total).people) == (2, 1, 2)
    assert at_ten(dutch).is_short and not at_ten(general).is_short
    assert at_ten(dutch).needed == math.ceil(at_ten(dutch).work / BUSY)
    assert (general.people, dutch.people, load.total.people) == (2, 1, 2)


def test_extra_cases_come_when_cases_come(office):
    plain, more = expected_load(office.tenant), expected_load(office.tenant, extra_per_hour={"general": 1.0})
    assert more.group("none").cases == pytest.approx(plain.group("none").cases + 168)
    assert more.group(str(office.dutch.pk)).cases == plain.group(str(office.dutch.pk)).cases
    assert more.total.cases == pytest.approx(plain.total.cases + 168)
    night = [hour for hour in more.group("none").hours if hour.at.hour == 3]
    assert all(hour.cases.mean == 0 for hour in night)
    spread = expected_load(office.tenant, extra_per_hour=-0.5)
    assert spread.total.cases == pytest.approx(plain.total.cases - 84)
    assert sum(group.cases for group in spread.groups) == pytest.approx(spread.total.cases, rel=0.02)
    assert expected_load(office.tenant, extra_per_hour=-1000.0).total.cases == 0


def test_what_waits_now_is_work_too_and_is_done_by_who_comes(office):
    office.submit(), office.submit()
    load = expected_load(office.tenant)
    assert load.total.waiting == 2
    assert load.group("none").hours[0].left >= 0.2 - BUSY * load.group("none").hours[0].people
    assert load.total.days[-1].left is not None


def test_without_any_history_nothing_is_forecast(world):
    load = expected_load(world.tenant)
    assert (load.seasons, load.total.cases, load.total.work, load.unplanned) == (0, 0.0, None, 2)
    assert "Nothing has come in yet" in look(world, url=PAGE).content.decode()


def test_a_short_history_is_read_by_the_day(world):
    past(world, world.queue, weeks=1, each={10: 7}, handled=1, seconds=60)
    with pretend_now(db_now()):
        load = expected_load(world.tenant)
    assert (load.season, load.seasons) == (Season.DAY, 7)


def test_the_page_shows_it_and_links_to_each_skill(office):
    text = look(office, url=PAGE).content.decode()
    for words in ("last 8 weeks", "Dutch", "No skill asked for", "!", "Hour by hour", "12.0 min"):
        assert words in text, words
    chosen = look(office, url=f"{PAGE}?skill={office.dutch.pk}").content.decode()
    assert "Dutch, by day" in chosen
    assert 'href="/admin/staffing/"' in look(office, url="/admin/").content.decode()
    assert look(office, url=f"{PAGE}?skill='&tenant=%00").status_code in (200, 400)


def test_the_number_of_queries_does_not_grow_with_queues_and_people(office):
    look(office, url=PAGE)
    with CaptureQueriesContext(connection) as few:
        look(office, url=PAGE)
    calendar = BusinessCalendar(tenant=office.tenant, name="Early", time_zone="UTC", hours={"0": [["06:00", "14:00"]]})
    calendar.save_as(system_actor(), "created")
    for number in range(4):
        office.person(f"p{number}", Role.REVIEWER, reviews=True)
        skill = Skill(tenant=office.tenant, code=f"s{number}", name=f"Skill {number}")
        skill.save_as(system_actor(), "created")
        create_queue(
            office.tenant,
            actor=system_actor(),
            slug=f"q{number}",
            name=f"Q{number}",
            skill=skill,
            sla_policy=office.queue.sla_policy,
        )
    Reviewer.objects.filter(user__username__startswith="p").update(calendar=calendar)
    with CaptureQueriesContext(connection) as many:
        assert look(office, url=PAGE).status_code == 200
    assert len(many) == len(few)


def test_the_page_is_for_those_who_may_see_metrics_and_of_their_own_tenant(office):
    assert look(office, office.reviewer, PAGE).status_code == 403
    other = make_world("zeta")
    for url in (PAGE, f"{PAGE}?tenant=acme", f"{PAGE}?skill={office.dutch.pk}"):
        text = look(office, other.supervisor, url).content.decode()
        assert "Dutch" not in text
    assert expected_load(other.tenant).total.cases == 0
    assert expected_load(office.tenant).group(TOTAL).key == TOTAL
