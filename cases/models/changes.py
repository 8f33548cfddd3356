"""Changes that a second person has to confirm, where the tenant asks for it."""

from django.conf import settings
from django.db import models

from ..history import XactIdField
from ..ids import new_id
from .tenants import Tenant


class ChangeRequest(models.Model):
    """Append-only: a change that somebody asked for, whole, and how it differs from what stands."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="change_requests")
    kind = models.CharField(max_length=20, help_text="What carries it out: see services.changes.")
    right = models.CharField(max_length=100, help_text="Who asks and who confirms both hold it.")
    subject_id = models.UUIDField(null=True, help_text="None: something new.")
    subject = models.CharField(max_length=200)
    base = models.BigIntegerField(null=True, help_text="The subject's newest history row when this was asked for.")
    document = models.JSONField(help_text="What the service that carries it out is given.")
    differences = models.JSONField(help_text="Lists of what, before and after, in words.")
    reason = models.CharField(max_length=200)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "change that waits for a second person"
        verbose_name_plural = "changes for a second person"
        indexes = (models.Index(fields=["tenant", "-id"], name="changes_newest"),)  # Read by the list of changes.

    def __str__(self) -> str:
        return self.subject


class ChangeAnswer(models.Model):
    """Append-only: what became of a request, once. A trigger refuses a confirmation by whoever asked."""

    class Verdict(models.TextChoices):
        CONFIRMED = "confirmed", "Confirmed and carried out"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Taken back by who asked"
        OUTDATED = "outdated", "Void: it was changed meanwhile"

    request = models.OneToOneField(ChangeRequest, on_delete=models.PROTECT, related_name="answer", primary_key=True)
    verdict = models.CharField(max_length=9, choices=Verdict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True, default="")
    request_ref = models.CharField(max_length=64, blank=True, default="", help_text="The id of the web request.")
    xid = XactIdField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.get_verdict_display()
