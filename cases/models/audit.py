"""Denied attempts: kept in their own transaction, so that a rollback does not take them along."""

from django.conf import settings
from django.db import models

from ..history import XactIdField
from .tenants import Tenant


class Denial(models.Model):
    """Append-only: somebody asked for what they may not do."""

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+")
    permission = models.CharField(max_length=100)
    subject = models.CharField(max_length=100)
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="denials_newest"),  # Read by the audit section.
            models.Index(fields=["tenant", "-at", "-id"], name="denials_by_time"),  # Read by the audit trail.
            models.Index(fields=["subject"], name="denials_by_subject"),  # Read by a case's audit timeline.
            models.Index(  # Read by the audit trail.
                fields=["request_id"], name="denials_by_request", condition=~models.Q(request_id="")
            ),
        )

    def __str__(self) -> str:
        return f"{self.actor} was denied {self.permission}"
