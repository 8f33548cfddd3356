"""Dwell: how long a review page was looked at, and what of it. Off until a tenant switches it on."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Case, Tenant


class DwellPolicy(Tracked):
    """Whether a tenant records it. Without a row nothing is recorded."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="dwell_policy")
    is_on = models.BooleanField(
        "on",
        default=False,
        help_text="Each review page says so. Switched off, what was recorded is deleted.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "dwell recording"
        verbose_name_plural = "dwell recording"

    def __str__(self) -> str:
        return "On" if self.is_on else "Off"


class Dwell(models.Model):
    """What a page said of one claim, the greatest of each: counts and times, no text and no place on the page.

    Gone after ``services.dwells.KEPT``, and with the texts of its case.
    """

    generation = models.BigIntegerField(primary_key=True, help_text="The claim's.")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    seconds = models.PositiveIntegerField(help_text="For so long the page was in front.")
    is_long = models.BooleanField(help_text="There was more of it than fitted the window.")
    depth = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(100)], help_text="Percent of the page that came into the window."
    )
    opened = models.PositiveSmallIntegerField(help_text="Evidence and folded parts that were opened or marked.")
    last_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["last_at"], name="dwells_oldest"),  # Read by dwells.forget_old.
            models.Index(fields=["tenant", "-last_at"], name="dwells_newest"),  # Read by services.habits.
        )

    def __str__(self) -> str:
        return f"{self.seconds} s by {self.person}"
