"""What went from the audit trail because its period was over, so that its seals still verify."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from ..history import XactIdField
from .seals import NAME, Seal
from .tenants import Tenant


class AuditRemoval(models.Model):
    """Append-only: sealed rows of one table in one seal that went when their period was over.

    ``document`` is the very bytes that were signed: which rows of which seal, under which period. The other columns say
    the same again for queries, and a verification compares them. The digests of the rows stay in their seal.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="audit_removals")
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="removals")
    table = models.CharField(max_length=NAME)
    rows = models.PositiveIntegerField()
    period_days = models.PositiveIntegerField(help_text="The retention period that was over, in days.")
    reason = models.CharField(max_length=200)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True, default="")
    document = models.BinaryField()
    key_id = models.CharField("key", max_length=16)
    signature = models.BinaryField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "removal of old audit rows"
        verbose_name_plural = "removals of old audit rows"
        constraints = (models.CheckConstraint(condition=Q(rows__gt=0), name="removals_took_something"),)
        indexes = (models.Index(fields=["tenant", "-at", "-id"], name="removals_by_time"),)  # Read by the audit trail.

    def __str__(self) -> str:
        return f"{self.rows} rows of {self.table} in seal {self.seal_id}"
