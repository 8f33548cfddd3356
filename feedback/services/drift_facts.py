"""What the watch over releases reads: the facts of metrics, summed by day, stratum and level of retrieval.

The roll-ups are not split by language, nor by two dimensions at once, so this goes back to the facts, the newest
``MOST`` of each side. A case counts on the day on which it was opened, and so do its reviews: by the day on which they
were written, the first days of a release would hold those that are done quickly.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from cases.models import Release

from ..drift.cells import Cell, Group
from ..drift.findings import WATCHED
from ..metrics.definitions import BY_METRIC, Source
from ..metrics.facts import COLUMNS, FACTS_OF

MOST = 20_000  # facts of one side and one source
RIPE = 0.8  # of a day's cases have their outcome or their review, from which the day counts
SIGNALS = {"retrieval_score": 10.0, "rerank_margin": 20.0}  # each with its levels in one unit; ten levels at most
OF_REVIEWS = ("override_rate", "average_handling_time", "reviewer_edit_distance")

_DRAFT = {
    Source.CASE: "JOIN cases_draft d ON d.case_id = f.case_id AND d.number = 1",
    Source.REVIEW: "JOIN feedback_review r ON r.id = f.review_id JOIN cases_draft d ON d.id = r.draft_id",
}
_NAMES = {
    source: tuple(name for name in WATCHED if BY_METRIC[name].source == source)
    for source in (Source.CASE, Source.REVIEW)
}


def _pair(name: str) -> tuple[str, str]:
    """A metric's a and b of one fact ``f``."""
    metric = BY_METRIC[name]
    return tuple(f"({' + '.join(f'f.{part}' for part in parts)})::float8" for parts in (metric.above, metric.below))


def _sums(name: str) -> str:
    a, b = _pair(name)
    return f"count(*) FILTER (WHERE {b} <> 0), sum({a}), sum({b}), sum({a} * {a}), sum({a} * {b}), sum({b} * {b})"


def _grouped(source: Source, sign: str) -> str:
    return f"""
        SELECT (c.opened_at AT TIME ZONE %(zone)s)::date - %(first)s::date, c.domain,
            split_part(lower(c.language), '-', 1), c.risk,
            CASE WHEN d.signals ? %(signal)s
                THEN LEAST(9, floor((d.signals ->> %(signal)s)::float8 * %(levels)s))::int END,
            {", ".join(_sums(name) for name in _NAMES[source])}
        FROM (
            SELECT * FROM ({FACTS_OF[source]}) f ({", ".join(COLUMNS)})
            WHERE f.release {sign} %(release)s ORDER BY f.at DESC LIMIT {MOST}
        ) f
        JOIN cases_case c ON c.id = f.case_id
        {_DRAFT[source]}
        WHERE c.opened_at >= %(opened_from)s AND c.opened_at < %(opened_until)s
        GROUP BY 1, 2, 3, 4, 5
    """


_GROUPED = {
    (source, is_after): _grouped(source, "=" if is_after else "<>") for source in _NAMES for is_after in (False, True)
}

# By what releases and which versions of policies the newest cases of a span were judged, and which signals they have.
_WAYS = f"""
    SELECT d.release_id, c.domain, d.policy_version_id, d.threshold, count(*),
        {", ".join(f"count(*) FILTER (WHERE d.signals ? '{name}')" for name in SIGNALS)}
    FROM (
        SELECT id, domain FROM cases_case
        WHERE tenant_id = %(tenant)s AND opened_at >= %(opened_from)s AND opened_at < %(opened_until)s
          AND purpose = 'real' AND state <> 'withdrawn'
        ORDER BY opened_at DESC LIMIT {MOST}
    ) c
    JOIN cases_draft d ON d.case_id = c.id AND d.number = 1
    WHERE (d.release_id = %(release)s) = %(is_after)s
    GROUP BY 1, 2, 3, 4
"""

_SINGLE = f"""
    SELECT f.case_id, {{columns}} FROM ({{facts}}) f ({", ".join(COLUMNS)}) WHERE f.case_id = ANY(%(cases)s)
"""


@dataclass(frozen=True)
class Way:
    """``cases`` of one domain that one release drafted and one version of a policy judged by ``threshold``."""

    release_id: UUID
    domain: str
    version_id: UUID | None
    threshold: float
    cases: int
    signals: Mapping[str, int]


