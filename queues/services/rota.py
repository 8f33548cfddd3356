"""Who will be there in coming hours, as far as their hours, their absences and their own word say it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cases.calendars import Calendar, CalendarError, next_closing, next_opening
from cases.models import Membership

from ..models import Reviewer

HOUR = timedelta(hours=1)
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Presence:
    """The share of each coming hour, in [0, 1], for which somebody is there. ``is_planned``: they have hours."""

    shares: Sequence[float]
    is_planned: bool


def presence(reviewers: Iterable[Reviewer], start: datetime, hours: int) -> dict[Any, Presence]:
    """By reviewer, for ``hours`` from ``start``. Two queries, if ``calendar`` and ``tenant`` are joined.

    Who has hours is expected in them, whatever their flag says now: it turns again by then. Who has none is there for
    as long as their flag says so, as claims see it. Absences count for both; who is paused is never there.
    """
    people = list(reviewers)
    away = _away(people, start, start + hours * HOUR)
    read: dict[str, list[Span] | None] = {}
    found = {}
    for one in people:
        key = f"{one.calendar_id}/{one.tenant_id}/{json.dumps(one.own_hours, sort_keys=True)}"
        if key not in read:
            read[key] = _open_spans(one, start, start + hours * HOUR)
        spans, is_planned = read[key], read[key] is not None
        if one.is_paused:
            spans = []
        elif spans is None:
            spans = [(start, start + hours * HOUR)] if one.is_on_shift else []
        elif one.works_until and one.works_until > start:
            spans = [*spans, (start, one.works_until)]
        shares = _shares(spans, away.get((one.tenant_id, one.user_id), ()), start, hours)
        found[one.pk] = Presence(shares, is_planned)
    return found


def _open_spans(reviewer: Reviewer, start: datetime, end: datetime) -> list[Span] | None:
    """When their hours are open; None where nobody set any, or they cannot be read."""
    try:
        calendar = reviewer.as_calendar()
        return None if calendar is None else list(_spans(calendar, start, end))
    except CalendarError:
        return None


def _spans(calendar: Calendar, start: datetime, end: datetime) -> Iterable[Span]:
    at = start
    while at < end and (opens := next_opening(calendar, at)) < end:
        at = next_closing(calendar, opens)
        yield opens, min(at, end)


def _away(people: Sequence[Reviewer], start: datetime, end: datetime) -> Mapping[tuple, list[Span]]:
    rows = Membership.objects.filter(
        user__in={one.user_id for one in people},
        tenant__in={one.tenant_id for one in people},
        away_from__lt=end,
        is_active=True,
    )
    found: dict[tuple, list[Span]] = {}
    for row in rows.only("tenant_id", "user_id", "away_from", "away_until"):
        if row.away_until is None or row.away_until > start:
            found.setdefault((row.tenant_id, row.user_id), []).append((row.away_from, row.away_until or end))
    return found


def _shares(spans: Sequence[Span], away: Sequence[Span], start: datetime, hours: int) -> list[float]:
    """Per hour the share that ``spans`` cover and ``away`` does not. By the minute, which hours are set in."""
    minutes = bytearray(hours * 60)
    for begins, ends in spans:
        _paint(minutes, begins, ends, start, 1)
    for begins, ends in away:
        _paint(minutes, begins, ends, start, 0)
    return [sum(minutes[hour * 60 : hour * 60 + 60]) / 60 for hour in range(hours)]


def _paint(minutes: bytearray, begins: datetime, ends: datetime, start: datetime, value: int) -> None:
    first = max(0, round((begins - start).total_seconds() / 60))
    last = min(len(minutes), round((ends - start).total_seconds() / 60))
    if last > first:
        minutes[first:last] = bytes([value]) * (last - first)
