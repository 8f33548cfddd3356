"""Who can work a queue, counted for many queues in one query. ``fitness`` asks the same for one person."""

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    Func,
    IntegerField,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, Now

from cases.models import Membership, TenantGroupPermission, TenantUserPermission

from ..models import Entry, Queue, QueueGroupPermission, QueueUserPermission, Reviewer, ReviewerSkill
from .fitness import reads


def with_staff(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    """``queues`` with ``staff``, how many reviewers could take their cases, and ``on_shift``, how many do now."""
    staff = staff_for(_OUTER)
    return queues.annotate(staff=_counted(staff), on_shift=_counted(staff.filter(_AT_WORK)))


def with_readers(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    """``queues`` with ``readers``: for each reviewer who could take their cases a list of languages, empty for any."""
    # As JSON: PostgreSQL makes no array of arrays that differ in length.
    return queues.annotate(
        readers=ArraySubquery(
            staff_for(_OUTER).values(listed=Func("languages", function="to_jsonb", output_field=JSONField())),
            output_field=ArrayField(JSONField()),
        )
    )


def with_people(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    """``queues`` with ``people``: the keys of the reviewers who could take their cases."""
    return queues.annotate(people=ArraySubquery(staff_for(_OUTER).order_by("pk").values("pk")))


def reviewers_of(queue: Queue) -> QuerySet[Reviewer]:
    """The reviewers who could take the cases of ``queue``: active members with the right, the skill and no pause.

    Each has ``is_away``, and ``at_work``: on shift, in hours as of the last sweep, and not away.
    """
    demand = Demand(queue=queue.pk, tenant=queue.tenant_id, skill=queue.skill_id, level=queue.skill_level)
    return staff_for(demand).annotate(is_away=_AWAY, at_work=ExpressionWrapper(_AT_WORK, BooleanField()))


def fitting(entry: Entry) -> list[Reviewer]:
    """The reviewers who may have ``entry``, at work or not; one query."""
    people = reviewers_of(entry.queue).select_related("user")
    if entry.for_adjudicator:
        people = people.filter(ADJUDICATES)
    return [one for one in people if one.user_id not in entry.excluded and reads(one.languages, entry.language)]


@dataclass(frozen=True)
class Demand:
    """What a queue asks of people: values of one queue, or references to the queues around a subquery."""

    queue: Any
    tenant: Any
    skill: Any
    level: Any


_OUTER = Demand(
    queue=OuterRef(OuterRef("pk")),
    tenant=OuterRef("tenant"),
    skill=OuterRef(OuterRef("skill")),
    level=OuterRef(OuterRef("skill_level")),
)
_AWAY = Exists(Membership.objects.away(Now()).filter(user=OuterRef("user"), tenant=OuterRef("tenant")))


def holding(right: str) -> Q:
    """The reviewers who hold ``right`` on their tenant, by themselves or by a group."""
    given = {"permission__codename": right, "content_object": OuterRef("tenant")}
    by_group = TenantGroupPermission.objects.filter(group__user=OuterRef("user"), **given)
    return Q(Exists(by_group)) | Q(Exists(TenantUserPermission.objects.filter(user=OuterRef("user"), **given)))


ADJUDICATES = holding("adjudicate_case")
_AT_WORK = Q(is_on_shift=True, in_hours=True) & ~Q(_AWAY)


def staff_for(demand: Demand) -> QuerySet[Reviewer]:
    user = OuterRef("user")
    work = {"permission__codename": "work_queue", "content_object": demand.queue}
    may_work = Exists(QueueGroupPermission.objects.filter(group__user=user, **work)) | Exists(
        QueueUserPermission.objects.filter(user=user, **work)
    )
    is_member = Exists(Membership.objects.filter(user=user, tenant=OuterRef("tenant"), is_active=True))
    skilled = Exists(ReviewerSkill.objects.filter(reviewer=OuterRef("pk"), skill=demand.skill, level__gte=demand.level))
    unskilled_queue = Exists(Queue.objects.filter(pk=demand.queue, skill=None))
    return Reviewer.objects.filter(
        may_work,
        is_member,
        Q(skilled) | Q(unskilled_queue),
        tenant=demand.tenant,
        user__is_active=True,
        is_paused=False,
    )


def _counted(reviewers: QuerySet[Reviewer]) -> Coalesce:
    grouped = reviewers.order_by().values("tenant").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(grouped, output_field=IntegerField()), Value(0))
