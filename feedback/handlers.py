"""What feedback does when something happens to cases: the event seam's receiver, in the same transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import CaseEvent
from cases.services.events import Happening

from .services import looks, votes

K = CaseEvent.Kind
_NEW_QUESTION = {K.WITHDRAWN, K.DRAFT_RECEIVED, K.REDRAFT_OVERDUE}


def on_events(happenings: Sequence[Happening]) -> dict[UUID, dict[str, Any]]:
    """End what the event makes pointless: votes on a draft that is gone, a second look at a decision that fell."""
    for happening in happenings:
        if happening.event.kind in _NEW_QUESTION:
            votes.abandon([happening.case], at=happening.event.at)
        elif happening.event.kind == K.REOPENED:
            looks.close(happening.case, at=happening.event.at)
    return {}
