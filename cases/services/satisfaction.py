"""What a customer thought of the answer."""

from uuid import UUID

from django.db import transaction

from ..clock import db_now
from ..models import Case, CaseEvent, User
from ..permissions import require
from ..states import State
from .events import record
from .lifecycle import locked, recall

LOWEST, HIGHEST = 1, 5

# Up to here a customer is taken to say that the answer was wrong or useless. 3 is "neither nor" on a scale of five,
# and a recall for every shrug would bury the complaints.
LOW = 2


@transaction.atomic
def report(case_id: UUID, *, score: int, comment: str = "", actor: User) -> Case:
    """Record a score from 1 to 5; a low one on an automatic approval sends the case to people.

    It may be reported again: each report stays in the timeline, and the last one counts.
    """
    case = locked(case_id)
    require(actor, "submit_case", case.tenant)
    now = db_now()
    record(case, CaseEvent.Kind.SATISFACTION, actor, at=now, note=comment, score=score)
    if score <= LOW and case.state == State.AUTO_APPROVED and not case.content.is_erased:
        recall(case, actor=actor, now=now, trigger="low_satisfaction")
    return case
