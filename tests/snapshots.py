"""What a test made through the services, kept as rows and put back for the next test that asks for the same.

A world takes some two hundred statements, and nearly every test begins with one. The first of a process is made in
full; its rows are read back table by table, and later ones are copied in as they were, keys and times included. Times
are those of the first: nothing in a world counts its age.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.db import connection, models, transaction

from cases.clock import pretended
from cases.history import XactIdField
from cases.services import policies

Made = TypeVar("Made")


@dataclass(frozen=True)
class Snapshot:
    """``rows`` holds for each table the COPY statement that takes its text."""

    made: bytes
    rows: tuple[tuple[str, bytes], ...]


_kept: dict[bytes, Snapshot | None] = {}


def made_once(make: Callable[[], Made], *asked: Any) -> Made:
    """``make()``, or what it made before for the same ``asked`` on the same ground.

    Made anew where it changes rows that were there before, within ``pretend_now``, whose times are the point, and as a
    role that may not put rows past the triggers.
    """
    connection.ensure_connection()
    if pretended() is not None or connection.connection.info.parameter_status("is_superuser") != "on":
        return make()
    with transaction.atomic():
        key = pickle.dumps(asked)
        if key not in _kept:
            made, _kept[key] = _recorded(make)
            return made
        snapshot = _kept[key]
        if snapshot is None:
            return make()
        _put_back(snapshot)
        return pickle.loads(snapshot.made)


def _recorded(make: Callable[[], Made]) -> tuple[Made, Snapshot | None]:
    tables = _tables()
    with connection.cursor() as cursor:
        # The id of this savepoint, which only a row can tell: those of all statements from here on are no lower.
        cursor.execute("CREATE TEMPORARY TABLE here AS SELECT 1")
        cursor.execute("SELECT xmin::text::bigint FROM here")
        (first,) = cursor.fetchone()
        cursor.execute("DROP TABLE here")
        before = _counts(cursor, tables, f"xmin::text::bigint < {first}")
        made = make()
        if _counts(cursor, tables, f"xmin::text::bigint < {first}") != before:
            return made, None
        new = _counts(cursor, tables, f"xmin::text::bigint >= {first}")
        rows = []
        for table, columns in tables.items():
            if not new[table]:
                continue
            listed = ", ".join(f'"{column}"' for column in columns)
            query = f'SELECT {listed} FROM "{table}" WHERE xmin::text::bigint >= {first}'
            with cursor.cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
                rows.append((f'COPY "{table}" ({listed}) FROM STDIN', b"".join(bytes(part) for part in copy)))
    return made, Snapshot(pickle.dumps(made), tuple(rows))


def _put_back(snapshot: Snapshot) -> None:
    """The rows as they were: no trigger looks at them a second time."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement, text in snapshot.rows:
            with cursor.cursor.copy(statement) as copy:
                copy.write(text)
        cursor.execute("SET LOCAL session_replication_role = origin")
    policies._parsed.clear()  # Versions never change, but tests that break them roll that back.


def _tables() -> dict[str, list[str]]:
    """The columns of each table that a row can be given; the database fills in those of transactions itself."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            found[model._meta.db_table] = [
                field.column
                for field in model._meta.local_concrete_fields
                if not isinstance(field, XactIdField | models.GeneratedField)
            ]
    return found


def _counts(cursor: Any, tables: dict[str, list[str]], condition: str) -> dict[str, int]:
    each = (f"SELECT '{table}', count(*) FROM \"{table}\" WHERE {condition}" for table in tables)
    cursor.execute(" UNION ALL ".join(each))
    return dict(cursor.fetchall())
