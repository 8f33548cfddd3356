"""A case as the review page opens it: the row, where it waits, what was promised and the time, in one query."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from cases.clock import clock_column
from cases.models import Case, Promise, User
from cases.permissions import visible_to
from queues.models import Entry

from .services.firsts import with_rules

_TEXTS = (
    "tenant",
    "content",
    "current_draft__content",
    "current_draft__release",
    "current_draft__policy_version",
    "final_content",
)
_WAITING = ("queue__escalation_target", "queue__sla_policy__calendar", "claimed_by", "kept_for")


@dataclass(frozen=True)
class Opened:
    """``promised`` is by when the customer was last told to hear, and when they were told; None where they were not."""

    case: Case
    entry: Entry | None
    now: datetime
    promised: tuple[datetime, datetime] | None


def opened(user: User, case_id: UUID) -> Opened | None:
    """The case that ``user`` may see, or None. One query for a case that waits, two for one that does not."""
    visible = visible_to(user, Case.objects.filter(pk=case_id))
    waiting = with_rules(Entry.objects.select_related(*_WAITING, *(f"case__{name}" for name in _TEXTS)))
    entry = _beside(waiting.filter(case__in=visible.values("pk")), "case").first()
    if entry is not None:
        return _opened(entry.case, entry, entry)
    case = _beside(visible.select_related(*_TEXTS), "pk").first()
    return _opened(case, None, case) if case else None


def _beside(rows: QuerySet, case: str) -> QuerySet:
    """``rows`` with the clock and the last promise of the case at the column ``case``."""
    last = Promise.objects.filter(case=OuterRef(case)).order_by("-id")
    return rows.annotate(
        seen_at=clock_column(),
        promised_by=Subquery(last.values("by")[:1]),
        told_at=Subquery(last.values("told_at")[:1]),
    )


def _opened(case: Case, entry: Entry | None, row: Any) -> Opened:
    return Opened(case, entry, row.seen_at, (row.promised_by, row.told_at) if row.told_at else None)
