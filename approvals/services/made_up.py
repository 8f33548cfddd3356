"""Actions of cases that are made up, challenges and probes: they look like any other, and nothing of them ever reaches
an executor. Their dry run is told by the room that made them up (``ACTION_STAND_INS``: a dotted path, from an action to
what its dry run says, or None), and they are never claimed for execution."""

import secrets
import time
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from cases.models import Case

from ..executors import Preview, PreviewFailed
from ..models import ProposedAction

TAKES = (0.05, 0.35)  # seconds, about as long as an executor takes to answer


def is_made_up(action: ProposedAction) -> bool:
    return action.case is not None and action.case.purpose != Case.Purpose.REAL


@cache
def _told():
    return import_string(settings.ACTION_STAND_INS)


def preview_of(action: ProposedAction) -> Preview:
    """What the dry run says, after a moment. Raises ``PreviewFailed`` where nobody said."""
    time.sleep(secrets.SystemRandom().uniform(*TAKES))
    said = _told()(action)
    if said is None:
        raise PreviewFailed("refused", "The executor refused the dry run.", is_refusal=True)
    return Preview(binding=said.get("binding") or {}, info=said.get("info") or {})
