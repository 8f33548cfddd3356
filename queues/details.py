"""What the API and the lists say of a case from the queues' side: the detail seam's provider."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import Case, User

from .models import Entry


def case_details(cases: Sequence[Case], actor: User) -> dict[UUID, dict[str, Any]]:
    """Per open case its queue, deadline and holder, in one query. Service accounts do not learn who holds it."""
    entries = Entry.objects.filter(case__in=cases).select_related("queue", "claimed_by")
    return {
        entry.case_id: {
            "queue": entry.queue.slug,
            "queue_reason": entry.queue_reason,
            "sla_deadline": entry.due_at,
            "sla_breached": entry.breached_at is not None,
            "in_review": entry.claimed_by_id is not None,
            "holder_id": entry.claimed_by_id,
            "in_review_by": None if actor.is_service or not entry.claimed_by_id else str(entry.claimed_by),
        }
        for entry in entries
        if entry.kind == Entry.Kind.REVIEW
    }
