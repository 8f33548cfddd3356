"""Who looked at what is sensitive: a case's texts, its customer, what became of it."""

from django.conf import settings
from django.db import models

from ..history import XactIdField
from .tenants import Tenant


class DataView(models.Model):
    """Append-only: a person opened a case somewhere, once for each person, case, place and hour.

    Downloads of exports are events of their own (``export.downloaded``).
    """

    class What(models.TextChoices):
        CASE = "case", "Opened the case's page"
        HISTORY = "history", "Opened the case's history"
        REVIEW = "review", "Opened the review page"
        ACTION = "action", "Opened the page of its action"
        API = "api", "Read the case by API"
        API_TIMELINE = "api_timeline", "Read its timeline by API"
        AUDIT = "audit", "Opened its audit timeline"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="+", db_index=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    what = models.CharField(max_length=12, choices=What)
    with_customer = models.BooleanField(help_text="The customer was shown, not masked.")
    at = models.DateTimeField()
    hour = models.DateTimeField(help_text="The full hour of ``at``.")
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "view of data"
        verbose_name_plural = "views of data"
        constraints = (
            models.UniqueConstraint(
                fields=("case", "actor", "what", "hour", "with_customer"), name="a_view_is_kept_once_an_hour"
            ),
        )
        indexes = (  # Read by the audit trail: a tenant's and a person's. A case's are read by the constraint's.
            models.Index(fields=["tenant", "-at", "-id"], name="views_by_time"),
            models.Index(fields=["actor", "-at", "-id"], name="views_by_person"),
            models.Index(fields=["request_id"], name="views_by_request", condition=~models.Q(request_id="")),
        )

    def __str__(self) -> str:
        return self.get_what_display()
