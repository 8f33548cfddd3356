"""Where events are sent, and each sending."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from ..history import Tracked, tracked
from ..ids import new_id
from .events import CaseEvent
from .tenants import Tenant


def known_kind(kind: str) -> None:
    if kind not in CaseEvent.Kind.values or kind in CaseEvent.INTERNAL:
        raise ValidationError("%(kind)s is no event that is sent.", params={"kind": kind})


class WebhookEndpoint(Tracked):
    """A receiver of one tenant's events, signed by the Standard Webhooks rules."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="endpoints")
    url = models.URLField(max_length=500, help_text="HTTPS and public. No redirect is followed.")
    secret = models.CharField(max_length=100, help_text="Signs each sending; whsec_ and 24 to 64 bytes in base64.")
    previous_secret = models.CharField(
        max_length=100, blank=True, default="", help_text="Signs too, while a receiver changes over."
    )
    kinds = ArrayField(
        models.CharField(max_length=24, validators=[known_kind]),
        default=list,
        blank=True,
        help_text="Empty: all events.",
    )
    is_active = models.BooleanField(default=True)
    description = models.CharField(max_length=200, blank=True, default="")

    history = tracked(excluded_fields=["secret", "previous_secret"])

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One event for one endpoint: sent at least once, always under the same id."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        DELIVERED = "delivered", "Delivered"
        DEAD = "dead", "Given up"
        CANCELLED = "cancelled", "Cancelled: undone before it was final"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event = models.ForeignKey(CaseEvent, on_delete=models.PROTECT, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    is_held = models.BooleanField(default=False, help_text="The outcome waits for an action to end.")
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True, default="")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(fields=("event", "endpoint"), name="one_delivery_per_event_and_endpoint"),
        )
        indexes = (
            models.Index(  # Read by deliveries.lease_due.
                fields=["next_attempt_at"], name="delivery_due", condition=models.Q(state="pending", is_held=False)
            ),
            models.Index(  # Read by deliveries.lease_due: how many calls each endpoint has.
                fields=["endpoint"],
                name="delivery_leased",
                condition=models.Q(state="pending", leased_until__isnull=False),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_newest"),  # Read by the admin's list.
        )

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"
