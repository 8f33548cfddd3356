"""Actions of cases that are made up, challenges and probes: they look like any other, and nothing of them ever reaches
an executor. Their dry run is told by the room that made them up (``ACTION_STAND_INS``: a dotted path, from an action to
what its dry run says, or None), and they are never claimed for execution."""

import secrets
import time
from functools import cache

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string

from cases.clock import db_now
from cases.models import Case

from ..executors import Preview, PreviewFailed
from ..models import ProposedAction

LONGEST = 3.0  # seconds that a worker waits, so that a dry run seems to take what it takes


def is_made_up(action: ProposedAction) -> bool:
    return action.case is not None and action.case.purpose != Case.Purpose.REAL


@cache
def _told():
    return import_string(settings.ACTION_STAND_INS)


def preview_of(action: ProposedAction) -> Preview:
    """What the dry run says, after about as long as the type's last real one took. Raises ``PreviewFailed``."""
    time.sleep(_left(action))
    said = _told()(action)
    if said is None:
        raise PreviewFailed("refused", "The executor refused the dry run.", is_refusal=True)
    return Preview(binding=said.get("binding") or {}, info=said.get("info") or {})


def _left(action: ProposedAction) -> float:
    """Seconds until ``action`` has waited as long as the last real one of its type did for its first dry run."""
    real = ProposedAction.objects.filter(Q(case=None) | Q(case__purpose=Case.Purpose.REAL))
    last = real.filter(action_type=action.action_type_id, current_preview__revision__number=1).order_by("-id")
    times = last.values_list("proposed_at", "current_preview__at").first()
    if times is None:
        return 0.0
    took = (times[1] - times[0]).total_seconds() * secrets.SystemRandom().uniform(0.8, 1.2)
    return min(max(0.0, took - (db_now() - action.proposed_at).total_seconds()), LONGEST)
