"""Every metric, once: its formula, its unit, its words and the SQL that counts for it.

A *measure* is a number that one fact (a case, or a review) adds to its hour: mostly 0 or 1. A *metric* is one sum of
measures over another. The roll-ups, the raw query, the API, the page and its lists of cases are all made from these
lines, so that no two of them can disagree about what is counted.

What counts, in one rule. A case counts in the hour in which it was **opened**, a review in the hour in which it was
**written**. Challenges and probes never count. A withdrawn case counts as nothing but withdrawn. An outcome counts once
it is final, its undo window over and its actions at their end; a review once it can no longer be undone. What was
undone never counts. A case that was **reopened** loses its outcome until it is decided again, and then has the new one;
the reviews of both rounds stay, since people did both.

Names within the SQL: ``c`` the case, ``first`` its first draft, ``stay`` its stays in queues, ``said`` the customer's
last score; ``r`` the review, ``d`` the draft that it judged; ``%(now)s`` the instant that decides what is final.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from cases.models import Case
from cases.states import State
from cases.vocabulary import Route, Verdict


class Source(StrEnum):
    CASE = "case"
    REVIEW = "review"


@dataclass(frozen=True)
class Measure:
    """``sql`` is the number that one fact of ``source`` adds, NULL meaning nothing; a condition counts as 1."""

    name: str
    source: Source
    sql: str
    words: str
    is_condition: bool = True

    @property
    def expression(self) -> str:
        return f"COALESCE(({self.sql})::int, 0)" if self.is_condition else f"COALESCE({self.sql}, 0)"


COUNTS = f"c.state <> '{State.WITHDRAWN}'"
FINAL = f"{COUNTS} AND c.final_at <= %(now)s AND c.open_actions = 0"
HAS_DRAFT = "NOT d.is_absent"
DECIDES = f"r.verdict IN ('{Verdict.ACCEPT}', '{Verdict.EDIT}', '{Verdict.REJECT}')"

# The first standing review of a sampled automatic approval, whoever brought it back: it says whether the AI was right.
AUDITED = """d.is_sampled AND d.number = 1 AND d.sample_share > 0 AND NOT EXISTS (
                SELECT FROM feedback_review e WHERE e.draft_id = r.draft_id AND e.kind = 'decision'
                AND (e.created_at, e.id) < (r.created_at, r.id)
                AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = e.id))"""
WEIGHT = "round((1 / d.sample_share)::numeric, 6)"  # Six places are exact enough, and sums of them exact.
SQUARE = "round((1 / d.sample_share ^ 2)::numeric, 6)"

_C, _R = Source.CASE, Source.REVIEW

MEASURES: tuple[Measure, ...] = (
    Measure("opened", _C, COUNTS, "Cases"),
    Measure("escalated", _C, f"{COUNTS} AND first.route <> '{Route.AUTO_APPROVE}'", "Cases that triage sent to people"),
    Measure(
        "approved",
        _C,
        f"{FINAL} AND c.state IN ('{State.APPROVED}', '{State.AUTO_APPROVED}')",
        "Cases approved, by people or automatically",
    ),
    Measure("automatic", _C, f"{FINAL} AND c.state = '{State.AUTO_APPROVED}'", "Cases approved automatically"),
    Measure("rejected", _C, f"{FINAL} AND c.state = '{State.REJECTED}'", "Cases rejected"),
    Measure("withdrawn", _C, f"c.state = '{State.WITHDRAWN}'", "Cases withdrawn by their caller"),
    Measure(
        "sla_ended",
        _C,
        f"{COUNTS} AND (stay.is_late OR ({FINAL} AND c.decided_by = '{Case.DecidedBy.HUMAN}'))",
        "Cases that people decided, or whose deadline has passed",
    ),
    Measure("sla_missed", _C, f"{COUNTS} AND stay.is_late", "Cases whose deadline passed before a decision"),
    Measure("scored", _C, f"{COUNTS} AND said.score IS NOT NULL", "Cases with a customer's score"),
    Measure("score_sum", _C, f"CASE WHEN {COUNTS} THEN said.score END", "Sum of their last scores", is_condition=False),
    Measure("reviewed", _R, HAS_DRAFT, "Reviews of a draft"),
    Measure("accepted", _R, f"{HAS_DRAFT} AND r.verdict = '{Verdict.ACCEPT}'", "Reviews that accepted it as it was"),
    Measure("judged", _R, f"{HAS_DRAFT} AND {DECIDES}", "Reviews that decided a case with a draft"),
    Measure(
        "overridden", _R, f"{HAS_DRAFT} AND {DECIDES} AND r.is_override", "Reviews in which the AI's word did not stand"
    ),
    Measure("edited", _R, f"{HAS_DRAFT} AND r.verdict = '{Verdict.EDIT}'", "Reviews that edited the draft"),
    Measure(
        "edit_characters",
        _R,
        f"CASE WHEN {HAS_DRAFT} AND r.verdict = '{Verdict.EDIT}' THEN r.edit_distance END",
        "Characters that these inserted, deleted or replaced",
        is_condition=False,
    ),
    Measure("handled", _R, "true", "Reviews"),
    Measure(
        "handling_seconds",
        _R,
        "round(r.handling_seconds)::bigint",
        "Seconds from claim to submit, each review's rounded to a whole one",
        is_condition=False,
    ),
    Measure("audited", _R, AUDITED, "Sampled automatic approvals that a person has looked at"),
    Measure(
        "audit_errors", _R, f"r.verdict <> '{Verdict.ACCEPT}' AND {AUDITED}", "Those that the person did not accept"
    ),
    Measure("audit_weight", _R, f"CASE WHEN {AUDITED} THEN {WEIGHT} END", "What they stand for", is_condition=False),
    Measure(
        "audit_error_weight",
        _R,
        f"CASE WHEN r.verdict <> '{Verdict.ACCEPT}' AND {AUDITED} THEN {WEIGHT} END",
        "What the errors stand for",
        is_condition=False,
    ),
    Measure(  # How much the weighted share knows: see ``advisor.intervals``.
        "audit_weight_squares",
        _R,
        f"CASE WHEN {AUDITED} THEN {SQUARE} END",
        "The squares of what they stand for",
        is_condition=False,
    ),
    Measure(
        "audit_error_weight_squares",
        _R,
        f"CASE WHEN r.verdict <> '{Verdict.ACCEPT}' AND {AUDITED} THEN {SQUARE} END",
        "The squares of what the errors stand for",
        is_condition=False,
    ),
)
BY_MEASURE = {measure.name: measure for measure in MEASURES}


class Unit(StrEnum):
    SHARE = "share"  # in [0, 1]
    SECONDS = "seconds"
    CHARACTERS = "characters"
    SCORE = "score"  # 1 to 5


REPEATED = 5  # cases of one reason within the window, from which it counts as repeated
REPEATED_CASES = "repeated_cases"


@dataclass(frozen=True)
class Metric:
    """``above`` over ``below``, both sums of measures. ``lower_is_better`` is None where neither is."""

    name: str
    title: str
    unit: Unit
    above: tuple[str, ...]
    below: tuple[str, ...]
    words: str
    lower_is_better: bool | None = None
    has_percentiles: bool = False

    @property
    def source(self) -> Source | None:
        """Where its facts come from; None for what is counted now, out of no window."""
        return BY_MEASURE[self.below[0]].source if self.below else None

    def parts(self, sums: Mapping[str, Any]) -> tuple[int | Decimal, int | Decimal]:
        return sum(sums[name] for name in self.above), sum(sums[name] for name in self.below)

    def value(self, sums: Mapping[str, Any]) -> Fraction | None:
        """The exact quotient, or None where there is nothing to divide by."""
        above, below = self.parts(sums)
        return Fraction(above) / Fraction(below) if below else None

    @property
    def formula(self) -> str:
        return f"{' + '.join(self.above)} / ({' + '.join(self.below)})" if self.below else self.words


METRICS: tuple[Metric, ...] = (
    Metric(
        "escalation_rate",
        "Escalation rate",
        Unit.SHARE,
        ("escalated",),
        ("opened",),
        "Share of the cases opened that triage sent to people. Recalls later on do not change it.",
    ),
    Metric(
        "approval_rate",
        "Approval rate",
        Unit.SHARE,
        ("approved",),
        ("approved", "rejected"),
        "Share of the final outcomes that approve, automatic ones included.",
    ),
    Metric(
        "rejection_rate",
        "Rejection rate",
        Unit.SHARE,
        ("rejected",),
        ("approved", "rejected"),
        "Share of the final outcomes that reject.",
    ),
    Metric(
        "average_handling_time",
        "Handling time",
        Unit.SECONDS,
        ("handling_seconds",),
        ("handled",),
        "Mean time from claim to submit over all reviews; p50 and p90 are nearest-rank percentiles of whole seconds.",
        lower_is_better=True,
        has_percentiles=True,
    ),
    Metric(
        "sla_miss_rate",
        "SLA miss rate",
        Unit.SHARE,
        ("sla_missed",),
        ("sla_ended",),
        "Share of the cases decided by people or overdue whose deadline passed first. It counts for the queue "
        "in which the case was last.",
        lower_is_better=True,
    ),
    Metric(
        "draft_acceptance_rate",
        "Draft acceptance rate",
        Unit.SHARE,
        ("accepted",),
        ("reviewed",),
        "Share of the reviewed drafts that were accepted as they were; asking for a new draft is no acceptance.",
        lower_is_better=False,
    ),
    Metric(
        "reviewer_edit_distance",
        "Edit distance",
        Unit.CHARACTERS,
        ("edit_characters",),
        ("edited",),
        "Mean number of characters inserted, deleted or replaced, over the reviews that edited a draft.",
        lower_is_better=True,
    ),
    Metric(
        "repeat_escalation_reasons",
        "Repeated reasons",
        Unit.SHARE,
        (REPEATED_CASES,),
        ("escalated",),
        f"Share of the escalated cases whose reason, the domain with all of its triggers, escalated {REPEATED} or more "
        "cases of the same window (and of the same group).",
        lower_is_better=True,
    ),
    Metric(
        "user_satisfaction",
        "Satisfaction",
        Unit.SCORE,
        ("score_sum",),
        ("scored",),
        "Mean of the last score, 1 to 5, that each case's customer gave.",
        lower_is_better=False,
    ),
    Metric(
        "override_rate",
        "Override rate",
        Unit.SHARE,
        ("overridden",),
        ("judged",),
        "Share of people's decisions on a draft in which the AI's word did not stand: edited or rejected.",
        lower_is_better=True,
    ),
    Metric(
        "automatic_approval_error",
        "Error of automatic approvals",
        Unit.SHARE,
        ("audit_error_weight",),
        ("audit_weight",),
        "Share of the automatic approvals that a person would not have accepted, estimated from those sampled, each "
        "weighted by one over the chance that it had of being sampled.",
        lower_is_better=True,
    ),
    Metric(
        "queue_age",
        "Age of the queue",
        Unit.SECONDS,
        (),
        (),
        "How long the waiting cases have waited, counted now: the mean, p50 and p90 since they came in.",
        lower_is_better=True,
        has_percentiles=True,
    ),
)
BY_METRIC = {metric.name: metric for metric in METRICS}


class Dimension(StrEnum):
    """What facts are grouped and filtered by, besides the time. The domain combines with each of the others."""

    DOMAIN = "domain"
    QUEUE = "queue"
    RISK = "risk"
    RELEASE = "release"
    ROUTE = "route"
    REVIEWER = "reviewer"  # of reviews only
    TRIGGER = "trigger"  # a case counts for each of its triggers
    CONDITION = "condition"  # and for each condition of the policy that sent it to people
    REASONS = "reasons"  # all triggers together; what ``repeat_escalation_reasons`` stands on


ALL = "all"  # The roll-up's row of a domain as a whole.
KEPT = (ALL, *(dimension.value for dimension in Dimension if dimension != Dimension.DOMAIN))  # what has rows of its own
SEVERAL = frozenset({Dimension.TRIGGER, Dimension.CONDITION})
