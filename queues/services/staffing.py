"""Who can work a queue, counted for many queues in one query. ``fitness`` asks the same for one person."""

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, Exists, Func, IntegerField, JSONField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from cases.models import Membership

from ..models import Queue, QueueGroupPermission, QueueUserPermission, Reviewer, ReviewerSkill


def with_staff(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    """``queues`` with ``staff``, how many reviewers could take their cases, and ``on_shift``, how many do now."""
    return queues.annotate(staff=_counted(_staff()), on_shift=_counted(_staff().filter(is_on_shift=True)))


def with_readers(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    """``queues`` with ``readers``: for each reviewer who could take their cases a list of languages, empty for any."""
    # As JSON: PostgreSQL makes no array of arrays that differ in length.
    return queues.annotate(
        readers=ArraySubquery(
            _staff().values(listed=Func("languages", function="to_jsonb", output_field=JSONField())),
            output_field=ArrayField(JSONField()),
        )
    )


def _staff() -> QuerySet[Reviewer]:
    """The reviewers of the outer queue: active members with the right, the skill and no pause."""
    queue, user = OuterRef(OuterRef("pk")), OuterRef("user")
    work = {"permission__codename": "work_queue", "content_object": queue}
    may_work = Exists(QueueGroupPermission.objects.filter(group__user=user, **work)) | Exists(
        QueueUserPermission.objects.filter(user=user, **work)
    )
    is_member = Exists(Membership.objects.filter(user=user, tenant=OuterRef("tenant"), is_active=True))
    skilled = Exists(
        ReviewerSkill.objects.filter(
            reviewer=OuterRef("pk"), skill=OuterRef(OuterRef("skill")), level__gte=OuterRef(OuterRef("skill_level"))
        )
    )
    return Reviewer.objects.filter(
        may_work, is_member, tenant=OuterRef("tenant"), user__is_active=True, is_paused=False
    ).filter(Q(skilled) | Q(Exists(Queue.objects.filter(pk=OuterRef(OuterRef("pk")), skill=None))))


def _counted(reviewers: QuerySet[Reviewer]) -> Coalesce:
    grouped = reviewers.order_by().values("tenant").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(grouped, output_field=IntegerField()), Value(0))
