"""Reviewers and what they are fit for."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.calendars import Calendar, CalendarInvalid
from cases.history import Tracked, tracked
from cases.models import Tenant
from cases.models.policies import CODE

from .calendars import BusinessCalendar


class Skill(Tracked):
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="skills")
    code = models.CharField(max_length=50, validators=[CODE])
    name = models.CharField(max_length=80)

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "code"), name="skill_codes_are_unique"),)

    def __str__(self) -> str:
        return self.name


class Reviewer(Tracked):
    """A member's side as a reviewer."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="reviewers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviewer_profiles")
    languages = ArrayField(models.CharField(max_length=35), default=list, blank=True, help_text="Empty: any language.")
    capacity = models.PositiveSmallIntegerField(default=3, help_text="How many cases may be held at once.")
    is_on_shift = models.BooleanField(default=True)
    is_paused = models.BooleanField(default=False, help_text="Gets no cases until somebody lifts the pause.")
    calendar = models.ForeignKey(
        BusinessCalendar,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="When they work. Empty: whenever they are on shift.",
    )
    own_hours = models.JSONField(
        default=dict, blank=True, help_text="Weekly hours of their own, in place of the calendar's; its holidays stay."
    )
    works_until = models.DateTimeField(
        null=True, blank=True, help_text="On shift until then, whatever the hours say (UTC)."
    )

    # What ``services.shifts`` worked out of the hours, so that a claim and a count need no calendar. Nobody's change.
    in_hours = models.BooleanField(default=True, editable=False)
    hours_turn_at = models.DateTimeField(null=True, editable=False, help_text="Until then in_hours holds.")

    history = tracked(excluded_fields=["in_hours", "hours_turn_at"])

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_reviewer_per_tenant_and_user"),)

    def __str__(self) -> str:
        return str(self.user)

    @property
    def is_working(self) -> bool:
        """Whether cases are given to them, as of the last sweep over the hours; a claim looks at the clock itself."""
        return self.is_on_shift and self.in_hours and not self.is_paused

    @property
    def has_hours(self) -> bool:
        return bool(self.calendar_id or self.own_hours)

    def as_calendar(self) -> Calendar | None:
        """When they work; None where nobody said. Raises ``CalendarInvalid``."""
        if not self.has_hours:
            return None
        if not self.own_hours:
            return self.calendar.as_calendar()
        frame = self.calendar or BusinessCalendar(time_zone=self.tenant.time_zone)
        own = BusinessCalendar(
            time_zone=frame.time_zone,
            hours=self.own_hours,
            country=frame.country,
            subdivision=frame.subdivision,
            closed=frame.closed,
        )
        return own.as_calendar()

    def clean(self) -> None:
        if self.own_hours:
            try:
                self.as_calendar()
            except CalendarInvalid as error:
                raise ValidationError(str(error)) from error


class ReviewerSkill(Tracked):
    reviewer = models.ForeignKey(Reviewer, on_delete=models.CASCADE, related_name="skills")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="reviewers")
    level = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(5)])

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("reviewer", "skill"), name="one_level_per_skill"),)

    def __str__(self) -> str:
        return f"{self.skill} {self.level}"
