"""A section of an evidence pack: tables, and what they show and do not show."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.db.models import Window as Over
from django.db.models.functions import Lead

from cases.models import Tenant

CHUNK = 500  # rows fetched at once
MOST_ROWS = 20_000  # of one table; a table that has more says so


@dataclass(frozen=True)
class Window:
    """``start`` included, ``end`` not, both full hours of ``zone``; nothing counts that came after ``as_of``."""

    tenant: Tenant
    start: datetime
    end: datetime
    as_of: datetime
    zone: str
    seed: str

    @property
    def until(self) -> datetime:
        """The end of what is told: an hour that is not over yet is told as far as it went."""
        return min(self.end, self.as_of)


Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """``name`` is that of its files; ``rows`` answers the columns, in an order that is always the same."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Callable[[Window], Rows]


@dataclass(frozen=True)
class Section:
    """``shows`` and ``not_shows`` are one sentence each; ``right`` is what its reader needs besides the pack's own."""

    key: str
    title: str
    shows: str
    not_shows: str
    tables: tuple[Table, ...]
    right: str = ""


def within(window: Window, column: str) -> dict[str, datetime]:
    """The condition that ``column`` lies in the window."""
    return {f"{column}__gte": window.start, f"{column}__lt": window.until}


def in_force(rows: QuerySet, window: Window, *, of: tuple[str, ...], at: str) -> Iterator[Any]:
    """The ``rows``, each standing from ``at`` until the next of the same ``of``, that stood within the window.

    Each carries ``ended``: when the next took its place, or None where it still stood at the window's end.
    """
    following = Over(Lead(at), partition_by=[F(name) for name in of], order_by=[F(at), F("pk")])
    known = rows.filter(**{f"{at}__lt": window.until}).annotate(ended=following).order_by(at, "pk")
    for row in known.iterator(chunk_size=CHUNK):
        if row.ended is None or row.ended > window.start:
            yield row
