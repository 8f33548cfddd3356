"""How much of people's work may be there to look at the people."""

from django.core.validators import MaxValueValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Tenant

from ..dose import DEFAULT_PERCENT


class FrictionCap(Tracked):
    """A tenant's stated share. Without a row it is ``DEFAULT_PERCENT``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="friction_cap")
    percent = models.PositiveSmallIntegerField(
        default=DEFAULT_PERCENT,
        validators=[MaxValueValidator(50)],
        help_text="At most so much of anybody's work is there to look at them, all kinds together.",
    )

    history = tracked()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.percent} % of the work"
