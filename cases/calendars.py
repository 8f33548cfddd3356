"""Business time: opening hours, days off, and the instants at which so much open time has passed.

Pure: no database, no settings, no clock; every function is told the time, takes aware datetimes in any zone and answers
in UTC. A calendar is open from each opening up to, and not at, each closing. How wall-clock hours meet clock changes
stands in ``opening_hours``.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from cases.calendar_rules import CalendarError, CalendarInvalid, Rules, Span, checked
from cases.opening_hours import MICROSECOND, OpenYear, from_micro, instant_of, open_year, to_micro

__all__ = [
    "ALWAYS",
    "Calendar",
    "CalendarError",
    "CalendarExhausted",
    "CalendarInvalid",
    "Duration",
    "DurationInvalid",
    "add_business_days",
    "add_working",
    "at_share",
    "due_at",
    "is_open",
    "next_closing",
    "next_opening",
    "working_between",
]

# No search goes further than this past its start: a calendar that stays closed so long has no answer to wait for.
HORIZON_YEARS = 30
LAST_YEAR = 9998  # The last whose 31 December has a following midnight that a datetime can hold.

Unit = Literal["minutes", "hours", "business_days"]


class DurationInvalid(CalendarError):
    """A duration, a pause or a share that cannot be measured."""

    code = "duration_invalid"


class CalendarExhausted(CalendarError):
    """The answer lies more than ``HORIZON_YEARS`` away, or outside the years that a datetime can hold."""

    code = "calendar_exhausted"


@dataclass(frozen=True)
class Calendar:
    """When a team works.

    ``hours`` maps weekdays (0 is Monday) to spans of local wall-clock time, whole minutes, in any order; a weekday that
    is missing is closed. An end of 00:00 is midnight at the end of the day (24:00), so 00:00 to 00:00 is the whole day;
    a span over midnight is written as two. ``country`` and ``subdivision`` are codes of the ``holidays`` package.
    ``closed`` are the team's own days off; on ``open_anyway`` it works its weekday's hours in spite of a holiday.

    Raises ``CalendarInvalid`` for whatever cannot be meant: spans that are empty or overlap, no open time at all, an
    unknown zone or country, a day both closed and open, an ``open_anyway`` on a weekday without hours.
    """

    time_zone: str
    hours: Mapping[int, tuple[Span, ...]] = field(hash=False)
    country: str = ""
    subdivision: str = ""
    closed: frozenset[date] = frozenset()
    open_anyway: frozenset[date] = frozenset()
    zone: ZoneInfo = field(init=False, repr=False, compare=False)
    rules: Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rules = checked(self.time_zone, self.hours, self.country, self.subdivision, self.closed, self.open_anyway)
        for name, value in (
            ("hours", {day: tuple(spans) for day, spans in self.hours.items()}),
            ("closed", rules.closed),
            ("open_anyway", rules.open_anyway),
            ("zone", ZoneInfo(rules.time_zone)),
            ("rules", rules),
        ):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Duration:
    """So much open time, or so many business days; on ``ALWAYS`` open time is clock time."""

    amount: int
    unit: Unit

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise DurationInvalid(f"{self.unit!r} is no unit of time: use one of {', '.join(get_args(Unit))}.")
        if isinstance(self.amount, bool) or not isinstance(self.amount, int) or self.amount < 1:
            raise DurationInvalid(f"{self.amount!r} {self.unit}: give a whole number from 1.")


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether the calendar is open at this instant: yes at an opening, no at a closing."""
    return open_year(calendar.rules, _local_year(calendar, at)).is_open(to_micro(at))


def next_opening(calendar: Calendar, at: datetime) -> datetime:
    """``at`` itself when the calendar is open, else the first opening after it."""
    for year in _years_from(calendar, at):
        if (opening := year.next_opening(to_micro(at))) is not None:
            return from_micro(opening)
    raise _exhausted(at)


def next_closing(calendar: Calendar, at: datetime) -> datetime:
    """When the calendar, open at ``at``, closes next; the end of a year counts as one, open again or not."""
    return from_micro(open_year(calendar.rules, _local_year(calendar, at)).next_closing(to_micro(at)))


def add_working(calendar: Calendar, start: datetime, amount: timedelta) -> datetime:
    """The earliest instant by which ``amount`` of open time has passed since ``start``.

    Hence a day's last minute ends at that day's closing and not at the next opening, and a zero amount at ``start``
    itself, open or not. Raises ``DurationInvalid`` for a negative amount.
    """
    remaining = _not_negative(amount, "amount") // MICROSECOND
    if not remaining:
        return _utc(start)
    for year in _years_from(calendar, start):
        passed = year.open_before(to_micro(start))
        if remaining <= year.total - passed:
            return from_micro(year.instant_after(passed + remaining))
        remaining -= year.total - passed
    raise _exhausted(start)


def working_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """The open time from ``start`` to ``end``; zero when ``end`` is not after ``start``."""
    first, last = _local_year(calendar, start), _local_year(calendar, end)
    if to_micro(end) <= to_micro(start):
        return timedelta()
    if last - first > HORIZON_YEARS:
        raise _exhausted(start)
    years = (open_year(calendar.rules, year) for year in range(first, last + 1))
    return sum((year.open_before(to_micro(end)) - year.open_before(to_micro(start)) for year in years), 0) * MICROSECOND


