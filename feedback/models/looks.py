"""Second looks: decided cases that a supervisor has somebody else review."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from cases.ids import new_id
from cases.models import Case, Tenant

from .reviews import Review


class SecondLook(models.Model):
    """``decision`` is what was looked at again, ``review`` what the second person says; both stay on record."""

    class Result(models.TextChoices):
        WAITING = "waiting", "Waiting"
        UPHELD = "upheld", "Upheld"
        OVERTURNED = "overturned", "Overturned"
        CLOSED = "closed", "Reopened before anybody looked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="second_looks")
    decision = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="second_looks")
    review = models.OneToOneField(Review, null=True, on_delete=models.PROTECT, related_name="second_look")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    is_blind = models.BooleanField(
        default=False, help_text="Who looks again does not see what was decided before they have said what they would."
    )
    result = models.CharField(max_length=10, choices=Result, default=Result.WAITING)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("case",), condition=Q(ended_at=None), name="one_second_look_at_a_time"),
            models.UniqueConstraint(fields=("decision",), name="one_second_look_per_decision"),
        )
        indexes = (
            models.Index(fields=["tenant", "-asked_at"], name="second_looks_newest"),  # Read by the list of them.
        )

    def __str__(self) -> str:
        return f"Second look at {self.case}"
