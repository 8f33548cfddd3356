"""When whatever has to run by itself was last seen."""

from django.db import models


class Heartbeat(models.Model):
    """A sweep's last end, or a worker's last sign of life, by the database's clock. One row each."""

    class Kind(models.TextChoices):
        SWEEP = "sweep", "Sweep"
        WORKER = "worker", "Worker"

    name = models.CharField(max_length=200, primary_key=True)
    kind = models.CharField(max_length=6, choices=Kind)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
