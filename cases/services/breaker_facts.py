"""What breakers count, read from the rows: single observations in the order of their commits, and counts of slots.

Events below the oldest running transaction can no longer be joined by one that commits late, so that a mark of
(transaction, event) misses none and takes none twice. Decisions are read once they can no longer be undone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from ..models import BreakerRule, CaseEvent
from ..vocabulary import Trigger, Verdict

UNDO_GRACE = timedelta(seconds=5)  # An undo that began in time commits so long afterwards at most.
LATE = timedelta(seconds=60)  # An intake commits so long after it looked at the clock at most.

W, K = BreakerRule.Watches, CaseEvent.Kind

_KINDS = {True: (K.DECIDED, K.AUDITED), False: (K.OPENED,)}  # by whether decisions of people are counted
# What triage would have let through, were it not for the switch: a stop is no news about the AI.
_PASSES = f"d.triggers <@ ARRAY['{Trigger.AUTOMATION_STOPPED}']::varchar[]"
_HAS_TOOLS = "jsonb_typeof(t.body -> 'tool_results') = 'array' AND t.body -> 'tool_results' <> '[]'"

# Per watched thing: which events are observations, and which of them are hits. ``e`` is the event, ``d`` the draft.
_TRIALS = {
    W.OVERRIDES: "NOT d.is_absent AND NOT undone.is_undone",
    W.DENIALS: "d.model_decision <> ''",
    W.ESCALATIONS: "true",
    W.AUTOMATIC: "true",
    W.TOOL_FAILURES: _HAS_TOOLS,
}
_HITS = {
    W.OVERRIDES: f"e.kind = '{K.DECIDED}' AND e.data ->> 'verdict' <> '{Verdict.ACCEPT}'",
    W.DENIALS: "d.model_decision = %(decision)s",
    W.ESCALATIONS: f"NOT {_PASSES}",
    W.AUTOMATIC: _PASSES,
    W.TOOL_FAILURES: """t.body @? '$.tool_results[*] ? (@.status <> "ok")'""",
}
_UNDONE = f"""
    LEFT JOIN LATERAL (
        SELECT COALESCE((
            SELECT u.kind = '{K.UNDONE}' FROM cases_caseevent u
            WHERE u.case_id = e.case_id AND u.id > e.id AND u.kind IN ('{K.UNDONE}', '{K.DECIDED}')
            ORDER BY u.id LIMIT 1
        ), false) AS is_undone
    ) undone ON true
"""
_TEXTS = "JOIN cases_content t ON t.id = d.content_id"

_RANGES = {
    "after": ("(v.xid, v.id) > (%(xid)s::text::xid8, %(event)s) AND v.xid < %(horizon)s::text::xid8", ""),
    "before": ("(v.xid, v.id) <= (%(xid)s::text::xid8, %(event)s)", "DESC"),
}


@dataclass(frozen=True)
class Seen:
    """One event. ``is_trial``: the breaker counts it; ``is_ripe``: nothing can change it any more."""

    xid: int
    event_id: UUID
    at: datetime
    is_ripe: bool
    is_trial: bool
    is_hit: bool
    domain: str
    decision: str
    release_id: UUID


def horizon() -> int:
    """Every transaction below this one has ended, in the eyes of the current statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return int(cursor.fetchone()[0])


def events_after(rule: BreakerRule, xid: int, event_id: UUID, *, below: int, now: datetime, limit: int) -> list[Seen]:
    """The next events of ``rule`` after the mark, in the order of their commits, up to the first that is not ripe."""
    found = []
    for seen in _events(rule, "after", xid, event_id, below=below, now=now, limit=limit):
        if not seen.is_ripe:
            break
        found.append(seen)
    return found


def events_before(rule: BreakerRule, xid: int, event_id: UUID, *, now: datetime, limit: int) -> Iterator[Seen]:
    """The events up to the mark, newest first, as far as a new breaker learns from them."""
    return _events(rule, "before", xid, event_id, below=xid, now=now, limit=limit)


def _events(
    rule: BreakerRule, way: str, xid: int, event_id: UUID, *, below: int, now: datetime, limit: int
) -> Iterator[Seen]:
    watches = W(rule.watches)
    of_people = watches == W.OVERRIDES
    within, order = _RANGES[way]
    narrowed = "true" if watches == W.DENIALS else "%(decision)s IN ('', d.model_decision)"
    # Limited before anything is joined or left out: each call reads so many events at most, and the mark passes all.
    # A person decides the latest draft of that moment; what came in is judged by the first.
    query = f"""
        SELECT e.xid::text, e.id, e.at, e.at <= %(ripe)s, c.purpose = 'real'
                AND %(domain)s IN ('', c.domain) AND {narrowed} AND COALESCE({_TRIALS[watches]}, false),
            COALESCE({_HITS[watches]}, false),
            c.domain, d.model_decision, d.release_id
        FROM (
            SELECT v.* FROM cases_caseevent v
            WHERE v.tenant_id = %(tenant)s AND v.kind IN ({", ".join(f"'{kind}'" for kind in _KINDS[of_people])})
              AND {within} ORDER BY v.xid {order}, v.id {order} LIMIT %(limit)s
        ) e
        JOIN cases_case c ON c.id = e.case_id
        JOIN LATERAL (
            SELECT * FROM cases_draft f WHERE f.case_id = c.id
            {"AND f.created_at <= e.at ORDER BY f.number DESC" if of_people else "ORDER BY f.number"} LIMIT 1
        ) d ON true
        {_UNDONE if of_people else ""} {_TEXTS if watches == W.TOOL_FAILURES else ""}
        ORDER BY e.xid {order}, e.id {order}
    """
    wait = timedelta(seconds=rule.tenant.undo_seconds) + UNDO_GRACE if of_people else timedelta(0)
    values = {
        "tenant": rule.tenant_id,
        "xid": str(xid),
        "event": event_id,
        "horizon": str(below),
        "ripe": now - wait,
        "domain": rule.domain,
        "decision": rule.decision,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return iter([Seen(int(number), *rest) for number, *rest in cursor.fetchall()])


def slots(rule: BreakerRule, start: datetime, count: int) -> Sequence[tuple[int, str, str, UUID, int]]:
    """The new cases in each of ``count`` slots from ``start``: slot from 0, domain, decision, release and cases."""
    query = """
        SELECT floor(extract(epoch FROM c.opened_at - %(start)s) / %(seconds)s)::int, c.domain, d.model_decision,
            d.release_id, count(*)
        FROM cases_case c JOIN cases_draft d ON d.case_id = c.id AND d.number = 1
        WHERE c.tenant_id = %(tenant)s AND c.opened_at >= %(start)s AND c.opened_at < %(end)s AND c.purpose = 'real'
          AND %(domain)s IN ('', c.domain) AND %(decision)s IN ('', d.model_decision)
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    """
    length = timedelta(minutes=rule.slot_minutes)
    values: dict[str, Any] = {
        "tenant": rule.tenant_id,
        "start": start,
        "end": start + count * length,
        "seconds": length.total_seconds(),
        "domain": rule.domain,
        "decision": rule.decision,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
