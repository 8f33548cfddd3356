"""Making and changing queues, so that there is always one that takes a case and always people who may work it."""

from django.db import transaction
from guardian.shortcuts import assign_perm

from cases.errors import CountersignError
from cases.models import Tenant, User
from cases.permissions import QUEUE_RIGHTS, require
from cases.services.members import role_group

from ..models import Queue


class QueueInvalid(CountersignError):
    """A queue that would leave the tenant without a fallback, or reach into another tenant."""

    code = "queue_invalid"
    title = "This queue cannot be saved so"


def create_queue(tenant: Tenant, *, actor: User, reason: str = "created", **fields) -> Queue:
    """A new queue of ``tenant`` with ``fields`` of the model; see ``save_queue``."""
    return save_queue(Queue(tenant=tenant, **fields), actor, reason)


@transaction.atomic
def save_queue(queue: Queue, actor: User, reason: str) -> Queue:
    """Save ``queue`` as ``actor``; a new one opens to the tenant's role groups by ``QUEUE_RIGHTS``.

    A tenant's first queue is its fallback, and a queue that becomes the fallback takes the place over from the one
    before. Raises ``Denied``, ``QueueInvalid``, and Django's ``ValidationError`` for fields out of range.
    """
    require(actor, "change_queue", queue.tenant)
    # Two people who move the fallback do so in turn; what only points at the tenant, such as an intake, does not wait.
    Tenant.objects.select_for_update(no_key=True).get(pk=queue.tenant_id)
    is_new = queue._state.adding
    _keep_one_fallback(queue, actor, reason)
    _stay_at_home(queue)
    queue.full_clean()
    queue.save_as(actor, reason)
    if is_new:
        _open_to_roles(queue)
    return queue


def _keep_one_fallback(queue: Queue, actor: User, reason: str) -> None:
    others = Queue.objects.filter(tenant=queue.tenant_id, is_fallback=True).exclude(pk=queue.pk)
    if queue.is_fallback:
        for other in others:
            other.is_fallback = False
            other.save_as(actor, f"{queue.slug} is the fallback now: {reason}")
    elif not others.exists():
        if not queue._state.adding:
            raise QueueInvalid(
                "A tenant needs a fallback that takes what no other queue does. Make another queue the fallback; "
                "this one then steps back. Nothing was changed.",
                pointer="/is_fallback",
            )
        queue.is_fallback = True


def _stay_at_home(queue: Queue) -> None:
    for name in ("sla_policy", "skill", "escalation_target"):
        linked = getattr(queue, name)
        if linked is not None and linked.tenant_id != queue.tenant_id:
            raise QueueInvalid("This belongs to another tenant.", pointer=f"/{name}")


def _open_to_roles(queue: Queue) -> None:
    for role, rights in QUEUE_RIGHTS.items():
        group = role_group(queue.tenant, role)
        for right in sorted(rights):
            assign_perm(f"queues.{right}", group, queue)
