"""Polls: one question that several people answer, each for themselves."""

from django.db import models
from django.db.models import Q

from cases.ids import new_id
from cases.models import Case, Draft, Tenant
from queues.models import Queue

from ..quorum import Standing


class Poll(models.Model):
    """Opened by the first vote on a draft that takes several; its votes are ``Review`` rows. Not a hot row: it changes
    once for each vote, under the case's lock."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="polls")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="+")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="+")
    required = models.PositiveSmallIntegerField(help_text="Reviews asked for, as the rules were at the first vote.")
    why = models.CharField(max_length=120)
    is_demanded = models.BooleanField(
        default=False,
        help_text="Its votes could not be spared: for the stakes of the case, or as nobody had room.",
    )
    standing = models.CharField(max_length=11, choices=Standing, default=Standing.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, help_text="When it was decided, adjudicated or abandoned.")

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("case",), condition=Q(closed_at=None), name="one_open_poll_per_case"),
        )
        indexes = (
            models.Index(fields=["case", "id"], name="polls_of_case"),  # Read by votes and the review page.
            models.Index(fields=["tenant", "-opened_at"], name="polls_newest"),  # Read by agreement.
        )

    def __str__(self) -> str:
        return f"{self.required} reviews of {self.case}"
