"""Answers that were given, kept for a week under the key that the caller chose."""

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """The first successful answer to a keyed POST, committed with its effect."""

    caller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method_path = models.CharField(max_length=300)
    body_digest = models.BinaryField()
    status = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("caller", "key"), name="one_answer_per_key"),)
        indexes = (models.Index(fields=["created_at"], name="keys_by_age"),)  # Read by idempotency.purge.

    def __str__(self) -> str:
        return self.key
