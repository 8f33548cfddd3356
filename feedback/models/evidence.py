"""Evidence packs: who asked for one, over which window, and what became of it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField

from cases.fsm import transition_for
from cases.ids import new_id, to_wire
from cases.models import Tenant

from ..states import ACTIVE, EXPORT_MOVES, ExportState


class EvidencePack(models.Model):
    """One signed archive in the making, then made, then removed. The row is the truth; a worker holds it by its lease.

    The file goes, the row stays: with its SHA-256, a copy that somebody kept can be told from another.
    """

    PREFIX = "pack"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="evidence_packs")
    since = models.DateTimeField(help_text="A full hour of the tenant's metrics.")
    until = models.DateTimeField()
    zone = models.CharField(max_length=60)
    seed = models.CharField(max_length=32, help_text="By which its sample cases are drawn.")
    sampled = ArrayField(
        models.UUIDField(), null=True, help_text="The cases that are told of in it; None: not known yet."
    )
    rights = ArrayField(
        models.CharField(max_length=100), help_text="What it takes to read it, by the sections that are in it."
    )
    state = FSMField(max_length=9, choices=ExportState, default=ExportState.QUEUED, protected=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(help_text="Nothing counts that came later.")
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    sections_done = models.PositiveSmallIntegerField(default=0)
    sections = models.PositiveSmallIntegerField()
    rows_written = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True, help_text="Whose it is: each start makes another.")
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts in a row that finished no section.")
    begun_anew = models.PositiveSmallIntegerField(default=0, help_text="How often what was written was thrown away.")
    error = models.CharField(max_length=300, blank=True, default="")
    file_key = models.CharField(max_length=200, blank=True, default="")
    file_name = models.CharField(max_length=200, blank=True, default="")
    file_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, default="")

    start = transition_for(EXPORT_MOVES, "start")
    requeue = transition_for(EXPORT_MOVES, "requeue")
    finish = transition_for(EXPORT_MOVES, "finish")
    fail = transition_for(EXPORT_MOVES, "fail")
    cancel = transition_for(EXPORT_MOVES, "cancel")
    expire = transition_for(EXPORT_MOVES, "expire")

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["tenant", "-id"], name="packs_newest"),  # Read by the admin's list.
            models.Index(  # Read by evidence_runs.sweep.
                fields=["requested_at"], name="packs_active", condition=Q(state__in=ACTIVE)
            ),
            models.Index(  # Read by evidence_runs.sweep.
                fields=["expires_at"], name="packs_to_expire", condition=Q(state=ExportState.READY)
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="packs_end_after_they_began"),
            models.CheckConstraint(
                condition=~Q(state=ExportState.READY) | Q(expires_at__isnull=False) & ~Q(file_key="") & ~Q(sha256=""),
                name="ready_packs_have_a_file",
            ),
        )

    def __str__(self) -> str:
        return f"Evidence of {self.tenant}, {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"

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
        return self.sections_done / self.sections
