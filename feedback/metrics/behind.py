"""The cases behind a number: from the very facts that are summed, so that list and number agree, in the hours whose
sums hold some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from cases.clock import db_now
from cases.models import Case

from ..models import Review
from .definitions import BY_MEASURE, BY_METRIC, REPEATED_CASES, SEVERAL, Dimension, Metric
from .facts import COLUMNS, FACTS_WITHIN
from .holding import Span, spans_holding
from .reading import BadQuestion, Question

SHOWN = 50


@dataclass(frozen=True)
class Step:
    """One step on a case's way, as sums of measures and what is taken off them."""

    name: str
    words: str
    measures: tuple[str, ...]
    less: tuple[str, ...] = ()

    def count(self, sums: Mapping[str, int]) -> int:
        return int(sum(sums[name] for name in self.measures) - sum(sums[name] for name in self.less))


FUNNEL = (
    Step("taken_in", "Taken in", ("opened", "withdrawn")),
    Step("escalated", "Sent to people by triage", ("escalated",)),
    Step("automatic", "Approved automatically", ("automatic",)),
    Step("by_people", "Decided by people", ("approved", "rejected"), ("automatic",)),
    Step("rejected", "of these rejected", ("rejected",)),
    Step("withdrawn", "Withdrawn by the caller", ("withdrawn",)),
    Step("not_final", "Open, or not final yet", ("opened",), ("approved", "rejected")),
)


def step_named(name: str) -> Step | None:
    """What a link names: a step of the funnel, or ``metric.above`` and ``metric.below``. None for anything else."""
    if step := next((step for step in FUNNEL if step.name == name), None):
        return step
    metric_name, _, part = name.partition(".")
    metric = BY_METRIC.get(metric_name)
    if metric is None or metric.source is None or part not in ("above", "below"):
        return None
    measures = measures_behind(metric, part)
    return Step(name, ", ".join(BY_MEASURE[measure].words for measure in measures), measures)


Row = tuple[datetime, UUID, UUID | None]  # when, the case, the review


@dataclass(frozen=True)
class Fact:
    """A case that counted, or a review of it, and when."""

    at: datetime
    case: Case
    review: Review | None

    @property
    def cursor(self) -> str:
        """Where the next page goes on."""
        return f"{self.at.isoformat()}_{(self.review or self.case).pk}"


def measures_behind(metric: Metric, part: str) -> tuple[str, ...]:
    """The conditions that the facts behind the metric's ``above`` or ``below`` fulfil.

    What a mean adds up (seconds, characters, scores) is no condition: all facts of the mean stand behind it.
    """
    if metric.source is None:
        raise BadQuestion("The age of the queue is counted from what waits now: look at the list of waiting cases.")
    names = {"audit_weight": "audited", "audit_error_weight": "audit_errors", REPEATED_CASES: "escalated"}
    chosen = [names.get(name, name) for name in (metric.above if part == "above" else metric.below)]
    if all(BY_MEASURE[name].is_condition for name in chosen):
        return tuple(chosen)
    return metric.below


def facts_behind(
    question: Question,
    measures: Sequence[str],
    *,
    less: Sequence[str] = (),
    slot: tuple[int, int] | None = None,
    after: str = "",
) -> tuple[list[Fact], bool]:
    """A page of the facts with any of ``measures`` and none of ``less``, newest first, and whether there are more.

    ``slot`` is a weekday (Monday is 1) and an hour of the tenant's zone; ``after`` the last fact's ``cursor``.

    Raises ``BadQuestion`` for a cursor that is none.
    """
    cursor = _read_cursor(after) if after else None
    if cursor:
        question = _until(question, cursor[0])
    rows: list[Row] = []
    if question:
        for spans in spans_holding(question, measures, less, slot=slot, enough=SHOWN + 1):
            rows += _rows_within(question, measures, less, spans, cursor)
            if len(rows) > SHOWN:  # Fewer where something has changed since it was summed: then further back.
                break
    cases = Case.objects.with_text().in_bulk([case_id for _, case_id, _ in rows])
    reviews = Review.objects.select_related("reviewer").in_bulk([review_id for *_, review_id in rows if review_id])
    found = [Fact(at, cases[case_id], reviews.get(review_id)) for at, case_id, review_id in rows[:SHOWN]]
    return found, len(rows) > SHOWN


def _until(question: Question, at: datetime) -> Question | None:
    """``question`` up to and with ``at``."""
    end = min(question.end, at + timedelta(microseconds=1))
    return replace(question, end=end) if end > question.start else None


def _rows_within(
    question: Question,
    measures: Sequence[str],
    less: Sequence[str],
    spans: Sequence[Span],
    cursor: tuple[datetime, UUID] | None,
) -> list[Row]:
    added, taken = (" + ".join(f"f.{name}" for name in names) or "0" for names in (measures, less))
    where, values = [f"({added}) > ({taken})"], _values(question)
    values |= {"starts": [span.start for span in spans], "ends": [min(span.end, question.end) for span in spans]}
    values["domains"] = [span.domain for span in spans]
    if question.domain:
        where.append("f.domain = %(domain)s")
    if question.only:
        where.append(_key_condition(question.only[0]))
    if cursor:
        values["after"], values["last"] = cursor
        where.append("(f.at, COALESCE(f.review_id, f.case_id)) < (%(after)s, %(last)s)")
    facts = FACTS_WITHIN[BY_MEASURE[measures[0]].source]
    with connection.cursor() as database:
        database.execute(
            f"SELECT f.at, f.case_id, f.review_id FROM ({facts}) f ({', '.join(COLUMNS)}) "
            f"WHERE {' AND '.join(where)} ORDER BY f.at DESC, COALESCE(f.review_id, f.case_id) DESC LIMIT {SHOWN + 1}",
            values,
        )
        return database.fetchall()


def _values(question: Question) -> dict:
    return {
        "tenant": question.tenant_id,
        "now": db_now(),
        "domain": question.domain,
        "key": question.only[1] if question.only else "",
    }


def _key_condition(dimension: Dimension) -> str:
    return f"%(key)s = ANY(f.{dimension})" if dimension in SEVERAL else f"left(f.{dimension}, 250) = %(key)s"


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    at, _, key = text.partition("_")
    try:
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None:
            raise ValueError
        return instant, UUID(key)
    except ValueError:
        raise BadQuestion("This page does not exist: go back to the first one.") from None
