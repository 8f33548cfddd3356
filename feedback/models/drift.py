"""What became of the rates after a new release: the last look at it, and what was told."""

from django.db import models

from cases.history import XactIdField
from cases.models import Release, Tenant

from ..drift.findings import WATCHED
from ..metrics.definitions import BY_METRIC


class DriftLook(models.Model):
    """How a release stands beside what was before it, as last looked at. Written by ``services.drifting`` alone.

    ``report`` holds ``findings`` (``drift.findings.Finding`` as JSON), the release ``before`` it that it is compared
    with by name, and what ``changed`` besides the traffic.
    """

    release = models.OneToOneField(Release, primary_key=True, on_delete=models.PROTECT, related_name="drift_look")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    looked_at = models.DateTimeField()
    report = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.release}, looked at {self.looked_at:%Y-%m-%d %H:%M}"


class DriftAlert(models.Model):
    """Append-only: a metric moved after a release, at equal traffic. One for each release and metric, ever.

    ``change`` with its interval of 95 % (``low``, ``high``) and ``before`` and ``after`` are in the metric's unit;
    ``p`` is always valid; ``report`` is the whole finding.
    """

    OF_THE_FINDING = ("metric", "before", "after", "change", "low", "high", "p", "n_before", "n_after")

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="drift_alerts")
    metric = models.CharField(max_length=30, choices=[(name, BY_METRIC[name].title) for name in WATCHED])
    at = models.DateTimeField()
    before = models.FloatField()
    after = models.FloatField()
    change = models.FloatField(help_text="At equal traffic.")
    low = models.FloatField()
    high = models.FloatField()
    p = models.FloatField()
    n_before = models.PositiveIntegerField()
    n_after = models.PositiveIntegerField()
    report = models.JSONField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        verbose_name = "drift alert"
        constraints = (models.UniqueConstraint(fields=("release", "metric"), name="one_drift_alert_per_metric"),)
        indexes = (models.Index(fields=["tenant", "-id"], name="drift_alert_newest"),)  # Read by its list.

    def __str__(self) -> str:
        return f"{self.get_metric_display()} after {self.release}"
