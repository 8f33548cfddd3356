"""Data sets with their frozen versions, the exports that make them, and where these are pushed."""

import json
from typing import Any

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from cases.fsm import transition_for
from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id, to_wire
from cases.models import Tenant

from ..datasets.customers import CustomerFields
from ..kinds import Kind
from ..states import ACTIVE, EXPORT_MOVES, ExportState


class Dataset(models.Model):
    """A named line of versions of one kind, of one tenant."""

    PREFIX = "ds"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="datasets")
    kind = models.CharField(max_length=18, choices=Kind)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_dataset_per_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)


class DatasetVersion(models.Model):
    """Append-only: what was handed over, as the bytes of a manifest from which it can be made again."""

    PREFIX = "dsv"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    manifest = models.BinaryField(help_text="Canonical JSON (RFC 8785).")
    manifest_sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("dataset", "number"), name="dataset_versions_are_numbered"),)

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(bytes(self.manifest))


class Export(models.Model):
    """One file in the making, then made, then removed. The row is the truth; a worker holds it by its lease."""

    PREFIX = "exp"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="exports")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="exports")
    version = models.OneToOneField(DatasetVersion, null=True, on_delete=models.PROTECT, related_name="export")
    format = models.CharField(max_length=30)
    filters = models.JSONField(default=dict)
    customer_fields = models.CharField(
        max_length=4, choices=CustomerFields, help_text="The tenant's wish when it was asked for."
    )
    watermark = models.CharField(max_length=20, help_text="Rows of transactions below it are in; later ones are not.")
    as_of = models.DateTimeField(help_text="The instant of the watermark.")
    state = FSMField(max_length=9, choices=ExportState, default=ExportState.QUEUED, protected=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    rows_expected = models.PositiveIntegerField(default=0, help_text="Corrections in the window, counted at the start.")
    rows_read = models.PositiveIntegerField(default=0)
    rows_written = models.PositiveIntegerField(default=0)
    checkpoint = models.JSONField(null=True, help_text="From where another worker goes on.")
    lease = models.UUIDField(null=True, help_text="Whose it is: each start makes another.")
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts in a row that came to no checkpoint.")
    error = models.CharField(max_length=300, blank=True, default="")
    file_key = models.CharField(max_length=200, blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    file_bytes = models.BigIntegerField(default=0)

    start = transition_for(EXPORT_MOVES, "start")
    requeue = transition_for(EXPORT_MOVES, "requeue")
    finish = transition_for(EXPORT_MOVES, "finish")
    fail = transition_for(EXPORT_MOVES, "fail")
    cancel = transition_for(EXPORT_MOVES, "cancel")
    expire = transition_for(EXPORT_MOVES, "expire")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="exports_newest"),  # Read by the API's and the admin's lists.
            models.Index(  # Read by exports.sweep.
                fields=["requested_at"], name="exports_active", condition=models.Q(state__in=ACTIVE)
            ),
            models.Index(  # Read by exports.sweep.
                fields=["expires_at"], name="exports_to_expire", condition=models.Q(state=ExportState.READY)
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(state=ExportState.READY)
                | models.Q(version__isnull=False, expires_at__isnull=False) & ~models.Q(file_key=""),
                name="ready_exports_have_a_file",
            ),
        )

    def __str__(self) -> str:
        return f"{self.dataset} as {self.format}"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def share_done(self) -> float:
        """In [0, 1]."""
        if self.state in (ExportState.READY, ExportState.EXPIRED):
            return 1.0
        return min(self.rows_read / self.rows_expected, 1.0) if self.rows_expected else 0.0


class PushTarget(Tracked):
    """A Langfuse project or a Phoenix server that exports are pushed to. The secret is written and never shown."""

    class System(models.TextChoices):
        LANGFUSE = "langfuse", "Langfuse"
        PHOENIX = "phoenix", "Phoenix"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="push_targets")
    system = models.CharField(max_length=8, choices=System)
    name = models.CharField(max_length=100)
    url = models.URLField(max_length=500, help_text="The server, such as https://cloud.langfuse.com. HTTPS and public.")
    public_key = models.CharField(max_length=200, blank=True, default="", help_text="Langfuse's public key.")
    secret = models.CharField(
        max_length=500, blank=True, default="", help_text="Langfuse's secret key, or Phoenix's API key."
    )
    is_active = models.BooleanField(default=True)

    history = tracked(excluded_fields=["secret"])

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="push_targets_have_names"),)

    def __str__(self) -> str:
        return self.name


class Push(models.Model):
    """One sending of a version to a target, with its report."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "May have arrived in part"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="pushes")
    target = models.ForeignKey(PushTarget, on_delete=models.PROTECT, related_name="pushes")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lines_sent = models.PositiveIntegerField(default=0, help_text="Lines of the file that the target has taken.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Failures in a row.")
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        default_permissions = ()
        verbose_name_plural = "pushes"
        indexes = (
            models.Index(  # Read by pushes.sweep.
                fields=["next_attempt_at"], name="pushes_due", condition=models.Q(state="waiting")
            ),
        )
        constraints = (models.UniqueConstraint(fields=("export", "target"), name="one_push_per_export_and_target"),)

    def __str__(self) -> str:
        return f"{self.export} to {self.target}"
