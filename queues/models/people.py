"""Reviewers and what they are fit for."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.models import Tenant
from cases.models.policies import CODE


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

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_reviewer_per_tenant_and_user"),)

    def __str__(self) -> str:
        return str(self.user)

    @property
    def is_working(self) -> bool:
        """Whether cases are given to them now."""
        return self.is_on_shift and not self.is_paused


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
