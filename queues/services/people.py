"""Changing reviewers: by the supervisors of the queues that they work, and by who may change people."""

from django.db import transaction

from cases.clock import db_now
from cases.models import User
from cases.permissions import Denied, allowed, require

from ..models import Queue, Reviewer
from .fitness import queues_of
from .shifts import refresh
from .supervision import supervised


def supervises(actor: User, reviewer: Reviewer) -> bool:
    """Whether ``actor`` supervises a queue that ``reviewer`` works, or any queue here while they work none."""
    if allowed(actor, "change_people", reviewer.tenant):
        return True
    own = supervised(actor, Queue.objects.filter(tenant=reviewer.tenant_id))
    worked = queues_of(reviewer.user, reviewer) if reviewer.pk else Queue.objects.none()
    return own.filter(pk__in=worked.order_by().values("pk")).exists() or (own.exists() and not worked.exists())


@transaction.atomic
def save_reviewer(reviewer: Reviewer, *, actor: User, reason: str) -> Reviewer:
    """Save ``reviewer`` and work out their hours. Raises ``Denied`` and Django's ``ValidationError``."""
    require(actor, "change_queue", reviewer.tenant)
    if not supervises(actor, reviewer):
        raise Denied(actor, "change_people", reviewer.tenant)
    reviewer.full_clean()
    refresh(reviewer, db_now())
    reviewer.save_as(actor, reason)
    return reviewer
