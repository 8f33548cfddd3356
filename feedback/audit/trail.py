"""Reading the trail: one page of every source together, newest first, by keyset and never by count or offset.

Each source gives its newest rows below the cursor along its own index; the newest of them all are the page. So a page
costs the same at a thousand rows and at ten million. What no index answers is cut off by the clock.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, models, transaction
from psycopg.errors import QueryCanceled

from cases.errors import CountersignError
from cases.ids import to_wire
from cases.models import CaseEvent, Tenant, User

from .sources import Source, source_named, sources

SHOWN = 50
PATIENCE = 8  # seconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 20  # of a number as text, so that text sorts as the number does


class TooMuchToRead(CountersignError):
    code = "too_much_to_read"
    title = "Too much to look through"


@dataclass(frozen=True)
class Question:
    """What is looked for in the trail of ``tenant``, by ``me``, who may see it. Empty is everything.

    ``people``: any of these did it, or it was done on their behalf; empty but not None finds nothing. ``kind`` is one
    of events, ``request`` the id of a request, task or command. ``rights`` are those that ``me`` holds in the tenant.
    """

    tenant: Tenant
    me: User
    rights: frozenset[str] | None = frozenset()  # None: all of them
    case: UUID | None = None
    action: UUID | None = None
    people: tuple[UUID, ...] | None = None
    kind: str = ""
    source: str = ""
    request: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def may(self, right: str) -> bool:
        return not right or self.rights is None or right in self.rights


@dataclass
class Row:
    """One thing that happened. ``data`` is the row as it is stored, ``before`` the version before it, of a change."""

    source: Source
    key: str
    at: datetime
    who: UUID | None
    behalf: UUID | None
    case: UUID | None
    reason: str
    request: str
    text: UUID | None
    data: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None

    @property
    def cursor(self) -> str:
        micros = (self.at - _EPOCH) // timedelta(microseconds=1)
        return f"{micros}.{sources().index(self.source)}.{self.key}"


@dataclass(frozen=True)
class Cursor:
    """After this row, in the order of the trail: newest first, then by source, then by key downwards."""

    at: datetime
    place: int
    key: UUID | int

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """None for what no page of ours links to."""
        try:
            micros, place, key = text.split(".")
            at, number = _EPOCH + timedelta(microseconds=int(micros)), int(place)
            if number < 0 or not (key.isascii() and place.isascii()):
                return None
            if _has_uuid(sources()[number]):
                return cls(at, number, UUID(key))
            return cls(at, number, int(key)) if len(key) < _DIGITS - 1 else None
        except (ValueError, IndexError, OverflowError):
            return None


def _has_uuid(source: Source) -> bool:
    pk = source.model._meta.pk
    return isinstance(pk.target_field if pk.is_relation else pk, models.UUIDField)


def page(question: Question, after: Cursor | None = None, size: int = SHOWN) -> tuple[list[Row], bool]:
    """At most ``size`` rows after the cursor, and whether there are more. Raises ``TooMuchToRead``."""
    rows = found(question, after, size + 1)
    shown = rows[:size]
    _load(shown)
    return shown, len(rows) > size


def found(question: Question, after: Cursor | None, limit: int) -> list[Row]:
    """The rows without their data: for an export, which reads them itself."""
    asked = [
        (place, source)
        for place, source in enumerate(sources())
        if source in _asked(question) and _may(question, source) and (_has_request(source) or not question.request)
    ]
    if not asked or question.people == ():
        return []
    params = {
        "tenant": question.tenant.pk,
        "me": question.me.pk,
        "case": question.case,
        "action": question.action,
        "subject": to_wire("act", question.action) if question.action else "",
        "people": list(question.people or ()),
        "kind": question.kind,
        "request": question.request,
        "since": question.since,
        "until": question.until,
        "limit": limit,
        "after_at": after and after.at,
        "after_key": after and after.key,
    }
    branches = " UNION ALL ".join(f"({_branch(question, place, source, after)})" for place, source in asked)
    sql = f'SELECT * FROM ({branches}) trail ORDER BY at DESC, place, "key" COLLATE "C" DESC LIMIT %(limit)s'
    return [
        Row(sources()[place], key.lstrip("0") if key.isdigit() else key, *rest)
        for place, key, *rest in _fetch(sql, params)
    ]


def _asked(question: Question) -> Sequence[Source]:
    """The sources that can have an answer. Without a case only those that keep the tenant's order in time."""
    if question.kind:
        return [one for one in sources() if one.model is CaseEvent]
    if question.source:
        one = source_named(question.source)
        return (
            [one] if one and (one.tenant or question.case) and (_tells_of_actions(one) or not question.action) else []
        )
    if question.action:
        return [one for one in sources() if _tells_of_actions(one)]
    return [one for one in sources() if (one.case if question.case else one.tenant)]


def _tells_of_actions(source: Source) -> bool:
    return bool(source.action) or source.model is CaseEvent


def _has_request(source: Source) -> bool:
    return source.request != "''"


