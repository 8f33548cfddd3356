"""The big red button's rows."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..history import Tracked, tracked
from ..vocabulary import Depth, Stage
from .tenants import Tenant


class AutomationSwitch(Tracked):
    """``ai_automation_enabled`` for one scope. A missing global or tenant row is off; narrower rows only subtract."""

    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="switches")
    domain = models.CharField(max_length=50, blank=True, default="")
    action = models.CharField(max_length=100, blank=True, default="", help_text="The name of an action type.")
    is_enabled = models.BooleanField(default=False)
    depth = models.PositiveSmallIntegerField(choices=Depth, default=Depth.DECISIONS)
    share = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="How much of what would pass by itself does, in percent, while this is on.",
    )
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
            models.CheckConstraint(condition=models.Q(share__range=(1, 100)), name="switch_share_is_a_percentage"),
        )

    def __str__(self) -> str:
        scope = [str(self.tenant) if self.tenant_id else "Everywhere", self.domain, self.action]
        return ", ".join(part for part in scope if part)


class ResumeRequest(Tracked):
    """One person's wish to resume a scope, which a second one confirms. A stop that comes after it voids it."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for a second person"
        CONFIRMED = "confirmed", "Confirmed"
        REFUSED = "refused", "Refused"
        VOID = "void", "Void: something was stopped meanwhile, or it waited too long"

    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+")
    domain = models.CharField(max_length=50, blank=True, default="")
    action = models.CharField(max_length=100, blank=True, default="")
    stage = models.PositiveSmallIntegerField(choices=Stage)
    reason = models.CharField(max_length=200)
    asked_by = models.ForeignKey("cases.User", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    answered_by = models.ForeignKey("cases.User", null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "domain", "action"),
                condition=models.Q(state="waiting", tenant__isnull=False),
                name="one_waiting_resume_per_scope",
            ),
            models.UniqueConstraint(
                fields=("domain", "action"),
                condition=models.Q(state="waiting", tenant=None),
                name="one_waiting_global_resume_per_scope",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="confirmed") | ~models.Q(answered_by=models.F("asked_by")),
                name="nobody_confirms_their_own_resume",
            ),
        )

    def __str__(self) -> str:
        scope = [str(self.tenant) if self.tenant_id else "Everywhere", self.domain, self.action]
        return f"{', '.join(part for part in scope if part)}: {self.get_stage_display()}"
