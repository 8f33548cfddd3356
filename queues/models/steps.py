"""What an SLA does as time passes, and each time that it did."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Case, Tenant

from ..steps import LAST_SHARE, SHORTEST_AGAIN, Step, StepKind
from .calendars import SlaPolicy
from .queues import Queue


class SlaStep(Tracked):
    """At a share of the SLA, something happens. A policy without steps follows ``steps.STANDARD``."""

    policy = models.ForeignKey(SlaPolicy, on_delete=models.CASCADE, related_name="steps")
    share = models.PositiveSmallIntegerField(
        "at percent",
        validators=[MinValueValidator(1), MaxValueValidator(LAST_SHARE)],
        help_text="Of the time from arrival to deadline; above 100 is after it.",
    )
    kind = models.CharField("what happens", max_length=14, choices=StepKind)
    again_every = models.PositiveSmallIntegerField(
        "again every further percent",
        null=True,
        blank=True,
        validators=[MinValueValidator(SHORTEST_AGAIN), MaxValueValidator(LAST_SHARE)],
        help_text=f"Empty: once. Nothing happens after {LAST_SHARE} percent.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "SLA step"
        ordering = ("share", "id")
        constraints = (models.UniqueConstraint(fields=("policy", "share", "kind"), name="sla_steps_are_unique"),)

    def __str__(self) -> str:
        return f"{self.share} %: {self.get_kind_display()}"

    def as_step(self) -> Step:
        return Step(self.share, StepKind(self.kind), self.again_every)


class StepFired(models.Model):
    """Append-only: a step that was taken for a case, once per deadline's clock."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="steps_fired")
    clock = models.UUIDField(help_text="The deadline's; an entry that is restored goes on with its own.")
    share = models.PositiveSmallIntegerField(help_text="Percent.")
    kind = models.CharField(max_length=14, choices=StepKind)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+", help_text="Where the case was.")
    was_held = models.BooleanField()
    planned_at = models.DateTimeField(help_text="When the share was reached.")
    at = models.DateTimeField(help_text="When a sweep saw it.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "steps fired"
        constraints = (models.UniqueConstraint(fields=("clock", "share", "kind"), name="each_step_once_per_clock"),)
        indexes = (models.Index(fields=["case", "id"], name="steps_of_case"),)  # Read by the entry's page.

    def __str__(self) -> str:
        return f"{self.share} %: {self.get_kind_display()}"
