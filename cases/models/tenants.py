"""A tenant: the wall that every row stands behind."""

from uuid import UUID
from zoneinfo import available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from ..history import Tracked, tracked
from ..ids import new_id
from ..vocabulary import FourEyes, KeepViews, Role

SLUG = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$", "Lower-case letters, digits and hyphens, up to 50.")

# Where the switch tests itself (``services.selftest``). Not active, so that nobody is a member of it, and no list of
# tenants names it.
SANDBOX_ID = UUID("00000000-0000-7000-8000-000000000002")


class RealTenants(models.Manager):
    """Every tenant but the sandbox of the self-test."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().exclude(pk=SANDBOX_ID)


def known_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(
            "Unknown time zone %(name)s: use an IANA name such as Europe/Berlin.", params={"name": name}
        )


class Tenant(Tracked):
    """One customer of the installation. Rights over its cases, policies and people stand on this object."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.CharField(
        max_length=50, unique=True, validators=[SLUG], help_text="Its name in the API; never changes."
    )
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=60, default="UTC", validators=[known_time_zone])
    is_active = models.BooleanField(default=True)
    undo_seconds = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(600)],
        help_text="How long a decision can be undone before anything leaves the house.",
    )
    redraft_minutes = models.PositiveIntegerField(
        default=240, help_text="How long a case waits for a new draft before it comes back to a person."
    )
    max_drafts = models.PositiveSmallIntegerField(default=3, help_text="After so many drafts a person decides.")
    fallback_language = models.CharField(max_length=35, default="en")
    requests_per_minute = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(1)],
        help_text="How many API requests each token may send in a minute.",
    )
    export_customer = models.CharField(
        max_length=4,
        choices=(("omit", "Leave them out"), ("mask", "Mask them"), ("keep", "Keep them")),
        default="omit",
        help_text="What data sets hold of customers: reference, address and number, in the texts as well.",
    )

    resume_needs_two = models.BooleanField(
        default=False,
        help_text="Automation that was stopped resumes only when a second person confirms it.",
    )
    four_eyes = ArrayField(
        models.CharField(max_length=10, choices=FourEyes),
        default=list,
        blank=True,
        help_text="What changes only when a second person with the same right confirms it.",
    )
    second_factor_roles = ArrayField(
        models.CharField(max_length=20, choices=Role),
        default=list,
        blank=True,
        help_text="Who signs in with a second factor. Whoever has none yet adds one before anything else.",
    )

    keep_views = models.CharField(
        "views of cases",
        max_length=6,
        choices=KeepViews,
        default=KeepViews.OTHERS,
        help_text="Whose views of a case and its customer the audit trail keeps, once an hour each.",
    )

    history = tracked()
    objects = RealTenants()
    with_sandbox = models.Manager()

    class Meta:
        ordering = ("slug",)
        default_permissions = ()
        permissions = (
            ("view_tenant", "See the tenant and its settings"),
            ("change_tenant", "Change the tenant's settings"),
            ("submit_case", "Send cases and drafts"),
            ("withdraw_case", "Withdraw a case"),
            ("view_case", "See cases"),
            ("view_customer", "See customers unmasked"),
            ("reopen_case", "Reopen a decided case, recall an automatic approval"),
            ("view_policy", "See policies"),
            ("change_policy", "Change policies"),
            ("view_people", "See people, their roles and skills"),
            ("change_people", "Change people, their roles and tokens"),
            ("view_queue", "See queues and deadlines"),
            ("change_queue", "Change queues and deadlines"),
            ("view_automation", "See whether automation is on"),
            ("stop_automation", "Stop automation"),
            ("resume_automation", "Resume automation"),
            ("propose_action", "Propose actions"),
            ("view_action", "See actions, their types and authorities"),
            ("change_action", "Change action types, impact rules and authorities"),
            ("reconcile_action", "Say what became of an action whose result is unknown"),
            ("view_review", "See reviews"),
            ("adjudicate_case", "Decide cases on which reviewers disagree"),
            ("label_review", "Label corrections"),
            ("view_audit", "See the audit trail"),
            ("erase_customer", "Report on a customer, erase their data, hold it, set how long it is kept"),
            ("view_metrics", "See metrics"),
            ("export_data", "Export data"),
            ("manage_challenges", "Keep verification challenges and see their results"),
            ("view_webhook", "See webhooks and deliveries"),
            ("change_webhook", "Change webhooks, resend deliveries"),
        )

    def __str__(self) -> str:
        return self.name
