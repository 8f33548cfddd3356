"""Advice on a policy's upper threshold from what people decided.

Counted in SQL, as sums by confidence: the latest cases of a window that the policy judged. Confidences are those of the
weights in force: what other weights judged is read again from the signals that were kept with it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from cases.clock import db_now
from cases.confidence import combine
from cases.models import Policy, PolicyVersion
from cases.rules import Rules
from cases.services.policy_preview import Judged, may_pass
from cases.vocabulary import Route, Verdict

from ..advisor.calibration import Calibration, calibrate
from ..advisor.evidence import Group
from ..advisor.intervals import Sums
from ..advisor.thresholds import Level, Recommendation, grid, levels, recommend
from ..advisor.wording import recommendation_words

LATEST = 20_000  # cases that advice is made of
VERSIONS = 200  # of the policy, the newest; what older ones judged is left out
DOMAINS = 20  # shown by themselves
LEAST_SPAN = timedelta(days=1)
SCALE = ("signals", "clear_margin", "learned")  # what of a policy a confidence depends on

# The latest cases, each with the first decision of a person that stands, where one could be expected: everybody whom
# triage sent to people, and of automatic approvals those that were drawn as a sample.
_GROUPS = f"""
    WITH latest AS (
        SELECT c.domain, c.opened_at, t.undo_seconds, d.id AS draft_id, d.triggers, d.is_absent,
            CASE WHEN v.id = ANY(%(same)s) THEN d.confidence END AS confidence,
            CASE WHEN v.id <> ALL(%(same)s) THEN d.signals END AS signals,
            d.threshold > (v.document ->> 'auto_approve_above')::float AS is_cautious,
            d.route = '{Route.AUTO_APPROVE}' AS was_automatic, d.sample_share,
            d.route <> '{Route.AUTO_APPROVE}' OR (d.is_sampled AND d.sample_share > 0) AS is_looked_at
        FROM cases_case c
        JOIN cases_tenant t ON t.id = c.tenant_id
        JOIN cases_draft d ON d.case_id = c.id AND d.number = 1
        JOIN cases_policyversion v ON v.id = d.policy_version_id
        WHERE c.tenant_id = %(tenant)s AND c.opened_at >= %(start)s AND c.opened_at < %(end)s
          AND c.purpose = 'real' AND c.state <> 'withdrawn' AND d.policy_version_id = ANY(%(versions)s)
        ORDER BY c.opened_at DESC LIMIT {LATEST}
    ), seen AS (
        SELECT n.*, r.verdict <> '{Verdict.ACCEPT}' AS is_wrong,
            CASE WHEN n.was_automatic THEN 1 / n.sample_share ELSE 1 END AS weight
        FROM latest n
        LEFT JOIN LATERAL (
            SELECT r.verdict FROM feedback_review r
            WHERE r.draft_id = n.draft_id AND r.kind = 'decision'
              AND r.created_at + make_interval(secs => n.undo_seconds) <= %(now)s
              AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = r.id)
            ORDER BY r.created_at, r.id LIMIT 1
        ) r ON n.is_looked_at
    )
    SELECT domain, confidence, signals, triggers, is_absent, is_cautious, was_automatic, count(*), min(opened_at),
        count(is_wrong),
        COALESCE(sum(weight) FILTER (WHERE is_wrong IS NOT NULL), 0),
        COALESCE(sum(weight * weight) FILTER (WHERE is_wrong IS NOT NULL), 0),
        count(*) FILTER (WHERE is_wrong),
        COALESCE(sum(weight) FILTER (WHERE is_wrong), 0),
        COALESCE(sum(weight * weight) FILTER (WHERE is_wrong), 0)
    FROM seen GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


@dataclass(frozen=True)
class InDomain:
    """One domain's share in it: at the present threshold and at the recommended one."""

    domain: str
    now: Level
    then: Level


@dataclass(frozen=True)
class Advice:
    """What the evidence says of ``policy``. ``levels`` are the strictest first; ``start`` is the oldest case's day."""

    policy: Policy
    start: datetime
    end: datetime
    cases: int
    is_cut: bool
    calibration: Calibration
    levels: Sequence[Level]
    recommendation: Recommendation
    domains: Sequence[InDomain]

    @property
    def words(self) -> str:
        return recommendation_words(self.recommendation)

    def to_json(self) -> dict[str, Any]:
        """The numbers as they are kept with a change."""
        found = self.calibration
        return {
            "words": self.words,
            "kind": str(self.recommendation.kind),
            "level": _kept(self.recommendation.level),
            "levels": [_kept(level) for level in self.levels],
            "brier": found.brier and round(found.brier, 6),
            "calibration_error": found.error and round(found.error, 6),
            "bins": [
                {
                    "start": one.start,
                    "confidence": round(one.confidence, 6),
                    "right": round(one.right, 6),
                    "n": one.seen.n,
                    "interval": [round(end, 6) for end in one.interval],
                }
                for one in found.bins
            ],
            "domains": {one.domain: [_kept(one.now), _kept(one.then)] for one in self.domains},
        }


