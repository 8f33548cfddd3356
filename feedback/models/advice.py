"""What a change of a threshold or of the weights stood on, kept with the change."""

from django.conf import settings
from django.db import models

from cases.history import XactIdField
from cases.ids import new_id
from cases.models import Policy, PolicyVersion, Tenant


class LearnedWeights(models.Model):
    """Append-only: weights fitted on the earlier part of a policy's reviews, and how they did on the later part.

    ``weights`` and ``hand_set`` are log odds and plain weights by signal; ``trial`` is ``comparing.Trial`` as JSON.
    They take effect only by a policy version that holds them (``services.learning.adopt``).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="learned_weights")
    version = models.PositiveIntegerField()
    intercept = models.FloatField()
    weights = models.JSONField()
    clear_margin = models.FloatField()
    hand_set = models.JSONField(help_text="The weights set by hand that they were compared with.")
    since = models.DateTimeField(help_text="The oldest decision that was read.")
    split_at = models.DateTimeField(help_text="From here on decisions were held out.")
    until = models.DateTimeField(help_text="The latest.")
    fitted_on = models.PositiveIntegerField(help_text="decisions")
    compared_on = models.PositiveIntegerField(help_text="decisions held out")
    trial = models.JSONField()
    may_be_adopted = models.BooleanField(help_text="Not worse than the weights set by hand, by the trial.")
    fitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    fitted_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "learned weights"
        ordering = ("-version",)
        constraints = (models.UniqueConstraint(fields=("policy", "version"), name="learned_weights_are_numbered"),)

    def __str__(self) -> str:
        return f"weights learned, version {self.version}"


class ThresholdEvidence(models.Model):
    """Append-only: why a version of a policy was published from the page of thresholds, and by whom.

    ``report`` holds the numbers as the person saw them: each threshold with its volume and error, the calibration, the
    sentence, and for weights the trial.
    """

    class Kind(models.TextChoices):
        THRESHOLD = "threshold", "Threshold"
        WEIGHTS = "weights", "Learned weights"
        BACK = "back", "Back to the weights set by hand"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    policy_version = models.OneToOneField(PolicyVersion, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=9, choices=Kind)
    learned = models.ForeignKey(LearnedWeights, null=True, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField(help_text="The cases that it stands on were opened from here on.")
    until = models.DateTimeField()
    cases = models.PositiveIntegerField()
    tolerated_error = models.FloatField()
    threshold_before = models.FloatField()
    threshold_after = models.FloatField()
    report = models.JSONField()
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    applied_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "change of a threshold"
        verbose_name_plural = "changes of thresholds"
        indexes = (
            models.Index(fields=["tenant", "-applied_at"], name="threshold_evidence_newest"),
        )  # Read by its list.

    def __str__(self) -> str:
        return f"{self.policy_version}: {self.get_kind_display().lower()}"
