"""Taking automatic approvals back, many at once."""

from django.db import models

from ..ids import new_id, to_wire
from .tenants import Tenant


class RecallRun(models.Model):
    """Automatic approvals of a tenant since a moment, on their way back to people, batch by batch.

    There is no position to lose: what is still approved and lies in the window is what is left to do.
    """

    PREFIX = "rcl"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    domain = models.CharField(max_length=50, blank=True, default="", help_text="Empty: every domain.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    reason = models.CharField(max_length=200)
    asked_by = models.ForeignKey("cases.User", on_delete=models.PROTECT, related_name="+")
    found = models.PositiveIntegerField(help_text="How many there were when it was asked for.")
    recalled = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="recall_newest"),  # Read by the automation page.
            models.Index(  # Read by recalls.sweep.
                fields=["id"], name="recall_running", condition=models.Q(finished_at=None)
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("tenant",), condition=models.Q(finished_at=None), name="one_running_recall_per_tenant"
            ),
            models.CheckConstraint(condition=models.Q(since__lt=models.F("until")), name="recall_ends_after_it_began"),
        )

    def __str__(self) -> str:
        return f"{self.tenant}: since {self.since:%Y-%m-%d %H:%M}"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)
