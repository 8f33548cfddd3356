"""Queues: what each takes, and what it asks of people."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.tenants import SLUG
from cases.vocabulary import Risk, Route

from .calendars import SlaPolicy
from .people import Skill


class Queue(Tracked):
    """Takes the cases that match every list that it fills; the tenant's fallback takes what nothing else does."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="queues")
    slug = models.CharField(max_length=50, validators=[SLUG])
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(
        default=100, help_text="Decides between equally specific queues; lower first."
    )
    is_fallback = models.BooleanField(default=False, help_text="Takes what no other queue takes. One per tenant.")
    domains = ArrayField(models.CharField(max_length=50), default=list, blank=True, help_text="Empty: any.")
    languages = ArrayField(models.CharField(max_length=35), default=list, blank=True, help_text="Empty: any.")
    risks = ArrayField(models.CharField(max_length=8, choices=Risk), default=list, blank=True, help_text="Empty: any.")
    routes = ArrayField(
        models.CharField(max_length=18, choices=Route), default=list, blank=True, help_text="Empty: any."
    )
    skill = models.ForeignKey(
        Skill, null=True, blank=True, on_delete=models.PROTECT, help_text="Who works here must have it."
    )
    skill_level = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(5)])
    authority_code = models.CharField(
        max_length=50,
        blank=True,
        default="",
        help_text="Takes cases whose action needs this authority, the smallest that covers it. Empty: any.",
    )
    due_within_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(525_600)],
        help_text="Takes cases that their caller wants within so many minutes. Empty: any case.",
    )
    sla_policy = models.ForeignKey(SlaPolicy, verbose_name="SLA policy", on_delete=models.PROTECT)
    required_reviews = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    escalation_target = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, help_text="Where overdue cases go."
    )

    history = tracked()

    class Meta:
        ordering = ("position", "slug")
        default_permissions = ()
        permissions = (
            ("work_queue", "Take and decide cases of this queue"),
            ("supervise_queue", "Supervise this queue"),
        )
        constraints = (
            models.UniqueConstraint(fields=("tenant", "slug"), name="queue_slugs_are_unique"),
            models.UniqueConstraint(
                fields=("tenant",), condition=models.Q(is_fallback=True), name="one_fallback_queue_per_tenant"
            ),
            models.CheckConstraint(
                condition=~models.Q(escalation_target=models.F("id")), name="no_queue_escalates_to_itself"
            ),
        )

    def __str__(self) -> str:
        return self.name


class QueueUserPermission(UserObjectPermissionBase):
    """guardian's direct rows: a right of one user over one queue."""

    content_object = models.ForeignKey(Queue, on_delete=models.CASCADE)


class QueueGroupPermission(GroupObjectPermissionBase):
    """guardian's direct rows: a right of one role group over one queue."""

    content_object = models.ForeignKey(Queue, on_delete=models.CASCADE)
