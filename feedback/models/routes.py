"""What people found of each release in each domain, ready for triage to ask."""

from django.db import models

from cases.ids import new_id
from cases.models import Release, Tenant

from ..advisor.intervals import Sums


class RouteQuality(models.Model):
    """The reviews of one release in one domain within ``route_quality.WINDOW``, as ``advisor.intervals.Sums``.

    Summed up from the hours of ``MetricHour`` by ``services.route_quality`` alone.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    domain = models.CharField(max_length=50)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="+")
    n = models.BigIntegerField(help_text="drafts that people looked at")
    errors = models.BigIntegerField(help_text="those that they did not accept as they were")
    w = models.DecimalField(max_digits=24, decimal_places=6, help_text="what they stand for")
    w2 = models.DecimalField(max_digits=24, decimal_places=6)
    we = models.DecimalField(max_digits=24, decimal_places=6)
    w2e = models.DecimalField(max_digits=24, decimal_places=6)
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "route qualities"
        constraints = (
            models.UniqueConstraint(  # Read by facts.route_quality.
                fields=("tenant", "domain", "release"), name="one_quality_per_domain_and_release"
            ),
        )

    def __str__(self) -> str:
        return f"{self.domain}, {self.release_id}"

    @property
    def seen(self) -> Sums:
        return Sums(self.n, float(self.w), float(self.w2), self.errors, float(self.we), float(self.w2e))
