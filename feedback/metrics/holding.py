"""Where the facts behind a number are: the hours whose sums say that they hold some, the latest first.

A rare number is thus found without looking at all the cases of a year. What the sums do not know of yet, for the
seconds until they are refreshed, is as little in the list of facts as in the number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate, groupby
from operator import itemgetter

from django.db import connection

from .days import AROUND_MIDNIGHT, DAY_OF_HOUR
from .levels import Columns, columns
from .reading import HOUR, Question, rows_of

DAYS_AT_ONCE = 31


@dataclass(frozen=True)
class Span:
    """An hour of one domain that holds facts."""

    start: datetime
    end: datetime
    domain: str


def spans_holding(
    question: Question, measures: Sequence[str], less: Sequence[str], *, slot: tuple[int, int] | None, enough: int
) -> Iterator[list[Span]]:
    """Spans with facts of any of ``measures`` and none of ``less``, each list with ``enough`` of them if there are so
    many, later hours first. ``slot`` is a weekday (Monday is 1) and an hour of the day.

    No fact is of two measures that are asked for together: what they add up to is the number of facts. Spans overlap
    where clocks are set by half an hour.
    """
    number = " - ".join([" + ".join(measures), *less])
    what = columns(*measures, *less)
    spans: list[Span] = []
    promised = 0
    before: date | None = None
    while of_days := _days(question, what, number, slot, enough, before):
        for hour, of_hour in groupby(_hours(question, of_days, number, slot), key=itemgetter(0)):
            for _, domain, facts in of_hour:
                spans.append(Span(hour, hour + HOUR, domain))
                promised += facts
            if promised >= enough:  # Whole hours only: what follows is earlier than all that was found.
                yield spans
                spans, promised = [], 0
        before = of_days[-1]
    if spans:
        yield spans


def _days(
    question: Question,
    what: Columns,
    number: str,
    slot: tuple[int, int] | None,
    enough: int,
    before: date | None,
) -> list[date]:
    """The latest days before ``before`` with any, up to the one with which there are ``enough``."""
    rows = rows_of(question)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT day, sum({number}) FROM ({rows.by_day(what)}) r "
            "WHERE (%(before)s::date IS NULL OR day < %(before)s) "
            "AND (%(weekday)s::int IS NULL OR extract(isodow FROM day) = %(weekday)s) "
            f"GROUP BY day HAVING sum({number}) > 0 ORDER BY day DESC LIMIT {DAYS_AT_ONCE}",
            {**rows.values, "before": before, "weekday": slot and slot[0]},
        )
        found = cursor.fetchall()
    if slot:  # A day does not say how many there are in the one hour.
        return [day for day, _ in found]
    upto = accumulate(n for _, n in found)
    wanted = next((count for count, n in enumerate(upto, 1) if n >= enough), len(found))
    return [day for day, _ in found[:wanted]]


def _hours(
    question: Question, of_days: Sequence[date], number: str, slot: tuple[int, int] | None
) -> list[tuple[datetime, str, int]]:
    """The hours and domains of these days with any, the latest first, and how many."""
    rows = rows_of(question)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT hour, domain, sum({number}) FROM unnest(%(days)s::date[]) AS d (day), LATERAL ("
            f"SELECT * FROM feedback_metrichour WHERE {rows.whose} "
            f"AND hour >= (d.day::timestamp AT TIME ZONE %(zone)s) - {AROUND_MIDNIGHT} "
            f"AND hour < ((d.day + 1)::timestamp AT TIME ZONE %(zone)s) + {AROUND_MIDNIGHT} OFFSET 0"
            f") of_day WHERE {DAY_OF_HOUR} = d.day AND hour >= %(start)s AND hour < %(end)s "
            "AND (%(at)s::int IS NULL OR extract(hour FROM hour AT TIME ZONE %(zone)s) = %(at)s) "
            f"GROUP BY hour, domain HAVING sum({number}) > 0 ORDER BY hour DESC",
            {**rows.values, "days": list(of_days), "at": slot and slot[1]},
        )
        return cursor.fetchall()