@dataclass(frozen=True)
class Span:
    """What is compared: cases opened in [``since``, ``at``) of other releases, with those in [``at``, ``until``) of
    ``release``; ``now`` says what is final."""

    release: Release
    since: datetime
    at: datetime
    until: datetime
    now: datetime
    zone: str

    def values(self, *, is_after: bool) -> dict[str, Any]:
        return {
            "tenant": self.release.tenant_id,
            "release": str(self.release.pk),
            "is_after": is_after,
            "opened_from": self.at if is_after else self.since,
            "opened_until": self.until if is_after else self.at,
            "first": self.since,
            "now": self.now,
            "zone": self.zone,
        }


def ways(span: Span, *, is_after: bool) -> list[Way]:
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, span.values(is_after=is_after))
        return [
            Way(release, domain, version, threshold, cases, dict(zip(SIGNALS, counts, strict=True)))
            for release, domain, version, threshold, cases, *counts in cursor.fetchall()
        ]


def signal_of(before: Sequence[Way], after: Sequence[Way]) -> str:
    """The retrieval signal that most drafts of both sides have; the first one where none has it."""

    def seen(name: str) -> float:
        return min(
            sum(way.signals[name] for way in side) / max(1, sum(way.cases for way in side)) for side in (before, after)
        )

    return max(SIGNALS, key=seen)


def groups_of(span: Span, signal: str) -> dict[str, list[Group]]:
    """Per metric what its facts add up to. Four queries."""
    found: dict[str, list[Group]] = {name: [] for name in WATCHED}
    for (source, is_after), sql in _GROUPED.items():
        values = span.values(is_after=is_after) | {"signal": signal, "levels": SIGNALS[signal]}
        # Reviews of cases opened before may be written after; none is written before its case was opened.
        values |= {
            "start": values["opened_from"],
            "end": span.now if source == Source.REVIEW else values["opened_until"],
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            rows = cursor.fetchall()
        for day, domain, language, risk, level, *sums in rows:
            for place, name in enumerate(_NAMES[source]):
                cell = Cell(*sums[6 * place : 6 * place + 6])
                if cell.n:
                    found[name].append(Group(is_after, day, (domain, language, risk), level, cell))
    return _ripe(found)


def _ripe(groups: dict[str, list[Group]]) -> dict[str, list[Group]]:
    """Without the days of which too little is decided: what comes soon is not like what comes late."""
    opened, escalated = _by_day(groups["escalation_rate"], "b"), _by_day(groups["escalation_rate"], "a")
    decided, handled = _by_day(groups["rejection_rate"], "b"), _by_day(groups["average_handling_time"], "b")
    ripe = {name: (decided, opened) if name == "rejection_rate" else (handled, escalated) for name in WATCHED}
    kept = dict(groups)
    for name in ("rejection_rate", *OF_REVIEWS):
        done, due = ripe[name]
        kept[name] = [one for one in groups[name] if done[_day(one)] >= RIPE * due[_day(one)]]
    return kept


def _day(group: Group) -> tuple[bool, int]:
    return group.is_after, group.day


def _by_day(groups: Sequence[Group], part: str) -> dict[tuple[bool, int], float]:
    sums: dict[tuple[bool, int], float] = defaultdict(float)
    for group in groups:
        sums[_day(group)] += getattr(group.cell, part)
    return sums


@dataclass(frozen=True)
class Single:
    """What one case adds to each metric as (a, b): of itself, and of the first review of its first draft."""

    of: Mapping[str, tuple[float, float]]
    is_wrong: bool | None  # what the person said of the draft; None where nobody looked


def singles(span: Span, cases: Sequence[UUID]) -> dict[UUID, Single]:
    """The facts of some cases of before. Two queries."""
    parts: dict[UUID, dict[str, tuple[float, float]]] = defaultdict(dict)
    wrong: dict[UUID, bool] = {}
    for source, names in _NAMES.items():
        columns = ", ".join(column for name in names for column in _pair(name))
        sql = _SINGLE.format(columns=f"f.reviewed, f.accepted, {columns}", facts=FACTS_OF[source])
        if source == Source.REVIEW:
            sql += " ORDER BY f.at DESC"  # The first one comes last, and counts.
        values = span.values(is_after=False) | {"cases": list(cases)}
        values |= {"start": span.since, "end": span.now if source == Source.REVIEW else span.at}
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            for case_id, reviewed, accepted, *pairs in cursor.fetchall():
                parts[case_id] |= dict(zip(names, zip(pairs[::2], pairs[1::2], strict=True), strict=True))
                if reviewed:
                    wrong[case_id] = not accepted
    return {case_id: Single(of, wrong.get(case_id)) for case_id, of in parts.items()}
