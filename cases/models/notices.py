"""Telling people: where each is reached, and every message that was or is to be sent."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from ..history import Tracked, tracked
from ..ids import new_id, to_wire
from .tenants import Tenant


class NoticeChannel(Tracked):
    """A way to reach one person of a tenant, or its team. Who has none of their own gets e-mail at their account's."""

    class Way(models.TextChoices):
        EMAIL = "email", "E-mail"
        SERVICE = "service", "Chat, SMS or paging service"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="notice_channels")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name="person",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="notice_channels",
        help_text="Empty: the team's, which hears of every case of the tenant.",
    )
    name = models.CharField(max_length=80)
    way = models.CharField(max_length=7, choices=Way, default=Way.EMAIL)
    email = models.EmailField("e-mail address", blank=True, default="")
    url = models.CharField(max_length=500, blank=True, default="", help_text="An apprise URL. It holds secrets.")
    hears = ArrayField(
        models.CharField(max_length=24), default=list, blank=True, help_text="Kinds of notices; empty: all."
    )
    is_active = models.BooleanField(default=True)

    history = tracked(excluded_fields=["url"])

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="notice_channel_names_are_unique"),
            models.CheckConstraint(
                condition=(models.Q(way="email", url="") & ~models.Q(email=""))
                | (models.Q(way="service", email="") & ~models.Q(url="")),
                name="notice_channels_lead_somewhere",
            ),
        )
        indexes = (models.Index(fields=["user"], name="notice_channels_of_user"),)  # Read by notices.tell.

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Where it leads, for the eye: of a service its name alone, for the rest of the URL is secret."""
        return self.email if self.way == self.Way.EMAIL else f"{self.url.partition(':')[0]}://…"

    def clean(self) -> None:
        if self.way == self.Way.EMAIL and not self.email:
            raise ValidationError({"email": "Give the address that e-mail goes to."})
        self.email, self.url = (self.email, "") if self.way == self.Way.EMAIL else ("", self.url)


class Notice(models.Model):
    """One message for one recipient: written with what it tells of, sent later, kept. It holds ids, no personal data.

    ``destination`` is the key of the channel, or of the person who has none: what goes there together is one message.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Could not be sent"

    PREFIX = "ntc"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    channel = models.ForeignKey(NoticeChannel, null=True, on_delete=models.PROTECT, related_name="notices")
    destination = models.UUIDField()
    kind = models.CharField(max_length=24, help_text="What it is about, as a code: sla.warn.")
    subject = models.CharField(max_length=60, blank=True, default="", help_text="A wire id.")
    text = models.CharField(max_length=300)
    path = models.CharField(max_length=200, blank=True, default="", help_text="The page to open, from the root.")
    key = models.CharField(max_length=200, unique=True, help_text="What was told under it is not told again.")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    bundle = models.UUIDField(null=True, help_text="The message that it went out with.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | models.Q(channel__isnull=False),
                name="notices_have_a_recipient",
            ),
        )
        indexes = (
            models.Index(  # Read by notices.send_due and the health page.
                fields=["next_attempt_at"], name="notice_due", condition=models.Q(state="waiting")
            ),
            models.Index(  # Read by notices.send_due: what goes to one destination.
                fields=["destination", "id"], name="notice_destination", condition=models.Q(state="waiting")
            ),
            models.Index(  # Read by notices.send_due: when something last went to a destination.
                fields=["destination", "sent_at"], name="notice_last_sent", condition=models.Q(sent_at__isnull=False)
            ),
            models.Index(fields=["tenant", "-id"], name="notice_newest"),  # Read by the admin's list.
            models.Index(fields=["tenant", "-created_at", "-id"], name="notice_by_time"),  # Read by the audit trail.
            models.Index(fields=["subject"], name="notice_by_subject"),  # Read by a case's audit timeline.
            models.Index(fields=["id"], name="notice_failed", condition=models.Q(state="failed")),  # Read by health.
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.channel or self.user}"

    @property
    def wire_id(self) -> str:
        return to_wire(self.PREFIX, self.pk)
