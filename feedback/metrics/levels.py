"""The rows that a question is answered from: those of the days that lie in its window as a whole, and of the hours
before and after them.

Which days these are is said by PostgreSQL and not counted here, since it says too what day an hour is of: both then
change their clocks by the same table. No hour is read twice and none is left out, whatever the window is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from .days import AROUND_MIDNIGHT, DAY_OF_HOUR, HOUR_OF_DAY

# The first day that begins within the window, and the one that does not end within it any more.
_FIRST = "(((%(start)s::timestamptz - interval '1 microsecond') AT TIME ZONE %(zone)s)::date + 1)"
_BEYOND = "(%(end)s::timestamptz AT TIME ZONE %(zone)s)::date"
_AFTER = f"GREATEST({_FIRST}, {_BEYOND})"
_MIDNIGHT = "({day}::timestamp AT TIME ZONE %(zone)s)"

_IN_WINDOW = "hour >= %(start)s AND hour < %(end)s"
_DAYS = f"day >= {_FIRST} AND day < {_BEYOND}"
# Hours are told to belong to a day by their date; the instants beside it are what the index can find.
_EDGES = (
    f"{_IN_WINDOW} AND hour < {_MIDNIGHT.format(day=_FIRST)} + {AROUND_MIDNIGHT} AND {DAY_OF_HOUR} < {_FIRST}",
    f"{_IN_WINDOW} AND hour >= {_MIDNIGHT.format(day=_AFTER)} - {AROUND_MIDNIGHT} AND {DAY_OF_HOUR} >= {_AFTER}",
)


@dataclass(frozen=True)
class Columns:
    """What is selected of a row beside the time; ``of_day`` where it is told otherwise in a day."""

    of_hour: str
    of_day: str = ""


def columns(*names: str) -> Columns:
    return Columns(", ".join(names))


def handling(*names: str) -> Columns:
    """``names``, with a row for each ``value``, the whole seconds that ``n`` reviews took. Spread in the select's list,
    which takes half as long as a join."""
    spread = "unnest(handling_values) AS value"
    return Columns(", ".join((*names, spread, "1 AS n")), ", ".join((*names, spread, "unnest(handling_counts) AS n")))


# The cases opened in each hour of a day.
OPENED_BY_HOUR = Columns(
    f"{HOUR_OF_DAY} AS hour_of_day, opened",
    "generate_subscripts(opened_by_hour, 1) - 1 AS hour_of_day, unnest(opened_by_hour) AS opened",
)


@dataclass(frozen=True)
class Rows:
    """The rows of one tenant and window: ``start`` included, ``end`` not. ``domain`` and ``key`` narrow them.

    ``values`` are those that the SQL names; ``name`` keeps them apart from others' in the same statement.
    """

    tenant_id: UUID
    zone: str
    start: datetime
    end: datetime
    dimensions: Collection[str]
    domain: str = ""
    key: str | None = None
    name: str = ""

    def by_day(self, what: Columns) -> str:
        """A select of ``day``, a date where the tenant is, and ``what``: of the coarsest rows that fit the window."""
        days = f"SELECT day, {what.of_day or what.of_hour} FROM feedback_metricday"
        hours = f"SELECT {DAY_OF_HOUR} AS day, {what.of_hour} FROM feedback_metrichour"
        return self._named(
            f"{days} WHERE {self.whose} AND {_DAYS} UNION ALL "
            + " UNION ALL ".join(f"{hours} WHERE {self.whose} AND {edge}" for edge in _EDGES)
        )

    def by_hour(self, what: Columns) -> str:
        """A select of ``hour``, an instant, and ``what``, from the hours alone."""
        return self._named(f"SELECT hour, {what.of_hour} FROM feedback_metrichour WHERE {self.whose} AND {_IN_WINDOW}")

    @property
    def whose(self) -> str:
        """Read by ``one_row_per_hour_and_key`` and ``one_row_per_day_and_key``."""
        of_one = "dimension = %(dimension)s" if len(self.dimensions) == 1 else "dimension = ANY(%(dimensions)s)"
        of_domain = " AND domain = %(domain)s" if self.domain else ""
        of_key = "" if self.key is None else " AND key = %(key)s"
        return f"tenant_id = %(tenant)s AND {of_one}{of_domain}{of_key}"

    def _named(self, sql: str) -> str:
        return sql.replace("%(", f"%({self.name}")

    @property
    def values(self) -> dict[str, Any]:
        found = {
            "tenant": self.tenant_id,
            "zone": self.zone,
            "start": self.start,
            "end": self.end,
            "dimension": next(iter(self.dimensions)),
            "dimensions": list(self.dimensions),
            "domain": self.domain,
            "key": self.key,
        }
        return {f"{self.name}{name}": value for name, value in found.items()}
