"""What a reviewer may take: the queues that their rights, skills and shift open to them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from guardian.shortcuts import get_objects_for_user

from cases.models import Tenant, User

from ..models import Queue, Reviewer
from ..routing import primary


@dataclass(frozen=True)
class Fitness:
    """One person in one tenant: the queues they may work and the languages they read (empty: any)."""

    reviewer: Reviewer
    queues: tuple[Queue, ...]
    languages: tuple[str, ...]

    @property
    def queue_ids(self) -> list[UUID]:
        return [queue.pk for queue in self.queues]

    @property
    def is_working(self) -> bool:
        return self.reviewer.is_on_shift and not self.reviewer.is_paused


def fitness_of(user: User, tenant: Tenant | None = None) -> Fitness | None:
    """``user`` as a reviewer, or None: no profile, no membership, or not in this tenant."""
    reviewers = Reviewer.objects.select_related("tenant").filter(
        user=user,
        tenant__is_active=True,
        tenant__memberships__user=user,
        tenant__memberships__is_active=True,
    )
    if tenant:
        reviewers = reviewers.filter(tenant=tenant)
    reviewer = reviewers.order_by("tenant__slug").first() if user.is_active else None
    if reviewer is None:
        return None
    return Fitness(reviewer, tuple(queues_of(user, reviewer)), tuple(primary(code) for code in reviewer.languages))


def queues_of(user: User, reviewer: Reviewer):
    """The queues of the reviewer's tenant that they hold ``work_queue`` on and have the skill for."""
    permitted = get_objects_for_user(
        user, "queues.work_queue", klass=Queue, accept_global_perms=False, with_superuser=False
    )
    skilled = Q(skill=None)
    for skill_id, level in reviewer.skills.values_list("skill_id", "level"):
        skilled |= Q(skill=skill_id, skill_level__lte=level)
    return permitted.filter(skilled, tenant=reviewer.tenant_id).order_by("position", "slug")
