"""The work that the coming days will bring, by skill and hour, against the people who will be there.

Cases are forecast from the hourly sums of past weeks (``staffing.forecast``), the time that one takes from past
reviews, people from their hours and absences (``queues.services.rota``). Queues that ask for the same skill are one
group; somebody with two skills is counted in both, since they can do either's work, and once in the total. Languages
and levels are not told apart. A fixed number of queries; nothing is written.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count

from cases.clock import db_now
from cases.models import Case, Tenant
from queues.models import Entry, Queue, Reviewer
from queues.services.rota import Presence, presence
from queues.services.staffing import with_people

from ..metrics.definitions import ALL, Dimension
from ..metrics.reading import full_hours, zone_of
from ..staffing.balance import DayLoad, HourLoad, balance
from ..staffing.forecast import Expected, Season, Seen, forecast, spread_of

DAYS = 7
QUEUES, PEOPLE = 200, 1_000
LEAST_HANDLED = 5  # reviews of a group, below which the tenant's handling time stands for its own
TOTAL, UNSKILLED = "all", "none"
HOUR = timedelta(hours=1)

_FIRST = f"SELECT min(hour) FROM feedback_metrichour WHERE tenant_id = %(tenant)s AND dimension = '{ALL}'"
_HOURS = f"""
    SELECT g.name, m.hour AT TIME ZONE %(zone)s, sum(m.opened), sum(m.opened * g.required), sum(m.handled),
        sum(m.handling_seconds)
    FROM feedback_metrichour m
    JOIN unnest(%(keys)s::text[], %(names)s::text[], %(required)s::int[]) AS g (key, name, required) ON g.key = m.key
    WHERE m.tenant_id = %(tenant)s AND m.dimension = '{Dimension.QUEUE}' AND m.hour >= %(start)s AND m.hour < %(end)s
    GROUP BY g.name, m.hour
"""

Extra = float | Mapping[str, float]


@dataclass
class _Group:
    """The queues that ask for one skill, or all of them, and what their past hours add up to."""

    key: str
    name: str
    queues: list[Queue] = field(default_factory=list)
    counts: dict[datetime, float] = field(default_factory=dict)  # by hour, where the tenant is
    opened: float = 0.0
    required: float = 0.0
    handled: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class GroupLoad:
    """What comes to one group. ``seconds_per_case`` is None while nobody knows how long a case takes."""

    key: str
    name: str
    queues: Sequence[str]
    people: int
    waiting: int
    seconds_per_case: float | None
    hours: Sequence[HourLoad]
    days: Sequence[DayLoad]

    @property
    def cases(self) -> float:
        return sum(hour.cases.mean for hour in self.hours)

    @property
    def work(self) -> float | None:
        """Hours of one person's work, over all the days."""
        return None if self.seconds_per_case is None else sum(hour.work or 0.0 for hour in self.hours)

    @property
    def there(self) -> float:
        """Hours that people are there, over all the days."""
        return sum(hour.people for hour in self.hours)

    @property
    def short_hours(self) -> int:
        return sum(hour.is_short for hour in self.hours)

    @property
    def most_left(self) -> HourLoad | None:
        """The hour at whose end most is left to do."""
        known = [hour for hour in self.hours if hour.left is not None]
        return max(known, key=lambda hour: hour.left or 0.0, default=None)

    def to_json(self) -> dict[str, Any]:
        most = self.most_left
        return {
            "cases": round(self.cases, 1),
            "work_hours": None if self.work is None else round(self.work, 1),
            "people_hours": round(self.there, 1),
            "short_hours": self.short_hours,
            "most_left_hours": most and round(most.left or 0.0, 1),
        }


@dataclass(frozen=True)
class Load:
    """``total`` is the whole tenant, ``groups`` its skills. ``seasons`` of ``season`` were read; without history they
    are 0, and no case is expected. ``unplanned`` people have no hours."""

    zone: str
    start: datetime
    season: Season
    seasons: int
    total: GroupLoad
    groups: Sequence[GroupLoad]
    unplanned: int

    def group(self, key: str) -> GroupLoad:
        return next((group for group in self.groups if group.key == key), self.total)