def _kept(level: Level) -> dict[str, Any]:
    low, high = level.interval
    return {
        "threshold": level.threshold,
        "cases": level.cases,
        "per_week": round(level.per_week, 3),
        "error": None if level.error is None else round(level.error, 6),
        "interval": [round(low, 6), round(high, 6)],
        "looked_at": level.seen.n,
        "effective": round(level.seen.effective, 3),
    }


def advise(policy: Policy, days: int, *, now: datetime | None = None) -> Advice:
    """What the last ``days`` say. A fixed number of queries, whatever the number of cases; nothing is written."""
    now = now or db_now()
    start = now - timedelta(days=days)
    groups, first, count = read_groups(policy, start, now)
    begins = max(start, first) if first else start
    weeks = max(now - begins, LEAST_SPAN) / timedelta(days=7)
    current, tolerance = policy.auto_approve_above, policy.tolerated_error
    found = levels(groups, grid(current, policy.quick_review_from), weeks=weeks)
    one = recommend(found, current=current, tolerance=tolerance)
    return Advice(
        policy=policy,
        start=begins,
        end=now,
        cases=count,
        is_cut=count >= LATEST,
        calibration=calibrate(groups),
        levels=found,
        recommendation=one,
        domains=_by_domain(groups, one, weeks),
    )


def _versions(policy: Policy) -> tuple[list[UUID], list[UUID]]:
    """The versions of ``policy``, and those among them whose confidences are on the scale of now."""
    rows = PolicyVersion.objects.filter(policy=policy).order_by("-number").values_list("pk", "document")
    versions = list(rows[:VERSIONS])
    scale = _scale(policy.document())
    return [pk for pk, _ in versions], [pk for pk, document in versions if _scale(document) == scale]


def _scale(document: Mapping[str, Any]) -> list[Any]:
    return [document.get(name) for name in SCALE]


def confidence_under(rules: Rules, signals: Mapping[str, float]) -> float:
    return combine(signals, rules.signals, clear_margin=rules.clear_margin, learned=rules.learned).value


def read_groups(
    policy: Policy, start: datetime, end: datetime, *, only: UUID | None = None
) -> tuple[list[Group], datetime | None, int]:
    """The evidence of the cases that ``policy`` judged, when the oldest of them was opened, and their number.

    ``only`` is a version of it, whose own cases are then asked for alone.
    """
    versions, same = _versions(policy)
    asked = [only] if only else versions
    values = {"tenant": policy.tenant_id, "start": start, "end": end, "now": end, "versions": asked, "same": same}
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, values)
        rows = cursor.fetchall()
    rules = Rules.from_document(policy.document(), check_conditions=False)
    merged: dict[tuple, Group] = {}
    for domain, confidence, signals, triggers, is_absent, is_cautious, was_automatic, cases, _, *sums in rows:
        if confidence is None:
            confidence = confidence_under(rules, signals_of(signals))
        judged = Judged(confidence, frozenset(triggers), is_absent, is_cautious)
        n, w, w2, errors, we, w2e = sums
        key = (domain, confidence, may_pass(judged, new_release_threshold=policy.new_release_threshold), was_automatic)
        known = merged.get(key) or Group(confidence, key[2], was_automatic, 0, domain=domain)
        seen = known.seen + Sums(n, float(w), float(w2), errors, float(we), float(w2e))
        merged[key] = replace(known, cases=known.cases + cases, seen=seen)
    return list(merged.values()), min((row[8] for row in rows), default=None), sum(row[7] for row in rows)


def signals_of(value: Any) -> dict[str, float]:
    """The signals of a row that was asked for in SQL: the driver leaves its JSON to the caller."""
    return json.loads(value) if isinstance(value, str) else value


def _by_domain(groups: Sequence[Group], one: Recommendation, weeks: float) -> list[InDomain]:
    by_domain: dict[str, list[Group]] = {}
    for group in groups:
        if group.can_pass:
            by_domain.setdefault(group.domain, []).append(group)
    largest = sorted(by_domain, key=lambda name: (-sum(group.cases for group in by_domain[name]), name))[:DOMAINS]
    asked = sorted({one.current.threshold, one.level.threshold}, reverse=True)
    found = []
    for domain in largest:
        at = {level.threshold: level for level in levels(by_domain[domain], asked, weeks=weeks)}
        found.append(InDomain(domain, at[one.current.threshold], at[one.level.threshold]))
    return found
