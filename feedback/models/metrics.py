"""What the metrics keep: sums by hour and by day, and the cases whose hours have to be summed anew."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from cases.ids import new_id
from cases.models import Case, Tenant

from ..metrics.definitions import MEASURES


def _measure_field(name: str) -> models.Field:
    """Weights have six places; everything else is whole."""
    if "_weight" in name:
        return models.DecimalField(max_digits=24, decimal_places=6, default=0)
    return models.BigIntegerField(default=0)


class MetricHour(models.Model):
    """The sums of one hour of one domain, for one value of one dimension. Written by ``metrics.rollups`` alone.

    Each dimension has rows of its own beside those of the whole domain (``all``): all of them crossed would be as many
    rows as there are cases. ``handling_values`` are the reviews' whole seconds, for exact percentiles.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField(help_text="Its beginning; a full hour where the tenant is.")
    dimension = models.CharField(max_length=9)
    domain = models.CharField(max_length=50)
    key = models.CharField(max_length=250)
    handling_values = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        default_permissions = ()
        verbose_name = "hour of metrics"
        verbose_name_plural = "insights"
        constraints = (
            models.UniqueConstraint(  # Read by metrics.levels.
                fields=("tenant", "dimension", "hour", "domain", "key"), name="one_row_per_hour_and_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.dimension} {self.key} at {self.hour:%Y-%m-%d %H:%M}"


class MetricDay(models.Model):
    """The sums of the hours of one day, as ``MetricHour`` has those of one hour. Written by ``metrics.days`` alone.

    ``handling_values`` are the different whole seconds that the reviews took, the least first, and ``handling_counts``
    how many reviews took each of them. ``opened_by_hour`` are the cases of each of 24 hours, of ``all`` alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    day = models.DateField(help_text="Where the tenant is.")
    dimension = models.CharField(max_length=9)
    domain = models.CharField(max_length=50)
    key = models.CharField(max_length=250)
    handling_values = ArrayField(models.BigIntegerField(), default=list)
    handling_counts = ArrayField(models.BigIntegerField(), default=list)
    opened_by_hour = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        default_permissions = ()
        verbose_name = "day of metrics"
        constraints = (
            models.UniqueConstraint(  # Read by metrics.levels.
                fields=("tenant", "dimension", "day", "domain", "key"), name="one_row_per_day_and_key"
            ),
        )

    def __str__(self) -> str:
        return f"{self.dimension} {self.key} on {self.day}"


for _measure in MEASURES:
    for _model in (MetricHour, MetricDay):
        _model.add_to_class(_measure.name, _measure_field(_measure.name))


class MetricMark(models.Model):
    """A case whose hours are to be summed anew from ``due_at``: written in the transaction of what happened."""

    id = models.BigAutoField(primary_key=True)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    due_at = models.DateTimeField(db_index=True)  # Read by metrics.rollups.refresh.

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.case_id} from {self.due_at:%Y-%m-%d %H:%M:%S}"


class MetricState(models.Model):
    """How far a tenant's sums are, and the time zone whose hours they are of.

    A tenant that moves to another zone keeps its old hours until ``rebuild_metrics``: where two zones differ by half an
    hour, hours of both would overlap.
    """

    tenant = models.OneToOneField(Tenant, primary_key=True, on_delete=models.PROTECT, related_name="+")
    time_zone = models.CharField(max_length=60)
    refreshed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.tenant_id} in {self.time_zone}"