def expected_load(tenant: Tenant, *, extra_per_hour: Extra = 0.0, days: int = DAYS) -> Load:
    """What the next ``days`` bring, from the next full hour on.

    ``extra_per_hour`` is how many cases an hour more (fewer, below 0) would come on average over a week: of the whole
    tenant, where they fall on the groups as cases do now, or by the queue's slug. They come when cases come now.
    """
    return expected_loads(tenant, [extra_per_hour], days=days)[0]


def expected_loads(tenant: Tenant, extras: Sequence[Extra], *, days: int = DAYS) -> list[Load]:
    """``expected_load`` for each of ``extras``, from one reading."""
    now = db_now()
    zone, _ = zone_of(tenant)
    _, start = full_hours(now, now, zone)
    queues = list(
        with_people(Queue.objects.filter(tenant=tenant)).select_related("skill").order_by("position", "slug")[:QUEUES]
    )
    groups = _groups(queues)
    season, seasons = _read(tenant, zone, start - HOUR, groups)
    starts = [start + HOUR * number for number in range(days * 24)]
    known = _Known(
        groups[TOTAL], ZoneInfo(zone), season, seasons, starts, _presence(queues, start, len(starts)), _waiting(tenant)
    )
    return [
        Load(
            zone=zone,
            start=start,
            season=season,
            seasons=seasons if known.total.counts else 0,
            total=_load(known.total, known, extra),
            groups=[_load(group, known, extra) for key, group in groups.items() if key != TOTAL],
            unplanned=sum(not one.is_planned and any(one.shares) for one in known.there.values()),
        )
        for extra in extras
    ]


@dataclass(frozen=True)
class _Known:
    """What all groups share. ``there`` is by reviewer, ``waiting`` by queue."""

    total: _Group
    zone: ZoneInfo
    season: Season
    seasons: int
    starts: Sequence[datetime]
    there: Mapping[Any, Presence]
    waiting: Mapping[Any, int]


def _load(group: _Group, known: _Known, extra: Extra) -> GroupLoad:
    expected, spread = _expected(group, known, extra)
    people = [known.there[pk] for pk in {pk for queue in group.queues for pk in queue.people} & known.there.keys()]
    unplanned = [one for one in people if not one.is_planned]
    places = range(len(known.starts))
    waiting = sum(known.waiting.get(queue.pk, 0) for queue in group.queues)
    seconds = _seconds_per_case(group, known.total)
    hours = balance(
        known.starts,
        expected,
        [sum(one.shares[place] for one in people) for place in places],
        [sum(one.shares[place] for one in unplanned) for place in places],
        seconds_per_case=seconds,
        waiting=waiting,
    )
    return GroupLoad(
        key=group.key,
        name=group.name,
        queues=[queue.slug for queue in group.queues],
        people=len(people),
        waiting=waiting,
        seconds_per_case=seconds,
        hours=hours,
        days=list(_days(hours, spread, known.zone)),
    )


def _groups(queues: Sequence[Queue]) -> dict[str, _Group]:
    groups = {TOTAL: _Group(TOTAL, "Everybody", list(queues))}
    for queue in queues:
        key, name = (str(queue.skill_id), queue.skill.name) if queue.skill else (UNSKILLED, "No skill asked for")
        groups.setdefault(key, _Group(key, name)).queues.append(queue)
    return groups


