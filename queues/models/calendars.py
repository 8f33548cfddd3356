"""Business hours and the time that a case may take."""

from datetime import time

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from cases.calendars import ALWAYS, Calendar, CalendarInvalid, Duration
from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.tenants import known_time_zone


def office_hours() -> dict:
    """Monday to Friday, nine to five."""
    return {str(day): [["09:00", "17:00"]] for day in range(5)}


class BusinessCalendar(Tracked):
    """Weekly hours in a time zone, without holidays."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="calendars")
    name = models.CharField(max_length=80)
    time_zone = models.CharField(max_length=60, default="UTC", validators=[known_time_zone])
    hours = models.JSONField(
        default=office_hours,
        help_text='Per weekday (0 is Monday) its spans, for example {"0": [["09:00", "12:30"], ["13:00", "17:00"]]}.',
    )
    country = models.CharField(
        max_length=2, blank=True, default="", help_text="Public holidays of this country (ISO 3166) are closed."
    )
    subdivision = models.CharField(max_length=10, blank=True, default="")
    closed = ArrayField(models.DateField(), default=list, blank=True, help_text="Own days off.")
    open_anyway = ArrayField(models.DateField(), default=list, blank=True, help_text="Holidays that are worked.")

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="calendar_names_are_unique"),)

    def __str__(self) -> str:
        return self.name

    def as_calendar(self) -> Calendar:
        """The pure calendar; raises ``CalendarInvalid``."""
        try:
            hours = {
                int(day): tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans)
                for day, spans in self.hours.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            raise CalendarInvalid("Hours are spans of HH:MM per weekday from 0 to 6.") from error
        return Calendar(
            time_zone=self.time_zone,
            hours=hours,
            country=self.country,
            subdivision=self.subdivision,
            closed=frozenset(self.closed),
            open_anyway=frozenset(self.open_anyway),
        )

    def clean(self) -> None:
        try:
            self.as_calendar()
        except CalendarInvalid as error:
            raise ValidationError(str(error)) from error


class SlaPolicy(Tracked):
    """A duration in clock time, or in business time on a calendar."""

    class Unit(models.TextChoices):
        MINUTES = "minutes", "minutes"
        HOURS = "hours", "hours"
        BUSINESS_DAYS = "business_days", "business days"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="sla_policies")
    name = models.CharField(max_length=80)
    amount = models.PositiveIntegerField()
    unit = models.CharField(max_length=13, choices=Unit, default=Unit.HOURS)
    calendar = models.ForeignKey(
        BusinessCalendar,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="Empty: every hour of the week counts.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name = "SLA policy"
        verbose_name_plural = "SLA policies"
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="sla_names_are_unique"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="sla_takes_some_time"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.amount} {self.get_unit_display()})"

    @property
    def duration(self) -> Duration:
        return Duration(self.amount, self.unit)

    @property
    def clock(self) -> Calendar:
        return self.calendar.as_calendar() if self.calendar else ALWAYS
