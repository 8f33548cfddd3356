"""The kinds of action that a tenant's AI may propose, and how dangerous each is."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from cases.history import Tracked, XactIdField, tracked
from cases.ids import new_id
from cases.models import Tenant
from cases.models.policies import CODE, valid_condition
from cases.vocabulary import Risk

from ..schemas import SchemaInvalid, check_schema


def valid_schema(schema: object) -> None:
    try:
        check_schema(schema)
    except SchemaInvalid as error:
        raise ValidationError(error.message) from error


class ActionType(Tracked):
    """``issue_refund`` and its like: the schema of its parameters and who carries it out.

    Saved through ``services.types.publish``, which raises the versions that every approval is bound to.
    """

    class ExecutorKind(models.TextChoices):
        MANUAL = "manual", "A person, by hand"
        HTTP = "http", "An HTTPS service"
        PYTHON = "python", "Python code of this server"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="action_types")
    name = models.CharField(max_length=50, validators=[CODE], help_text="As the AI names it, for example issue_refund.")
    title = models.CharField(max_length=80)
    schema = models.JSONField(validators=[valid_schema], help_text="JSON Schema (2020-12) of its parameters.")
    executor_version = models.PositiveIntegerField(default=0, editable=False)
    policy_version = models.PositiveIntegerField(default=0, editable=False)
    is_active = models.BooleanField(default=True)
    executor_kind = models.CharField("carried out by", max_length=6, choices=ExecutorKind, default=ExecutorKind.MANUAL)
    executor = models.CharField(
        "address or name",
        max_length=500,
        blank=True,
        default="",
        help_text="An HTTPS address, or a name of ACTION_EXECUTORS.",
    )
    executor_timeout_seconds = models.PositiveSmallIntegerField(
        "seconds for a call",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
        help_text="Address look-up, connection and answer together.",
    )
    honours_keys = models.BooleanField(
        "honours idempotency keys",
        default=False,
        help_text="The same key twice has one effect. Only then is a request sent again whose answer was lost.",
    )
    executor_secret = models.CharField(max_length=100, blank=True, default="", editable=False)
    executor_previous_secret = models.CharField(max_length=100, blank=True, default="", editable=False)

    history = tracked(excluded_fields=["executor_secret", "executor_previous_secret"])

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("tenant", "name"), name="action_names_are_unique"),
            models.CheckConstraint(
                condition=models.Q(executor_kind="manual", executor="")
                | (~models.Q(executor_kind="manual") & ~models.Q(executor="")),
                name="an_executor_has_its_address",
            ),
        )

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
    decide_minutes = models.PositiveIntegerField(
        default=240, validators=[MinValueValidator(1)], help_text="The approvers' own deadline, from its preview on."
    )
    authority_code = models.CharField(
        max_length=50,
        blank=True,
        default="",
        help_text="Only this authority may approve. Empty: any that reaches far enough.",
    )
    may_run_alone = models.BooleanField(default=False, help_text="Needs no person while the switch is on.")

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("position", "id")

    def __str__(self) -> str:
        return f"{self.get_impact_display()}: {self.condition}"


class ActionTypeVersion(models.Model):
    """Append-only: what a type said at one time, its rules and its executor, each with the number that it had then."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action_type = models.ForeignKey(ActionType, on_delete=models.PROTECT, related_name="versions")
    executor_version = models.PositiveIntegerField()
    policy_version = models.PositiveIntegerField()
    executor = models.JSONField(help_text="Kind, address, schema and whether it honours keys.")
    rules = models.JSONField(help_text="The impact rules in their order.")
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("action_type", "executor_version", "policy_version"), name="type_versions_are_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.action_type} {self.executor_version}.{self.policy_version}"
