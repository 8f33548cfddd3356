"""The kinds of action that a tenant's AI may propose, and how dangerous each is."""

import jsonschema
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.history import Tracked, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.policies import CODE, valid_condition
from cases.vocabulary import Risk


def valid_schema(schema: object) -> None:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValidationError(f"Not a JSON Schema: {error.message[:200]}") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ValidationError('The parameters are an object: the schema says "type": "object".')


class ActionType(Tracked):
    """``issue_refund`` and its like, with the schema of its parameters."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="action_types")
    name = models.CharField(max_length=50, validators=[CODE], help_text="As the AI names it, for example issue_refund.")
    title = models.CharField(max_length=80)
    schema = models.JSONField(validators=[valid_schema], help_text="JSON Schema (2020-12) of its parameters.")
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="action_names_are_unique"),)

    def __str__(self) -> str:
        return self.title


class ImpactRule(Tracked):
    """The first rule whose condition holds says how big the impact is. None holds: the highest."""

    action_type = models.ForeignKey(ActionType, on_delete=models.CASCADE, related_name="impact_rules")
    position = models.PositiveSmallIntegerField(default=0)
    condition = models.TextField(
        max_length=1000, validators=[valid_condition], help_text="CEL over the documented facts."
    )
    impact = models.CharField(max_length=8, choices=Risk)
    approvals = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(5)])
    valid_minutes = models.PositiveIntegerField(default=1440, help_text="How long a proposal of this impact may wait.")
    may_run_alone = models.BooleanField(default=False, help_text="Needs no person while the switch is on.")

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("position", "id")

    def __str__(self) -> str:
        return f"{self.get_impact_display()}: {self.condition}"
