"""Reading the audit tables for seals: every row as text, in the order of transactions, with bounded memory.

Each table is read by one server-side cursor along its index on ``xid``; the tables are merged by transaction. Nothing
but the shape (which columns, and how each becomes text) decides the bytes, so that a table that got a column since can
still be verified as it was sealed.
"""

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

from django.db import connection, models

from ..digests import canonical
from ..history import sealed_models
from ..models import SealShape
from ..seals import row_bytes

FETCHED = 500  # rows of one table at a time

# Whatever a server or a role was set to: these decide how PostgreSQL writes values as text.
SPELLING = """
    SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';
    SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'
"""
AS_TEXT = {
    "text": "{}::text",
    "instant": "(extract(epoch FROM {}) * 1000000)::bigint::text",
    "bytes": "encode({}, 'hex')",
}


@dataclass(frozen=True)
class Shape:
    """The columns of ``table`` as ``name kind``, sorted by name."""

    table: str
    columns: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical({"columns": list(self.columns), "table": self.table})).hexdigest()

    @property
    def names(self) -> list[str]:
        return [column.partition(" ")[0] for column in self.columns]


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read: ``values`` are those of the columns of its reader's shape, in that order."""

    table: str
    xid: int
    key: str
    values: Sequence[str | None]


@cache
def shapes() -> dict[str, Shape]:
    """Every sealed table as the models have it now."""
    return {model._meta.db_table: Shape(model._meta.db_table, _columns(model)) for model in sealed_models()}


def _columns(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(sorted(f"{field.column} {_kind(field)}" for field in model._meta.local_concrete_fields))


def _kind(field: models.Field) -> str:
    if isinstance(field, models.DateTimeField):
        return "instant"
    return "bytes" if isinstance(field, models.BinaryField) else "text"


@cache
def key_columns() -> dict[str, str]:
    """The primary key of every sealed table: numbers and UUIDs, whose order is everywhere the same."""
    return {model._meta.db_table: model._meta.pk.column for model in sealed_models()}


def keep_shapes() -> None:
    """Store the shapes of now, where they are not stored yet."""
    SealShape.objects.bulk_create(
        [SealShape(digest=one.digest, table=one.table, columns=list(one.columns)) for one in shapes().values()],
        ignore_conflicts=True,
    )


def spell() -> None:
    """Values become text in one way until the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(SPELLING)


def columns_in_place() -> dict[str, set[str]]:
    """Which columns the database has, by sealed table; a table that is gone is missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname::text, array_agg(attname::text) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE c.oid = ANY (SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) name)
                 AND attnum > 0 AND NOT attisdropped GROUP BY relname""",
            [sorted(key_columns())],
        )
        return {table: set(columns) for table, columns in cursor.fetchall()}


class Rows:
    """The rows of transactions from ``from_xid`` to below ``upto_xid``; a context within one transaction.

    ``below`` hands them out by transaction, table and key. The transaction must have asked to ``spell``.
    """

    def __init__(self, wanted: Mapping[str, Shape], from_xid: int, upto_xid: int) -> None:
        self._wanted, self._bounds = wanted, [str(from_xid), str(upto_xid)]
        self._next: list[tuple[int, str, Row, Iterator[Row]]] = []
        self._cursors = ExitStack()

    def __enter__(self) -> "Rows":
        try:
            for table in sorted(self._with_rows()):
                rows = self._open(self._wanted[table])
                if (first := next(rows, None)) is not None:
                    heapq.heappush(self._next, (first.xid, table, first, rows))
        except BaseException:
            self._cursors.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._cursors.close()

    def _with_rows(self) -> list[str]:
        if not self._wanted:
            return []
        asked = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\" WHERE xid >= %s::xid8 AND xid < %s::xid8)"
            for table in self._wanted
        )
        with connection.cursor() as cursor:
            cursor.execute(asked, self._bounds * len(self._wanted))
            return [table for (table,) in cursor.fetchall()]

    def _open(self, shape: Shape) -> Iterator[Row]:
        selected = ", ".join(
            AS_TEXT[kind].format(f'row."{name}"') for name, kind in (column.split(" ") for column in shape.columns)
        )
        key = key_columns()[shape.table]
        cursor = self._cursors.enter_context(connection.chunked_cursor())
        cursor.execute(
            f"""SELECT row.xid::text, row."{key}"::text, {selected} FROM "{shape.table}" row
                WHERE row.xid >= %s::xid8 AND row.xid < %s::xid8 ORDER BY row.xid, row."{key}" """,
            self._bounds,
        )
        while fetched := cursor.fetchmany(FETCHED):
            for xid, pk, *values in fetched:
                yield Row(shape.table, int(xid), pk, values)

    def next_xid(self) -> int | None:
        """The transaction whose rows come next; None at the end."""
        return self._next[0][0] if self._next else None

    def below(self, xid: int) -> Iterator[Row]:
        """The rows of transactions below ``xid`` that were not handed out yet; to be read to its end."""
        waiting = self._next
        while waiting and waiting[0][0] < xid:
            at, table, row, rows = waiting[0]
            while row is not None and row.xid == at:
                yield row
                row = next(rows, None)
            if row is None:
                heapq.heappop(waiting)
            else:
                heapq.heapreplace(waiting, (row.xid, table, row, rows))


def dump(row: Row, shape: Shape) -> bytes:
    """The bytes of ``row``, read by this very shape."""
    return row_bytes(row.table, dict(zip(shape.names, row.values, strict=True)))
