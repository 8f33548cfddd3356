"""Statements that nearly every request asks: kept as text and prepared on their connection.

To put a query together takes Python, and to plan it takes PostgreSQL, longer than to answer it. A prepared statement is
planned once on each connection and still reads the tables every time: nothing of an answer is kept.

Where connections are not kept (``DATABASE_POOL``), or nothing may be prepared on them, it is an ordinary statement.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from psycopg import Cursor

M = TypeVar("M", bound=Model)


def fetch(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement with ``%s`` for each value. Raises Django's ``DatabaseError``, as every query does."""
    connection.ensure_connection()
    # Django's own cursor writes the values into the text, so that each text is new to PostgreSQL.
    bound = Cursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(bound) as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def columns(model: type[Model], alias: str) -> str:
    """What a statement selects of the table that it calls ``alias``, for ``instance``."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def instance(model: type[M], values: Sequence[Any]) -> M:
    """The row that was read as ``columns``."""
    return model.from_db(connection.alias, [field.attname for field in model._meta.concrete_fields], values)
