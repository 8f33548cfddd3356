"""What a calendar may say, checked once and kept as a hashable value. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import cache
from itertools import pairwise
from typing import ClassVar, NamedTuple
from zoneinfo import available_timezones

import holidays

MINUTES_A_DAY = 24 * 60
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Span = tuple[time, time]
# Seven days from Monday, each with its (opening, closing) in minutes after local midnight, sorted; 1440 is 24:00.
Week = tuple[tuple[tuple[int, int], ...], ...]


class CalendarError(ValueError):
    """What a calendar cannot do; its message is fit to be shown to staff."""

    code: ClassVar[str] = "calendar_error"


class CalendarInvalid(CalendarError):
    """The hours, the zone or the days of a calendar do not make sense; nothing was made."""

    code = "calendar_invalid"


class Rules(NamedTuple):
    """A checked calendar: equal calendars, read anew from their row, share what was worked out for one of them."""

    time_zone: str
    week: Week
    country: str
    subdivision: str
    closed: frozenset[date]
    open_anyway: frozenset[date]


def checked(
    time_zone: str,
    hours: Mapping[int, Iterable[Span]],
    country: str,
    subdivision: str,
    closed: Iterable[date],
    open_anyway: Iterable[date],
) -> Rules:
    """The rules that were meant, or ``CalendarInvalid`` with the first thing that cannot be."""
    if not isinstance(time_zone, str) or time_zone not in _zones():
        raise CalendarInvalid(f"{time_zone!r} is no IANA time zone: use a name such as Europe/London.")
    week = _checked_week(hours)
    _check_country(country, subdivision)
    return Rules(time_zone, week, country, subdivision, *_checked_days(closed, open_anyway, week))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}  # Whatever the machine says, and no place.


def _checked_week(hours: Mapping[int, Iterable[Span]]) -> Week:
    if unknown := [day for day in hours if isinstance(day, bool) or day not in range(7)]:
        raise CalendarInvalid(f"{unknown[0]!r} is no weekday: use 0 for Monday to 6 for Sunday.")
    week = tuple(_checked_day(day, hours.get(day, ())) for day in range(7))
    if not any(week):
        raise CalendarInvalid("The calendar is never open: give at least one day some hours.")
    return week


def _checked_day(day: int, spans: Iterable[Span]) -> tuple[tuple[int, int], ...]:
    spans = sorted(_checked_span(day, span) for span in spans)
    for (_, closing), (opening, _) in pairwise(spans):
        if opening < closing:
            raise CalendarInvalid(f"{DAY_NAMES[day]} has hours that overlap, before and after {_clock(opening)}.")
    return tuple(spans)


def _checked_span(day: int, span: Span) -> tuple[int, int]:
    try:
        start, end = span
    except (TypeError, ValueError):
        raise CalendarInvalid(f"{DAY_NAMES[day]}: {span!r} is not an opening and a closing.") from None
    for at in (start, end):
        if not isinstance(at, time) or at.tzinfo or at.second or at.microsecond:
            raise CalendarInvalid(f"{DAY_NAMES[day]}: {at!r} is not a local time in whole minutes.")
    opening, closing = start.hour * 60 + start.minute, (end.hour * 60 + end.minute) or MINUTES_A_DAY
    if closing == opening:
        raise CalendarInvalid(f"{DAY_NAMES[day]} opens and closes at {_clock(opening)}: give it some time between.")
    if closing < opening:
        raise CalendarInvalid(
            f"{DAY_NAMES[day]} closes at {_clock(closing)}, before it opens at {_clock(opening)}: "
            "split hours that pass midnight into two days."
        )
    return opening, closing


def _checked_days(
    closed: Iterable[date], open_anyway: Iterable[date], week: Week
) -> tuple[frozenset[date], frozenset[date]]:
    closed, open_anyway = frozenset(closed), frozenset(open_anyway)
    for day in closed | open_anyway:
        if isinstance(day, datetime) or not isinstance(day, date):
            raise CalendarInvalid(f"{day!r} is not a date.")
    if both := closed & open_anyway:
        raise CalendarInvalid(f"{min(both)} is both a day off and a working day: choose one.")
    if idle := [day for day in open_anyway if not week[day.weekday()]]:
        name = DAY_NAMES[min(idle).weekday()]
        raise CalendarInvalid(f"{min(idle)} is to be open, but it is a {name} and {name}s have no hours.")
    return closed, open_anyway


@cache
def _subdivisions() -> dict[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=True)


def _check_country(country: str, subdivision: str) -> None:
    if not country:
        if subdivision:
            raise CalendarInvalid(f"{subdivision!r} is part of no country: give the country too.")
    elif country not in _subdivisions():
        raise CalendarInvalid(f"The holidays of {country!r} are not known: use an ISO 3166 code such as GB, or none.")
    elif subdivision and subdivision not in _subdivisions()[country]:
        raise CalendarInvalid(f"{country} has no part {subdivision!r} whose holidays are known.")


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
