"""Every metric counted once more, by hand: Python over whole rows, sharing nothing with the SQL but the tables."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from cases.models import Case, CaseEvent, Draft, Tenant
from feedback.models import Review
from queues.models import Claim, Entry, Passage


@dataclass
class Opened:
    """A case as metrics look at it."""

    case: Case
    first: Draft
    stays: list[Passage | Entry]  # the latest last
    score: int | None
    at: datetime
    keys: dict[str, list[str]]
    now: datetime

    @property
    def is_final(self) -> bool:
        return self.case.final_at is not None and self.case.final_at <= self.now and not self.case.open_actions

    @property
    def is_late(self) -> bool:
        return any(
            stay.breached_at is not None or (isinstance(stay, Passage) and stay.left_at > stay.due_at)
            for stay in self.stays
        )


@dataclass
class Judged:
    """A review as metrics look at it."""

    review: Review
    at: datetime
    keys: dict[str, list[str]]
    is_first_of_draft: bool


def opened(tenant: Tenant, now: datetime) -> list[Opened]:
    found = []
    for case in Case.objects.filter(tenant=tenant, purpose="real").exclude(state="withdrawn"):
        first = case.drafts.get(number=1)
        stays: list[Any] = sorted(Passage.objects.filter(case=case, kind="review"), key=lambda p: (p.left_at, p.pk))
        stays += Entry.objects.filter(case=case, kind="review")
        scores = CaseEvent.objects.filter(case=case, kind="case.satisfaction").order_by("id")
        keys = {
            "domain": [case.domain],
            "risk": [case.risk],
            "release": [str(first.release_id)],
            "route": [first.route],
            "queue": [str(stays[-1].queue_id)] if stays else [],
            "reviewer": [],
            "trigger": list(first.triggers),
            "condition": list(first.conditions),
            "reasons": ["+".join(first.triggers)],
        }
        score = int(scores.last().data["score"]) if scores else None
        found.append(Opened(case, first, stays, score, case.opened_at, keys, now))
    return found


def judged(tenant: Tenant, now: datetime) -> list[Judged]:
    found = []
    wait = timedelta(seconds=tenant.undo_seconds)
    standing = [
        review
        for review in Review.objects.filter(tenant=tenant, kind="decision").select_related("case", "draft")
        if not Review.objects.filter(supersedes=review).exists()
    ]
    for review in standing:
        if review.case.purpose != "real" or review.case.state == "withdrawn" or review.created_at + wait > now:
            continue
        if review.case.open_actions and review.case.decided_at == review.created_at:
            continue
        claim = Claim.objects.filter(generation=review.generation).first()
        keys = {
            "domain": [review.case.domain],
            "risk": [review.case.risk],
            "release": [str(review.draft.release_id)],
            "route": [review.route],
            "queue": [str(claim.queue_id)] if claim else [],
            "reviewer": [str(review.reviewer_id)],
            "trigger": list(review.draft.triggers),
            "condition": list(review.draft.conditions),
            "reasons": ["+".join(review.draft.triggers)],
        }
        earlier = [
            one
            for one in standing
            if one.draft_id == review.draft_id and (one.created_at, one.pk) < (review.created_at, review.pk)
        ]
        found.append(Judged(review, review.created_at, keys, not earlier))
    return found


def rank(values: Sequence[int], share: float) -> int | None:
    """Nearest rank: the least value that ``share`` of all do not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1] if values else None


def metrics(cases: list[Opened], reviews: list[Judged]) -> dict[str, tuple]:
    """Numerator, denominator and, for times, the percentiles of each metric."""
    final = [one for one in cases if one.is_final]
    approved = [one for one in final if one.case.state in ("approved", "auto_approved")]
    rejected = [one for one in final if one.case.state == "rejected"]
    escalated = [one for one in cases if one.first.route != "auto_approve"]
    ended = [one for one in cases if one.is_late or (one.is_final and one.case.decided_by == "human")]
    scores = [one.score for one in cases if one.score is not None]
    drafted = [one.review for one in reviews if not one.review.draft.is_absent]
    deciding = [review for review in drafted if review.verdict != "needs_edit"]
    edits = [review for review in drafted if review.verdict == "edit"]
    seconds = [int(Decimal(repr(one.review.handling_seconds)).quantize(0)) for one in reviews]
    reasons = Counter((one.case.domain, *one.keys["reasons"]) for one in escalated)
    audits = [
        one.review
        for one in reviews
        if one.is_first_of_draft
        and one.review.draft.is_sampled
        and one.review.draft.number == 1
        and (one.review.draft.sample_share or 0) > 0
    ]

    def weight(rows: list[Review]) -> Decimal:
        return sum((round(1 / Decimal(repr(row.draft.sample_share)), 6) for row in rows), Decimal(0))

    return {
        "escalation_rate": (len(escalated), len(cases)),
        "approval_rate": (len(approved), len(approved) + len(rejected)),
        "rejection_rate": (len(rejected), len(approved) + len(rejected)),
        "average_handling_time": (sum(seconds), len(seconds), rank(seconds, 0.5), rank(seconds, 0.9)),
        "sla_miss_rate": (sum(one.is_late for one in cases), len(ended)),
        "draft_acceptance_rate": (sum(review.verdict == "accept" for review in drafted), len(drafted)),
        "reviewer_edit_distance": (sum(review.edit_distance for review in edits), len(edits)),
        "repeat_escalation_reasons": (sum(n for n in reasons.values() if n >= 5), len(escalated)),
        "user_satisfaction": (sum(scores), len(scores)),
        "override_rate": (sum(review.is_override for review in deciding), len(deciding)),
        "automatic_approval_error": (weight([row for row in audits if row.verdict != "accept"]), weight(audits)),
    }


def begins(at: datetime, period: str, zone: str) -> datetime:
    """The beginning of the hour, day, week or month around ``at``, where ``zone`` is."""
    local = at.astimezone(ZoneInfo(zone)).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return local.astimezone(UTC)
    local = local.replace(hour=0, fold=0)  # Where midnight comes twice, a day begins with the first.
    if period == "week":
        local -= timedelta(days=local.weekday())
    return (local.replace(day=1) if period == "month" else local).astimezone(UTC)


Facts = tuple[list[Opened], list[Judged]]


def facts(tenant: Tenant, now: datetime) -> Facts:
    return opened(tenant, now), judged(tenant, now)


def grouped(found: Facts, zone: str, *, period: str | None, by: str | None, keep: Callable = lambda one: True):
    """``metrics`` of every group that has facts."""
    groups: dict[tuple, tuple[list, list]] = {}
    for side, rows in enumerate(found):
        for one in filter(keep, rows):
            at = begins(one.at, period, zone) if period else None
            for key in one.keys[by] if by else [None]:
                groups.setdefault((at, key), ([], []))[side].append(one)
    return {group: metrics(*sides) for group, sides in groups.items()}


def quotient(parts: tuple) -> Fraction | None:
    above, below = parts[:2]
    return Fraction(above) / Fraction(below) if below else None