def add_business_days(calendar: Calendar, start: datetime, days: int) -> datetime:
    """The same local time, ``days`` open days later.

    An open day is a local date with any open time. A start outside hours counts from the next opening. A time that the
    last day does not keep moves into that day's hours: before them to the opening, after them to the closing, in a
    break to the end of the break. So what comes on Friday at 16:00 and has one business day is due on Monday at 16:00,
    or at Monday's closing if that is earlier. With ``days`` 0 the answer is the instant that the count starts from.
    """
    if isinstance(days, bool) or not isinstance(days, int) or days < 0:
        raise DurationInvalid(f"{days!r} business days: give a whole number from 0.")
    begin = next_opening(calendar, start)
    if not days:
        return begin
    local = begin.astimezone(calendar.zone).replace(tzinfo=None)
    remaining = days
    for year in _years_from(calendar, begin):
        counted = bisect_right(year.days, local.date())  # These are over, or the day that the count starts from.
        if remaining <= len(year.days) - counted:
            index = counted + remaining - 1
            wanted = datetime.combine(year.days[index], local.time())
            return from_micro(_into(year.spans_of(index), instant_of(wanted, calendar.zone)))
        remaining -= len(year.days) - counted
    raise _exhausted(start)


def due_at(
    duration: Duration,
    opened_at: datetime,
    calendar: Calendar,
    *,
    paused: timedelta = timedelta(),
    caller_deadline: datetime | None = None,
) -> datetime:
    """The deadline of what was opened at ``opened_at``.

    ``paused`` is the open time that passed while the clock stood: the sum of ``working_between`` over the pauses. The
    deadline moves by just as much open time. The caller's own deadline wins when it is earlier, even when it is already
    past, and no pause moves it.
    """
    _not_negative(paused, "pause")
    if duration.unit == "business_days":
        due = add_working(calendar, add_business_days(calendar, opened_at, duration.amount), paused)
    else:
        due = add_working(calendar, opened_at, _open_time(duration, opened_at) + paused)
    if caller_deadline is not None:
        _aware(caller_deadline)
        if caller_deadline < due:
            return _utc(caller_deadline)
    return due


def at_share(opened_at: datetime, due_at: datetime, calendar: Calendar, share: float) -> datetime:
    """The instant at which ``share`` of the open time from ``opened_at`` to ``due_at`` has passed.

    A share above 1 goes on past the deadline at the same measure, and exactly 1 is ``due_at`` itself, in or out of
    hours. A case that was late when it was opened reaches every share at once, at ``opened_at``. Without any open time
    before the deadline, the shares below 1 fall on ``opened_at`` and the others on ``due_at``.
    """
    if not math.isfinite(share) or share < 0:
        raise DurationInvalid(f"{share!r} is no share of a duration: give a number from 0.")
    opened, due = _utc(opened_at), _utc(due_at)
    if due <= opened:
        return opened
    if share == 1:
        return due
    try:
        amount = working_between(calendar, opened, due) * share
    except OverflowError:
        raise _exhausted(opened) from None
    reached = add_working(calendar, opened, amount)
    return max(reached, due) if share > 1 else reached


ALWAYS = Calendar("UTC", {day: ((time(0), time(0)),) for day in range(7)})
"""Clock time: open at every instant."""


# --- searching ---------------------------------------------------------------------------------------------------


def _years_from(calendar: Calendar, at: datetime) -> Iterator[OpenYear]:
    """The calendar's years from the one of ``at``, within the horizon."""
    first = _local_year(calendar, at)
    for year in range(first, min(first + HORIZON_YEARS, LAST_YEAR) + 1):
        yield open_year(calendar.rules, year)


def _local_year(calendar: Calendar, at: datetime) -> int:
    try:
        year = _utc(at).astimezone(calendar.zone).year
    except OverflowError:
        raise _exhausted(at) from None
    if not 1 < year <= LAST_YEAR:  # In the year 1 a zone's offset may lead out of what a datetime can hold.
        raise _exhausted(at)
    return year


def _into(spans: list[tuple[int, int]], at: int) -> int:
    """``at`` moved into the hours of its day: to the first span that is not over, else to the last closing."""
    for opening, closing in spans:
        if at <= closing:
            return max(at, opening)
    return spans[-1][1]


def _open_time(duration: Duration, opened_at: datetime) -> timedelta:
    try:
        return timedelta(**{duration.unit: duration.amount})
    except OverflowError:
        raise _exhausted(opened_at) from None


def _not_negative(amount: timedelta, what: str) -> timedelta:
    if amount < timedelta():
        raise DurationInvalid(f"The {what} is negative ({amount}).")
    return amount


def _aware(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise CalendarError(f"{at} has no time zone: give an aware instant.")
    return at


def _utc(at: datetime) -> datetime:
    try:
        return _aware(at).astimezone(UTC)
    except OverflowError:
        raise _exhausted(at) from None


def _exhausted(start: datetime) -> CalendarExhausted:
    return CalendarExhausted(f"There is no such instant within {HORIZON_YEARS} years of {start}.")