def _may(question: Question, source: Source) -> bool:
    return question.may(source.right)


def _branch(question: Question, place: int, source: Source, after: Cursor | None) -> str:
    key = f't."{source.key}"'
    at = f't."{source.at}"'
    text_key = f"{key}::text" if _has_uuid(source) else f"lpad({key}::text, {_DIGITS}, '0')"
    where = [source.only or "true"]
    own = [f"{source.tenant} = %(tenant)s"] if source.tenant else []
    if question.case:
        where.append(source.case_is or f"{source.case} = %(case)s" if source.case else "false")
    if question.action:
        where.append(f"{source.action} = %(action)s" if source.action else "t.subject = %(subject)s")
    if question.kind:
        where.append("t.kind = %(kind)s")
    if question.request:  # The second condition is the indexes' own.
        where.append(f"{source.request} = %(request)s AND {source.request} <> ''")
    if question.people is not None:
        where.append(f"({source.who} = ANY(%(people)s::uuid[]){_or_behalf(source)})")
    if question.since:
        where.append(f"{at} >= %(since)s")
    if question.until:
        where.append(f"{at} < %(until)s")
    if source.vote:
        where.append(f"NOT ({source.vote} AND {_open_poll(source)})")
    if after:
        if place == after.place:
            where.append(f"({at}, {key}) < (%(after_at)s, %(after_key)s)")
        else:
            where.append(f"{at} {'<' if place < after.place else '<='} %(after_at)s")
    newest = f"ORDER BY {at} DESC, {key} DESC LIMIT %(limit)s"
    if source.each and question.people is None and not question.request:
        above = source.up.split()[1]
        one = f'SELECT * FROM "{source.table}" t WHERE {" AND ".join([source.each, *where])} {newest}'
        rows = f'"{above}" up CROSS JOIN LATERAL ({one}) t WHERE {" AND ".join(own)}'
    else:
        rows = f'"{source.table}" t {source.up} WHERE {" AND ".join([*own, *where])}'
    return f"""
        SELECT {place} AS place, {text_key} AS "key", {at} AS at, {source.who} AS who, {source.behalf} AS behalf,
            {source.case or "NULL::uuid"} AS "case", coalesce({source.reason}, '') AS reason,
            {source.request} AS request, {source.text} AS "text"
        FROM {rows} {newest}"""


def _or_behalf(source: Source) -> str:
    return "" if source.behalf.startswith("NULL") else f" OR {source.behalf} = ANY(%(people)s::uuid[])"


def hides_any(question: Question, source: Source, keys: Sequence[str]) -> bool:
    """Whether one of these rows is a vote of somebody else in a question that is still open, or is shown to nobody."""
    hidden = [f"{source.vote} AND {_open_poll(source)}"] if source.vote else []
    hidden += [f"NOT ({source.only})"] if source.only else []
    if not hidden:
        return False
    kind = "uuid" if _has_uuid(source) else "bigint"
    sql = f"""SELECT EXISTS (SELECT FROM "{source.table}" t {source.up}
        WHERE t."{source.key}" = ANY(%(keys)s::{kind}[]) AND ({" OR ".join(f"({one})" for one in hidden)}))"""
    return _fetch(sql, {"keys": list(keys), "me": question.me.pk})[0][0]


def _open_poll(source: Source) -> str:
    return f"EXISTS (SELECT FROM feedback_poll p WHERE p.case_id = {source.case} AND p.closed_at IS NULL)"


def _load(rows: Iterable[Row]) -> None:
    """Each row's data and, of a change, the version before: one statement for the page."""
    by_source: dict[Source, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    if not by_source:
        return
    parts, params = [], {}
    for place, (source, ones) in enumerate(by_source.items()):
        params[f"keys{place}"] = [row.key for row in ones]
        before = "NULL::jsonb"
        if source.is_history:
            before = f"""(SELECT to_jsonb(b) FROM "{source.table}" b WHERE b.id = t.id AND b.history_id < t.history_id
                ORDER BY b.history_id DESC LIMIT 1)"""
        kind = "uuid" if _has_uuid(source) else "bigint"
        parts.append(
            f'SELECT {place}, t."{source.key}"::text, to_jsonb(t), {before} FROM "{source.table}" t '
            f'WHERE t."{source.key}" = ANY(%(keys{place})s::{kind}[])'
        )
    known = {(row.source, row.key): row for row in rows}
    ordered = list(by_source)
    for place, key, data, before in _fetch(" UNION ALL ".join(f"({part})" for part in parts), params):
        row = known[ordered[place], key]
        row.data, row.before = json.loads(data), json.loads(before) if before else None


def _fetch(sql: str, params: Mapping[str, Any]) -> list[tuple]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Compiling this many branches would cost more than reading them.
            cursor.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = '{PATIENCE}s'")
            cursor.execute(sql, params)
            return cursor.fetchall()
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise TooMuchToRead(
            f"This took more than {PATIENCE} seconds and was stopped: give a case, a person or a shorter window."
        ) from error
