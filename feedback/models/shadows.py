"""Policies that run without effect, and what they would have done."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Draft, Policy, Tenant
from cases.vocabulary import Route, Trigger


class ShadowPolicy(Tracked):
    """A variant of a policy that judges the same new cases beside it. Its rules never change: another is another one.

    Nothing follows from its verdicts. Started and ended through ``services.shadows``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="shadow_policies")
    policy = models.ForeignKey(
        Policy, on_delete=models.PROTECT, related_name="shadows", help_text="It judges the cases that this one judges."
    )
    name = models.CharField(max_length=60)
    document = models.JSONField(help_text="Its rules, whole.")
    release_model = models.CharField(
        "only the model", max_length=100, blank=True, default="", help_text="Empty: every model."
    )
    release_version = models.CharField(
        "only its version", max_length=100, blank=True, default="", help_text="Empty: every version."
    )
    trusts_releases = models.BooleanField(
        "trusts new releases",
        default=False,
        help_text="Judges a new release as if its cautious start were over: what it would do once it is trusted.",
    )
    is_active = models.BooleanField("runs", default=True)
    started_at = models.DateTimeField()

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "shadow policies"
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="shadow_policy_names_are_unique"),)
        indexes = (  # Read by shadows.on_events, in every intake.
            models.Index(fields=["tenant"], name="running_shadow_policies", condition=models.Q(is_active=True)),
        )

    def __str__(self) -> str:
        return self.name


class ShadowVerdict(models.Model):
    """Append-only: what a shadow policy made of a case's first draft. Codes and numbers, no text."""

    id = models.BigAutoField(primary_key=True)
    shadow = models.ForeignKey(ShadowPolicy, on_delete=models.PROTECT, related_name="verdicts")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="+")
    route = models.CharField(max_length=18, choices=Route)
    confidence = models.FloatField()
    triggers = ArrayField(models.CharField(max_length=20, choices=Trigger), default=list)
    conditions = ArrayField(models.CharField(max_length=60), default=list)
    at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("shadow", "draft"), name="one_shadow_verdict_per_draft"),)
        indexes = (models.Index(fields=["shadow", "-id"], name="shadow_verdict_newest"),)  # Read by shadow_report.

    def __str__(self) -> str:
        return self.get_route_display()
