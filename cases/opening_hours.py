"""When a calendar is open, one local year at a time, as sorted instants that can be searched by bisection.

Pure. Instants and amounts are whole microseconds, instants counted from 1970-01-01T00:00Z. A wall-clock time stands
for one instant: the first, where clocks that are put back show it twice; the change itself, where clocks that are put
forward skip it. So a later wall-clock time never stands for an earlier instant, and spans that do not overlap on the
wall do not overlap in time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from cases.calendar_rules import MINUTES_A_DAY, Rules

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OpenYear:
    """The open spans of the local dates of one year. A span holds its opening and not its closing.

    Span ``i`` is ``[opens[i], closes[i])`` and ``worked[i]`` is the open time of the year before it. ``days`` are the
    dates with any open time, and ``first_span[d]`` is the index of the first span of ``days[d]``.
    """

    opens: Sequence[int]
    closes: Sequence[int]
    worked: Sequence[int]
    days: Sequence[date]
    first_span: Sequence[int]

    @property
    def total(self) -> int:
        """All the open time of the year."""
        return self.worked[-1] + self.closes[-1] - self.opens[-1] if self.opens else 0

    def is_open(self, at: int) -> bool:
        span = bisect_right(self.opens, at) - 1
        return span >= 0 and at < self.closes[span]

    def next_opening(self, at: int) -> int | None:
        """``at`` itself when open, else the first opening after it, or None when the year has no more."""
        if self.is_open(at):
            return at
        span = bisect_right(self.opens, at)
        return self.opens[span] if span < len(self.opens) else None

    def next_closing(self, at: int) -> int:
        """The closing of the span that is open at ``at``."""
        return self.closes[bisect_right(self.opens, at) - 1]

    def open_before(self, at: int) -> int:
        """The open time of the year that has passed by ``at``."""
        span = bisect_right(self.opens, at) - 1
        if span < 0:
            return 0
        return self.worked[span] + min(at, self.closes[span]) - self.opens[span]

    def instant_after(self, amount: int) -> int:
        """The earliest instant by which ``amount`` of the year's open time has passed, 0 < amount <= total."""
        span = bisect_left(self.worked, amount) - 1
        return self.opens[span] + amount - self.worked[span]

    def spans_of(self, day: int) -> list[tuple[int, int]]:
        """The spans of ``days[day]``."""
        first = self.first_span[day]
        last = self.first_span[day + 1] if day + 1 < len(self.days) else len(self.opens)
        return list(zip(self.opens[first:last], self.closes[first:last], strict=True))


# A year of one span a day takes some 50 kB: 256 of them are the current and next year of a hundred calendars.
@lru_cache(maxsize=256)
def open_year(rules: Rules, year: int) -> OpenYear:
    """Every open span of the local dates of ``year``, 1 to 9998."""
    zone = ZoneInfo(rules.time_zone)
    closed = (public_holidays(rules.country, rules.subdivision, year) | rules.closed) - rules.open_anyway
    opens, closes, worked, days, first_span = [], [], [], [], []
    passed = 0
    midnight = datetime(year, 1, 1)
    offset = _plain_offset(midnight, zone)
    while midnight.year == year:
        today, midnight = midnight, midnight + DAY
        offset_before, offset = offset, _plain_offset(midnight, zone)
        day = today.date()
        if day in closed or not (hours := rules.week[day.weekday()]):
            continue
        steady = offset is not None and offset == offset_before
        first = len(opens)
        for start, end in hours:
            if steady:
                local = (day.toordinal() - EPOCH.toordinal()) * MINUTES_A_DAY
                opening, closing = (local + start) * MINUTE - offset, (local + end) * MINUTE - offset
            else:
                opening = instant_of(today + timedelta(minutes=start), zone)
                closing = instant_of(today + timedelta(minutes=end), zone)
            if opening == closing:  # Clocks that were put forward skipped the whole span.
                continue
            opens.append(opening)
            closes.append(closing)
            worked.append(passed)
            passed += closing - opening
        if len(opens) > first:
            days.append(day)
            first_span.append(first)
    return OpenYear(opens, closes, worked, days, first_span)


@lru_cache(maxsize=1024)
def public_holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    """The days off that the ``holidays`` package knows, substitutes included.

    None without a country, nor in years that the package does not cover: India's end in 2035, say.
    """
    if not country:
        return frozenset()
    known = holidays.country_holidays(country, subdiv=subdivision or None, expand=False)
    if not known.start_year <= year <= known.end_year:  # The package would answer the same, with a warning.
        return frozenset()
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year, expand=False))


def _plain_offset(midnight: datetime, zone: ZoneInfo) -> int | None:
    """The zone's offset in microseconds at a local midnight, or None where a change of clocks makes it unclear.

    A day whose two midnights have the same plain offset has it throughout: no zone changes its clocks twice in a day.
    """
    offset = midnight.replace(tzinfo=zone).utcoffset()
    if midnight.replace(tzinfo=zone, fold=1).utcoffset() != offset:
        return None
    return offset // MICROSECOND


def instant_of(wall: datetime, zone: ZoneInfo) -> int:
    """The instant for which a naive wall-clock time of ``zone`` stands (see the module's words on clock changes)."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    if after > before:  # Skipped (PEP 495: fold=0 reads such a time with the offset before the change).
        return to_micro(_change_between(wall - after, wall - before, zone))
    return to_micro((wall - before).replace(tzinfo=UTC))


def _change_between(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The one change of offset in (low, high], naive UTC bounds; clocks change on whole seconds."""
    low, high = low.replace(microsecond=0, tzinfo=UTC), high.replace(tzinfo=UTC)
    offset_before = low.astimezone(zone).utcoffset()
    first, last = 0, -((low - high) // timedelta(seconds=1))
    while last - first > 1:
        middle = (first + last) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset_before:
            first = middle
        else:
            last = middle
    return low + timedelta(seconds=last)


def to_micro(at: datetime) -> int:
    """An aware instant as microseconds since the epoch."""
    return (at - EPOCH) // MICROSECOND


def from_micro(at: int) -> datetime:
    """The aware UTC instant that ``to_micro`` counted."""
    return EPOCH + at * MICROSECOND
