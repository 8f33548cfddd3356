"""A case as the review page opens it: the row, where it waits, what was promised and the time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Subquery

from approvals.models import ProposedAction
from cases.clock import clock_column
from cases.models import Case, Promise, User
from cases.permissions import visible_to
from queues.models import Entry

from .services.challenge_results import unread_of
from .services.firsts import with_rules

_TEXTS = (
    "tenant",
    "content",
    "current_draft__content",
    "current_draft__release",
    "current_draft__policy_version",
    "tenant__blind_first_policy",
    "tenant__dwell_policy",
)
_WAITING = ("queue__escalation_target", "queue__sla_policy__calendar", "claimed_by", "kept_for")


@dataclass(frozen=True)
class Opened:
    """``promised`` is by when the customer was last told to hear, and when they were told; None where they were not.
    ``has_actions``: whether any was proposed; ``has_results``: whether who looks has unread results of challenges."""

    case: Case
    entry: Entry | None
    now: datetime
    promised: tuple[datetime, datetime] | None
    has_actions: bool
    has_results: bool


def opened(user: User, case_id: UUID) -> Opened | None:
    """The case that ``user`` may see, or None.

    Two queries, and not one of both: the planner's time grows fast with the tables that it has to put in order.
    """
    last = Promise.objects.filter(case=OuterRef("pk")).order_by("-id")
    found = visible_to(user, Case.objects.filter(pk=case_id)).select_related(*_TEXTS)
    case = found.annotate(
        seen_at=clock_column(),
        has_actions=Exists(ProposedAction.objects.filter(case=OuterRef("pk"))),
        has_results=Exists(unread_of(user)),
        promised_by=Subquery(last.values("by")[:1]),
        told_at=Subquery(last.values("told_at")[:1]),
    ).first()
    if case is None:
        return None
    entry = with_rules(Entry.objects.select_related(*_WAITING)).filter(case=case_id).first()
    if entry is not None:
        entry.case = case
    promised = (case.promised_by, case.told_at) if case.told_at else None
    return Opened(case, entry, case.seen_at, promised, case.has_actions, case.has_results)
