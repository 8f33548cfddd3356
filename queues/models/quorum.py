"""The rules that ask for more than one review of a case."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.models import Tenant
from cases.vocabulary import Risk

from ..quorum import MOST, Demand
from .queues import Queue


class QuorumRule(Tracked):
    """Raises ``Queue.required_reviews`` where all that it names holds. See ``queues.quorum``."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="quorum_rules")
    name = models.CharField(max_length=80, help_text="Shown beside the case as the reason for several reviews.")
    queue = models.ForeignKey(
        Queue, null=True, blank=True, on_delete=models.PROTECT, related_name="quorum_rules", help_text="Empty: any."
    )
    risk_from = models.CharField(
        max_length=8, choices=Risk, blank=True, default="", help_text="From this risk upward. Empty: any."
    )
    impact_from = models.CharField(
        max_length=8,
        choices=Risk,
        blank=True,
        default="",
        help_text="From this impact of a proposed action upward. Empty: any, also without one.",
    )
    required_reviews = models.PositiveSmallIntegerField(
        default=2,
        validators=[MinValueValidator(2), MaxValueValidator(MOST)],
        help_text="Independent reviews by different people. More than half of them have to agree.",
    )
    hides_draft = models.BooleanField(
        "hides the draft",
        default=False,
        help_text="Each says what they would decide before they see the AI's draft.",
    )
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        ordering = ("tenant", "name")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="quorum_rules_have_own_names"),)

    def __str__(self) -> str:
        return self.name

    def as_demand(self) -> Demand:
        return Demand(
            reviews=self.required_reviews,
            name=self.name,
            queue=self.queue_id,
            risk_from=self.risk_from,
            impact_from=self.impact_from,
        )
