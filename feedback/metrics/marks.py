"""The event seam's receiver: whatever happens to a case marks it, in the same transaction.

Writers only add rows, so that they never wait for each other or for a refresh, and a mark is seen exactly when what it
speaks of is: nothing is lost, whoever commits first.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from cases.models import Case, CaseEvent
from cases.services.events import Happening

from ..models import MetricMark

K = CaseEvent.Kind
_SETTLES = {K.DECIDED, K.DRAFT_REQUESTED, K.AUDITED}  # These count only once they can no longer be undone.


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """Mark the cases of ``happenings``; answers nothing."""
    MetricMark.objects.bulk_create(
        MetricMark(case=happening.case, due_at=_due_at(happening))
        for happening in happenings
        if happening.case.purpose == Case.Purpose.REAL
    )
    return {}


def _due_at(happening: Happening):
    event = happening.event
    wait = happening.case.tenant.undo_seconds if event.kind in _SETTLES else 0
    return event.at + timedelta(seconds=wait)
