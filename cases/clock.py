"""The database's clock, and the only way round it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func, Value
from django.db.models.expressions import Combinable

_pretended: ContextVar[datetime | None] = ContextVar("pretended", default=None)


def pretended() -> datetime | None:
    """The instant that ``pretend_now`` made services believe in, for a statement that reads the clock by itself."""
    return _pretended.get()


def db_now() -> datetime:
    """The instant at which the current statement runs, as PostgreSQL sees it, in UTC.

    Leases, deadlines and expiries compare against this and never against a worker's own clock,
    which may be minutes off.
    """
    if at := pretended():
        return at
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def clock_column() -> Combinable:
    """``db_now`` as a column of a query that is made anyway."""
    if at := pretended():
        return Value(at, output_field=DateTimeField())
    return Func(function="clock_timestamp", output_field=DateTimeField())


@contextmanager
def pretend_now(at: datetime) -> Iterator[None]:
    """Within this block services believe that it is ``at``: for the demo world's past and for tests."""
    token = _pretended.set(at)
    try:
        yield
    finally:
        _pretended.reset(token)
