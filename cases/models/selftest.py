"""What the switch's test of itself found."""

from django.db import models

from ..history import XactIdField


class SelfTest(models.Model):
    """Append-only: one run. ``seconds`` is its time, ``stop_seconds`` that from the click to the stop's commit."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    passed = models.BooleanField()
    finding = models.CharField(max_length=300)
    seconds = models.FloatField()
    stop_seconds = models.FloatField(null=True)
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        get_latest_by = "id"

    def __str__(self) -> str:
        return self.finding
