"""A case as the review page opens it: the row, where it waits, what was promised and the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from approvals.models import ProposedAction
from cases.clock import clock_column
from cases.models import Case, Promise, Tenant, User
from cases.permissions import visible_to
from queues.models import Entry

from .models import Review
from .services.challenge_results import unread_of
from .services.firsts import with_rules

_TEXTS = ("content", "current_draft__content", "current_draft__release", "current_draft__policy_version")
_RULES = ("blind_first_policy", "dwell_policy")
_WAITING = ("queue__escalation_target", "queue__sla_policy__calendar")


@dataclass(frozen=True)
class Opened:
    """``promised`` is by when the customer was last told to hear, and when they were told; None where they were not.
    ``has_actions``: whether any was proposed; ``has_reviews``: whether anybody reviewed it; ``has_results``: whether
    who looks has unread results of challenges."""

    case: Case
    entry: Entry | None
    now: datetime
    has_actions: bool
    has_reviews: bool = True
    has_results: bool = False
    promised: tuple[datetime, datetime] | None = None


def opened(user: User, case_id: UUID) -> Opened | None:
    """The case that ``user`` may see, or None.

    Three queries, and not one of all: the planner's time grows fast with the tables that it has to put in order.
    """
    last = Promise.objects.filter(case=OuterRef("pk")).order_by("-id")
    case = (
        _seen(user, case_id, _TEXTS)
        .annotate(
            has_reviews=Exists(Review.objects.filter(case=OuterRef("pk"))),
            has_results=Exists(unread_of(user)),
            promised_by=Subquery(last.values("by")[:1]),
            told_at=Subquery(last.values("told_at")[:1]),
        )
        .first()
    )
    if case is None:
        return None
    case.tenant = Tenant.objects.select_related(*_RULES).get(pk=case.tenant_id)
    entry = with_rules(Entry.objects.select_related(*_WAITING)).filter(case=case_id).first()
    if entry is not None:
        entry.case = case
        if entry.claimed_by_id == user.pk:
            entry.claimed_by = user
    return Opened(
        case,
        entry,
        case.seen_at,
        has_actions=case.has_actions,
        has_reviews=case.has_reviews,
        has_results=case.has_results,
        promised=(case.promised_by, case.told_at) if case.told_at else None,
    )


def opened_to_check(user: User, case_id: UUID) -> Opened | None:
    """``opened`` with no more than a form is checked against that was sent from the page; not to be drawn."""
    case = _seen(user, case_id, ("tenant", "current_draft__content", "current_draft__policy_version")).first()
    if case is None:
        return None
    entry = Entry.objects.filter(case=case_id).first()
    if entry is not None:
        entry.case = case
    return Opened(case, entry, case.seen_at, has_actions=case.has_actions)


def _seen(user: User, case_id: UUID, parts: Sequence[str]) -> QuerySet[Case]:
    found = visible_to(user, Case.objects.filter(pk=case_id)).select_related(*parts)
    proposed = ProposedAction.objects.filter(case=OuterRef("pk"))
    return found.annotate(seen_at=clock_column(), has_actions=Exists(proposed))
