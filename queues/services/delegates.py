"""Whether a delegate may do what somebody does in the queues: this room's part of ``DELEGATE_CHECKS``."""

from guardian.shortcuts import get_objects_for_user

from cases.models import Membership, User

from ..models import Queue, Reviewer
from .fitness import queues_of

NAMED = 5


def lacks(membership: Membership, delegate: User) -> list[str]:
    """The queues that the away person works or supervises and ``delegate`` does not, in words; by right and skill."""
    missing = []
    for verb, held in (("work", _worked), ("supervise", _supervised)):
        theirs, own = held(membership, membership.user), set(held(membership, delegate))
        missing += [f"{verb} “{name}”" for key, name in theirs.items() if key not in own][:NAMED]
    return missing


def _worked(membership: Membership, user: User) -> dict:
    """Of reviewers only: who takes no cases leaves none to a delegate."""
    reviewer = Reviewer.objects.filter(user=user, tenant=membership.tenant_id).first()
    return dict(queues_of(user, reviewer).values_list("pk", "name")) if reviewer else {}


def _supervised(membership: Membership, user: User) -> dict:
    queues = Queue.objects.filter(tenant=membership.tenant_id)
    held = get_objects_for_user(
        user, "queues.supervise_queue", klass=queues, accept_global_perms=False, with_superuser=False
    )
    return dict(held.values_list("pk", "name"))
