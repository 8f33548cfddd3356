"""How our own evaluators of signals do."""

from django.db import models


class EvaluationCount(models.Model):
    """What became of the evaluations of one signal in ten minutes, of all tenants. Counted up by every process."""

    id = models.BigAutoField(primary_key=True)
    signal = models.CharField(max_length=30)
    slot = models.DateTimeField(help_text="Its beginning.")
    measured = models.PositiveBigIntegerField(default=0)
    nothing = models.PositiveBigIntegerField(default=0)
    late = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("slot", "signal"), name="one_count_per_slot_and_signal"),
        )  # Read by services.evaluation_counts.

    def __str__(self) -> str:
        return f"{self.signal} from {self.slot:%Y-%m-%d %H:%M}"
