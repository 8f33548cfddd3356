"""The weekly export of overrides: one row per tenant and week, and which review it told the world about.

What an export holds is fixed in the transaction that makes its row; its files are written after, again if need be.
"""

from django.db import models
from django.db.models import Q

from cases.history import XactIdField
from cases.ids import new_id, to_wire
from cases.models import Tenant

from ..datasets.customers import CustomerFields
from ..labels import Label
from ..states import WeeklyState
from ..weeks import Week


class WeeklyExport(models.Model):
    """``frozen``: its rows are fixed, its files are not all there yet; ``ready``: delivered and announced."""

    PREFIX = "exp"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="weekly_exports")
    year = models.PositiveSmallIntegerField()
    week = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField(help_text="Monday 00:00 on the tenant's clock.")
    ends_at = models.DateTimeField()
    watermark = models.CharField(
        max_length=20, help_text="Every transaction below this one had ended when the rows were fixed."
    )
    customer_fields = models.CharField(
        max_length=4,
        choices=CustomerFields,
        default=CustomerFields.OMIT,
        help_text="The tenant's wish when the rows were fixed.",
    )
    state = models.CharField(max_length=6, choices=WeeklyState, default=WeeklyState.FROZEN)
    counts = models.JSONField(default=dict, help_text="overrides, of them late, and corrections.")
    files = models.JSONField(default=list, help_text="Per file: name, key, sha256, bytes, rows.")
    frozen_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, help_text="Until then somebody is writing it.")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="weekly_exports_newest"),  # Read by the admin's list.
            models.Index(fields=["id"], name="unwritten_exports", condition=Q(state="frozen")),  # Read by the beat.
        )
        constraints = (
            models.UniqueConstraint(fields=("tenant", "year", "week"), name="one_export_per_tenant_and_week"),
            models.CheckConstraint(
                condition=Q(state="frozen", ready_at=None) | Q(state="ready", ready_at__isnull=False),
                name="ready_exports_say_when",
            ),
        )

    def __str__(self) -> str:
        return f"Overrides of {self.iso_week}"

    @property
    def iso_week(self) -> Week:
        return Week(self.year, self.week)

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)


class ExportedOverride(models.Model):
    """Append-only: this review went out with this export, under this label. A review goes out once, ever."""

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(WeeklyExport, on_delete=models.PROTECT, related_name="overrides")
    review = models.OneToOneField("feedback.Review", on_delete=models.PROTECT, related_name="exported")
    label = models.CharField(max_length=16, choices=Label, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["export", "id"], name="overrides_of_export"),)  # Read when files are written.

    def __str__(self) -> str:
        return f"{self.review_id} in {self.export_id}"


class ExportedLabel(models.Model):
    """Append-only: this export told that the label of an override, which went out before, is another one now."""

    id = models.BigAutoField(primary_key=True)
    export = models.ForeignKey(WeeklyExport, on_delete=models.PROTECT, related_name="corrections")
    override = models.ForeignKey(ExportedOverride, on_delete=models.PROTECT, related_name="later_labels")
    was = models.CharField(max_length=16, choices=Label, blank=True, default="")
    label = models.CharField(max_length=16, choices=Label, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["export", "id"], name="corrections_of_export"),  # Read when files are written.
            models.Index(fields=["override", "-id"], name="labels_of_override"),  # Read when the next week is fixed.
        )
        constraints = (
            models.UniqueConstraint(fields=("export", "override"), name="one_correction_per_export"),
            models.CheckConstraint(condition=~Q(was=models.F("label")), name="a_correction_changes_the_label"),
        )

    def __str__(self) -> str:
        return f"{self.was or 'unlabelled'} is {self.label or 'unlabelled'}"
