"""Which reviews count: the same ones for metrics, labels, second looks, datasets and weekly exports.

A review counts once its decision is final. It can no longer be undone and was not; and where it is the decision that
its case stands by, every linked action is at its end. A case that is reopened later takes no earlier review with it,
and a new action of such a case holds up none. Challenges, probes and withdrawn cases never count; neither do votes and
second looks, which decide nothing.

Written twice, for the two languages that ask: ``tests/feedback/test_counting.py`` holds them together.
"""

from datetime import datetime, timedelta

from django.db.models import DurationField, ExpressionWrapper, F, Q, Value

from cases.models import Case
from cases.states import State

DECISION = "decision"  # Review.Kind.DECISION, which this module is read by.
_UNDO_WINDOW = ExpressionWrapper(F("tenant__undo_seconds") * Value(timedelta(seconds=1)), DurationField())

# Of a review ``r``, its case ``c`` and tenant ``t``, as of ``%(now)s``.
COUNTABLE = f"""c.purpose = '{Case.Purpose.REAL}' AND c.state <> '{State.WITHDRAWN}' AND r.kind = '{DECISION}'
      AND r.created_at + make_interval(secs => t.undo_seconds) <= %(now)s
      AND (c.open_actions = 0 OR c.decided_at IS DISTINCT FROM r.created_at)
      AND NOT EXISTS (SELECT FROM feedback_review u WHERE u.supersedes_id = r.id)"""


def countable(now: datetime) -> Q:
    """The same as a condition on reviews."""
    is_settled = Q(case__open_actions=0) | Q(case__decided_at=None) | ~Q(case__decided_at=F("created_at"))
    return (
        Q(kind=DECISION, superseded_by=None, case__purpose=Case.Purpose.REAL)
        & ~Q(case__state=State.WITHDRAWN)
        & Q(created_at__lte=Value(now) - _UNDO_WINDOW)
        & is_settled
    )
