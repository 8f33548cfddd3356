"""What the AI proposed, and how triage judged it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from ..history import XactIdField
from ..ids import new_id
from ..vocabulary import Route, Trigger
from .tenants import Tenant

RELEASE_PARTS = ("model", "version", "prompt_version", "retrieval_version")


class Release(models.Model):
    """One version of an AI system; known from the first draft that names it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="releases")
    model = models.CharField(max_length=100, blank=True, default="")
    version = models.CharField(max_length=100, blank=True, default="")
    prompt_version = models.CharField(max_length=100, blank=True, default="")
    retrieval_version = models.CharField(max_length=100, blank=True, default="")
    first_seen_at = models.DateTimeField()
    reviews = models.PositiveIntegerField(
        default=0, help_text="Reviews that its drafts have had: the end of its cautious start."
    )

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", *RELEASE_PARTS), name="one_row_per_release"),)

    def __str__(self) -> str:
        return " ".join(filter(None, (getattr(self, part) for part in RELEASE_PARTS))) or "unnamed"


class Draft(models.Model):
    """Append-only. An answer that never came is a draft too: judged, empty and ``is_absent``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="drafts")
    number = models.PositiveSmallIntegerField()
    is_absent = models.BooleanField(default=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="drafts")
    policy_version = models.ForeignKey(
        "cases.PolicyVersion",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="None: no policy could be read.",
    )
    model_decision = models.CharField(max_length=100, blank=True, default="")
    signals = models.JSONField(default=dict)
    confidence = models.FloatField()
    contributions = models.JSONField(default=list)
    evaluations = models.JSONField(
        default=dict,
        help_text="Per signal that is evaluated here: what became of it, its value, and the caller's claim.",
    )
    triggers = ArrayField(models.CharField(max_length=20, choices=Trigger), default=list)
    route = models.CharField(max_length=18, choices=Route)
    threshold = models.FloatField(help_text="The upper threshold that was applied to it.")
    reason = models.CharField(max_length=400, blank=True, default="")
    is_sampled = models.BooleanField(default=False)
    sample_share = models.FloatField(
        null=True, help_text="The chance that it had of being sampled; None before this was kept."
    )
    conditions = ArrayField(
        models.CharField(max_length=60), default=list, help_text="The policy's conditions that sent it to people."
    )
    content = models.OneToOneField("cases.Content", on_delete=models.PROTECT, related_name="+")
    content_digest = models.BinaryField()
    created_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("case", "number"), name="drafts_are_numbered"),
            models.CheckConstraint(condition=models.Q(confidence__range=(0, 1)), name="confidence_in_unit_interval"),
        )

    def __str__(self) -> str:
        return f"Draft {self.number}"
