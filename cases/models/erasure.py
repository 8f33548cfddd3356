"""How long texts and audit rows are kept, what may not be erased meanwhile, and what is left to say when it was."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from ..history import Tracked, XactIdField, tracked
from ..ids import new_id, to_wire
from .tenants import Tenant

SHORTEST_AUDIT = 183  # days: who deploys a high-risk system keeps its logs for six months (EU AI Act, Article 26(6))


class RetentionRule(Tracked):
    """A tenant's periods, in days; 0 keeps. Without a row everything is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="retention_rule")
    case_days = models.PositiveIntegerField(
        "texts of cases, days",
        default=0,
        help_text="So long after a case is at its end and nothing more happened to it. 0: kept.",
    )
    audit_days = models.PositiveIntegerField(
        "audit rows, days",
        default=0,
        help_text="What views, refusals, sign-ins and past versions are kept for at least; the owner of the database "
        f"removes them afterwards by a command. 0: kept; otherwise {SHORTEST_AUDIT} or more.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "retention period"
        constraints = (
            models.CheckConstraint(
                condition=Q(audit_days=0) | Q(audit_days__gte=SHORTEST_AUDIT),
                name="audit_rows_are_kept_half_a_year",
                violation_error_message=f"Audit rows are kept for {SHORTEST_AUDIT} days or more; 0 keeps them.",
            ),
        )

    def __str__(self) -> str:
        return f"Periods of {self.tenant}"


class LegalHold(Tracked):
    """While it stands, neither a period nor an erasure touches the texts of a case, or of a customer's cases.

    A customer is named by the keyed digest alone. Placed and released through ``services.holds``.
    """

    PREFIX = "hold"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="legal_holds")
    case = models.ForeignKey("cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="legal_holds")
    customer_key = models.BinaryField(null=True, help_text="Keyed digest of the customer's reference.")
    reason = models.CharField(max_length=200, help_text="Why, without naming the person: it is never erased.")
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    released_at = models.DateTimeField(null=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "legal hold"
        constraints = (
            models.CheckConstraint(
                condition=Q(case__isnull=False, customer_key=None) | Q(case=None, customer_key__isnull=False),
                name="a_hold_is_on_a_case_or_a_customer",
            ),
            models.CheckConstraint(
                condition=Q(released_at=None, released_by=None)
                | Q(released_at__isnull=False, released_by__isnull=False),
                name="released_holds_say_by_whom",
            ),
        )
        indexes = (
            models.Index(fields=["tenant", "-id"], name="holds_newest"),  # Read by the list.
            models.Index(  # Read by erasure and retention.
                fields=["tenant", "case"], name="holds_that_stand", condition=Q(released_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"Hold on {self.about}"

    @property
    def about(self) -> str:
        return f"case {self.case}" if self.case_id else f"customer {bytes(self.customer_key).hex()[:12]}…"

    @property
    def stands(self) -> bool:
        return self.released_at is None


class ErasureReceipt(models.Model):
    """Append-only: texts were erased. It says how many and of what, and nothing of what they said or whose they were.

    ``counts`` are rows by kind; ``to_act_on`` lists what had left the house before: data sets and pushes by id.
    """

    class Cause(models.TextChoices):
        REQUEST = "request", "A customer's request"
        PERIOD = "period", "The retention period"

    PREFIX = "ers"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="erasures")
    cause = models.CharField(max_length=7, choices=Cause)
    subject = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="Keyed digest of what the customer was looked up by; names nobody.",
    )
    reason = models.CharField(max_length=200)
    counts = models.JSONField(default=dict)
    to_act_on = models.JSONField(default=list)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "erasure"
        indexes = (models.Index(fields=["tenant", "-id"], name="erasures_newest"),)  # Read by the list.

    def __str__(self) -> str:
        return f"{self.get_cause_display()}, {self.at:%Y-%m-%d %H:%M} UTC"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)
