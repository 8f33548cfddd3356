"""The big red button's rows."""

from django.db import models

from ..history import Tracked, tracked
from ..vocabulary import Depth
from .tenants import Tenant


class AutomationSwitch(Tracked):
    """``ai_automation_enabled`` for one scope. A missing global or tenant row is off; narrower rows only subtract."""

    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="switches")
    domain = models.CharField(max_length=50, blank=True, default="")
    action = models.CharField(max_length=100, blank=True, default="", help_text="The name of an action type.")
    is_enabled = models.BooleanField(default=False)
    depth = models.PositiveSmallIntegerField(choices=Depth, default=Depth.DECISIONS)
    reason = models.CharField(max_length=200)
    changed_by = models.ForeignKey("cases.User", on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "automation switches"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "domain", "action"),
                condition=models.Q(tenant__isnull=False),
                name="one_switch_per_scope",
            ),
            models.UniqueConstraint(
                fields=("domain", "action"), condition=models.Q(tenant=None), name="one_global_switch_per_scope"
            ),
        )

    def __str__(self) -> str:
        scope = [str(self.tenant) if self.tenant_id else "Everywhere", self.domain, self.action]
        return ", ".join(part for part in scope if part)