def _read(tenant: Tenant, zone: str, end: datetime, groups: Mapping[str, _Group]) -> tuple[Season, int]:
    """Fill ``groups`` with the hours up to ``end``; the season that the history is long enough for, and how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, {"tenant": tenant.pk})
        (first,) = cursor.fetchone()
        hours = max(0, round((end - first) / HOUR)) if first else 0
        season, seasons = Season.for_history(hours)
        pairs = [
            (str(queue.pk), group.key, queue.required_reviews) for group in groups.values() for queue in group.queues
        ]
        values = {
            "tenant": tenant.pk,
            "zone": zone,
            "start": end - HOUR * season.value * seasons,
            "end": end,
            "keys": [key for key, _, _ in pairs],
            "names": [name for _, name, _ in pairs],
            "required": [required for _, _, required in pairs],
        }
        cursor.execute(_HOURS, values)
        for name, at, opened, required, handled, seconds in cursor.fetchall():
            group = groups[name]
            group.counts[at] = group.counts.get(at, 0.0) + float(opened)
            group.opened += float(opened)
            group.required += float(required)
            group.handled += float(handled)
            group.seconds += float(seconds)
    return season, seasons


def _seconds_per_case(group: _Group, total: _Group) -> float | None:
    """The handling time of one review, times the reviews that a case takes: as many as its queue asks for, or as past
    cases took, new drafts and second looks included, where that is more."""
    timed = group if group.handled >= LEAST_HANDLED else total
    if not timed.handled:
        return None
    asked = group.required / group.opened if group.opened else 1.0
    took = group.handled / group.opened if group.opened else 1.0
    return timed.seconds / timed.handled * max(1.0, asked, took)


def _expected(group: _Group, known: _Known, extra: Extra) -> tuple[list[Expected], float]:
    """What each coming hour lets expect, and how much more than a Poisson process a whole day varies."""
    season, seasons = known.season, known.seasons
    seen: dict[int, Seen] = defaultdict(Seen)
    by_day: dict[date, float] = defaultdict(float)
    for at, n in group.counts.items():
        seen[_slot(at, season)] += Seen(n, n * n)
        by_day[at.date()] += n
    usual = None
    if season == Season.WEEK:
        of_day = [sum(seen[day * 24 + hour].total for day in range(7)) / (7 * seasons) for hour in range(24)]
        usual = {slot: of_day[slot % 24] for slot in range(season.value)}
    slots = forecast(seen, slots=season.value, seasons=seasons, usual=usual)
    slots = _with_extra(slots, _more(group, known.total, extra))
    expected = [slots[_slot(start.astimezone(known.zone), season)] for start in known.starts]
    return expected, _daily_spread(by_day, season, seasons)


def _slot(at: datetime, season: Season) -> int:
    return (at.weekday() * 24 + at.hour) % season.value


def _more(group: _Group, total: _Group, extra: Extra) -> float:
    """How many cases an hour more come to the group."""
    if isinstance(extra, Mapping):
        return sum(extra.get(queue.slug, 0.0) for queue in group.queues)
    if group is total:
        return extra
    return extra * group.opened / total.opened if total.opened else 0.0


def _with_extra(slots: Sequence[Expected], more: float) -> list[Expected]:
    """``more`` cases an hour on average, spread as the cases of now are; evenly where there are none."""
    mean = sum(one.mean for one in slots) / len(slots)
    if mean:
        return [one.scaled(max(0.0, 1 + more / mean)) for one in slots]
    return [Expected(max(0.0, more), max(0.0, more)) for _ in slots]


def _daily_spread(by_day: Mapping[date, float], season: Season, seasons: int) -> float:
    """Of whole days, around the mean of their weekday, or of all days where there are too few weeks."""
    if season == Season.HOUR:
        return 1.0
    slots: dict[int, Seen] = defaultdict(Seen)
    for day, n in by_day.items():
        slots[day.weekday() if season == Season.WEEK else 0] += Seen(n, n * n)
    return spread_of(slots, seasons)


def _days(hours: Sequence[HourLoad], spread: float, zone: ZoneInfo) -> Iterator[DayLoad]:
    by_day: dict[date, list[HourLoad]] = defaultdict(list)
    for hour in hours:
        by_day[hour.at.astimezone(zone).date()].append(hour)
    for of_day in by_day.values():
        mean = sum(hour.cases.mean for hour in of_day)
        variance = max(sum(hour.cases.variance for hour in of_day), spread * mean)
        known = of_day[-1].left is not None
        yield DayLoad(
            at=of_day[0].at,
            cases=Expected(mean, variance),
            work=sum(hour.work or 0.0 for hour in of_day) if known else None,
            there=sum(hour.people for hour in of_day),
            left=of_day[-1].left,
            short_hours=sum(hour.is_short for hour in of_day),
        )


def _presence(queues: Sequence[Queue], start: datetime, hours: int) -> dict[Any, Presence]:
    keys = {pk for queue in queues for pk in queue.people}
    people = Reviewer.objects.filter(pk__in=keys).select_related("calendar", "tenant").order_by("pk")
    return presence(people[:PEOPLE], start, hours)


def _waiting(tenant: Tenant) -> dict[Any, int]:
    """By queue the cases that are in it now, held ones too."""
    rows = Entry.objects.filter(tenant=tenant, case__purpose=Case.Purpose.REAL).order_by()
    return {row["queue"]: row["n"] for row in rows.values("queue").annotate(n=Count("pk"))}
