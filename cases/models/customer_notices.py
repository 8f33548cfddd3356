"""Telling customers: whether and when, the tenant's texts, every message that was or is to be sent, and who wants none.

None of these tables holds an address: it is read from the case's erasable content when the message goes.
"""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ..customer_texts import (
    SMS_LENGTH,
    SUBJECT_LENGTH,
    TEXT_LENGTH,
    Occasion,
    Way,
    placeholders,
    used,
)
from ..history import Tracked, tracked
from ..ids import new_id
from .cases import Case
from .customers import LOCALE
from .policies import DOMAIN_NAME
from .tenants import Tenant


class CustomerNoticeSettings(Tracked):
    """Whether a tenant writes to its customers, when it does not, and through which service SMS go."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="customer_notice_settings")
    is_on = models.BooleanField("write to customers", default=False)
    quiet_from = models.TimeField(
        null=True, blank=True, help_text="On the customer's clock where it is known, else on the tenant's."
    )
    quiet_until = models.TimeField(null=True, blank=True, help_text="What comes up meanwhile goes out then.")
    warn_minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(1440)],
        help_text="How long before a promised time passes. Of a short promise the last quarter.",
    )
    delay_minutes = models.PositiveSmallIntegerField(
        default=240,
        validators=[MinValueValidator(15), MaxValueValidator(10080)],
        help_text="How much later the new time is.",
    )
    sms_url = models.CharField(
        max_length=500, blank=True, default="", help_text="An apprise URL with {phone} in it. It holds secrets."
    )

    history = tracked(excluded_fields=["sms_url"])

    class Meta:
        default_permissions = ()
        verbose_name = "customer notice setting"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_two_ends",
            ),
        )

    def __str__(self) -> str:
        return f"Customer notices of {self.tenant}: {'on' if self.is_on else 'off'}"

    def clean(self) -> None:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError("Give both ends of the quiet hours, or none.")


class CustomerTemplate(Tracked):
    """What a tenant writes to its customers on one occasion, in one language. Its history is its versions."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="customer_templates")
    occasion = models.CharField(max_length=8, choices=Occasion)
    way = models.CharField(max_length=5, choices=Way, default=Way.EMAIL)
    domain = models.CharField(
        max_length=50, blank=True, default="", validators=[DOMAIN_NAME], help_text="Empty: every domain."
    )
    locale = models.CharField(
        max_length=35,
        blank=True,
        default="",
        validators=[LOCALE],
        help_text="The customer's language, such as “de” or “de-CH”. Empty: whatever the language.",
    )
    subject = models.CharField(max_length=SUBJECT_LENGTH, blank=True, default="", help_text="Of e-mail only.")
    text = models.TextField(max_length=TEXT_LENGTH)
    text_without_answer = models.TextField(
        max_length=TEXT_LENGTH,
        blank=True,
        default="",
        help_text="Sent instead where the draft was rejected. Empty: nothing is sent then.",
    )
    is_urgent = models.BooleanField("in quiet hours too", default=False, help_text="For “decided” only.")
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("occasion", "domain", "locale")
        verbose_name = "customer text"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "occasion", "way", "domain", "locale"), name="one_customer_text_for_each_purpose"
            ),
            models.CheckConstraint(
                condition=models.Q(is_urgent=False) | models.Q(occasion="decided"), name="only_decisions_are_urgent"
            ),
        )

    def __str__(self) -> str:
        places = (self.get_way_display(), self.domain or "every domain", self.locale or "every language")
        return f"{self.get_occasion_display().partition(':')[0]} ({', '.join(places)})"

    def clean(self) -> None:
        errors = {}
        if self.occasion in Occasion and self.way in Way:
            errors = self._errors()
        if errors:
            raise ValidationError(errors)

    def _errors(self) -> dict[str, str]:
        known = placeholders(self.occasion, self.way)
        errors = {}
        for name, allowed in (
            ("subject", set(known) & {"company", "reference"}),
            ("text", set(known)),
            ("text_without_answer", set(known) - {"answer"}),
        ):
            if unknown := used(getattr(self, name)) - allowed:
                errors[name] = (
                    f"Unknown here: {', '.join(f'{{{one}}}' for one in sorted(unknown))}. "
                    f"Known are {', '.join(f'{{{one}}}' for one in sorted(allowed))}."
                )
        for name in ("text", "text_without_answer"):
            text = getattr(self, name)
            if self.way == Way.SMS and len(text) > SMS_LENGTH:
                errors.setdefault(name, f"An SMS has {SMS_LENGTH} characters at most.")
            if self.way == Way.EMAIL and text and "opt_out" not in used(text):
                errors.setdefault(name, "Say how to hear no more: put {opt_out} where the link shall stand.")
        if self.way == Way.EMAIL and not self.subject:
            errors.setdefault("subject", "An e-mail needs a subject.")
        if self.text_without_answer and self.occasion != Occasion.DECIDED:
            errors.setdefault("text_without_answer", "Only a decision can be without an answer.")
        if self.is_urgent and self.occasion != Occasion.DECIDED:
            errors.setdefault("is_urgent", "Only a decision can be urgent.")
        return errors


class CustomerNotice(models.Model):
    """One message to one customer about one case; ``key`` makes it one for its occasion, whoever writes it."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Could not be sent"
        CANCELLED = "cancelled", "Not sent"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="customer_notices")
    occasion = models.CharField(max_length=8, choices=Occasion)
    way = models.CharField(max_length=5, choices=Way)
    template = models.ForeignKey(CustomerTemplate, null=True, on_delete=models.PROTECT, related_name="+")
    template_version = models.BigIntegerField(null=True, help_text="The template's history entry that was sent.")
    key = models.CharField(max_length=100, unique=True)
    promised_by = models.DateTimeField(null=True, help_text="The new time that a delayed case is given.")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(
        max_length=300, blank=True, default="", help_text="Why it was not sent; never an address."
    )
    sent_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(  # Read by customer_sending.lease_due and the health page.
                fields=["next_attempt_at"], name="customer_notice_due", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["case"], name="customer_notice_of_case"),  # Read by cancelling and the admin.
            models.Index(fields=["tenant", "-id"], name="customer_notice_newest"),  # Read by the admin's list.
            models.Index(  # Read by health.
                fields=["created_at"], name="customer_notice_failed", condition=models.Q(state="failed")
            ),
        )

    def __str__(self) -> str:
        return f"{self.occasion} by {self.get_way_display()}"


class CustomerOptOut(models.Model):
    """A customer of a tenant who wants no more notices, by a keyed digest that names nobody."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    customer_key = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "customer_key"), name="a_customer_opts_out_once"),)

    def __str__(self) -> str:
        return f"since {self.at:%Y-%m-%d}"
