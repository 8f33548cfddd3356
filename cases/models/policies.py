"""A tenant's policy: the row that staff edit, and every version that ever judged a draft."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from ..conditions import ConditionInvalid, check
from ..history import Tracked, XactIdField, tracked
from ..ids import new_id
from ..rules import DEFAULT_RULES, Rules
from ..rules_document import CONDITION_TRIGGERS, DOMAIN, PRIMARY_LANGUAGE, RulesInvalid
from ..vocabulary import Risk, Trigger
from .tenants import Tenant

UNIT = [MinValueValidator(0.0), MaxValueValidator(1.0)]
DOMAIN_NAME = RegexValidator(rf"^{DOMAIN.pattern}$", "Lower-case letters, digits, hyphens and underscores, up to 50.")
CODE = RegexValidator(r"^[a-z][a-z0-9_]{0,49}$", "Lower-case letters, digits and underscores, up to 50.")
LANGUAGE_NAME = RegexValidator(rf"^{PRIMARY_LANGUAGE.pattern}$", "A primary language subtag such as “de”.")
_DEFAULT = DEFAULT_RULES.to_document()


def default_signals() -> dict:
    return DEFAULT_RULES.to_document()["signals"]


def default_risks() -> list[str]:
    return list(_DEFAULT["high_stakes_risks"])


def default_reason_codes() -> list:
    return DEFAULT_RULES.to_document()["reason_codes"]


def valid_condition(expression: str) -> None:
    try:
        check(expression)
    except ConditionInvalid as error:
        raise ValidationError(str(error)) from error


class Policy(Tracked):
    """What is let through, for a tenant or one of its domains. Saving through ``policies.publish`` makes a version."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="policies")
    domain = models.CharField(
        max_length=50,
        blank=True,
        default="",
        validators=[DOMAIN_NAME],
        help_text="Empty: every domain without its own.",
    )
    version = models.PositiveIntegerField(default=0, editable=False)

    auto_approve_above = models.FloatField(
        default=_DEFAULT["auto_approve_above"],
        validators=UNIT,
        help_text="A draft passes by itself only strictly above this confidence.",
    )
    quick_review_from = models.FloatField(
        default=_DEFAULT["quick_review_from"],
        validators=UNIT,
        help_text="From this confidence a quick review is enough; below it, a full investigation.",
    )
    signals = models.JSONField(
        default=default_signals,
        help_text="Per signal its weight and whether it is required, optional or unused. A missing signal counts as 0.",
    )
    clear_margin = models.FloatField(
        default=_DEFAULT["clear_margin"],
        validators=[MinValueValidator(0.001), MaxValueValidator(1.0)],
        help_text="A rerank margin from which the best passage counts as clearly best.",
    )
    known_domains = ArrayField(
        models.CharField(max_length=50, validators=[DOMAIN_NAME]),
        default=list,
        blank=True,
        help_text="Drafts in other domains always go to a person. Empty: every domain is known.",
    )
    known_languages = ArrayField(
        models.CharField(max_length=8, validators=[LANGUAGE_NAME]),
        default=list,
        blank=True,
        help_text="Primary subtags such as “de”; drafts in others go to a person. Empty: all are known.",
    )
    high_stakes_domains = ArrayField(
        models.CharField(max_length=50, validators=[DOMAIN_NAME]),
        default=list,
        blank=True,
        help_text="Never decided automatically.",
    )
    high_stakes_risks = ArrayField(models.CharField(max_length=8, choices=Risk), default=default_risks, blank=True)
    risk_floor = models.JSONField(default=dict, blank=True, help_text="Per domain the least risk that its cases have.")
    risk_when_absent = models.CharField(max_length=8, choices=Risk, default=_DEFAULT["risk_when_absent"])
    sampling_share = models.FloatField(
        default=_DEFAULT["sampling_share"],
        validators=UNIT,
        help_text="Share of automatic approvals that a person looks at afterwards.",
    )
    new_release_reviews = models.PositiveIntegerField(
        default=_DEFAULT["new_release_reviews"],
        help_text="A new release starts cautiously until it has had so many reviews.",
    )
    new_release_sampling = models.FloatField(default=_DEFAULT["new_release_sampling"], validators=UNIT)
    new_release_threshold = models.FloatField(
        null=True,
        blank=True,
        default=_DEFAULT["new_release_threshold"],
        validators=UNIT,
        help_text="A stricter upper threshold meanwhile.",
    )
    tolerated_error = models.FloatField(
        default=_DEFAULT["tolerated_error"],
        validators=UNIT,
        help_text="Share of automatic approvals that may be wrong. Thresholds are advised against it.",
    )
    learned = models.JSONField(
        null=True, blank=True, editable=False, help_text="The learned weights that are in force, if any."
    )
    decision_options = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    reason_codes = models.JSONField(
        default=default_reason_codes, blank=True, help_text="Pairs of a code and its words."
    )

    history = tracked()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "policies"
        constraints = (models.UniqueConstraint(fields=("tenant", "domain"), name="one_policy_per_tenant_and_domain"),)

    def __str__(self) -> str:
        return f"{self.tenant}: {self.domain or 'every domain'}"

    def document(self) -> dict:
        """The policy and its conditions as ``Rules.from_document`` reads it."""
        document = {name: getattr(self, name) for name in _DEFAULT if name != "conditions"}
        document["conditions"] = [
            {"name": condition.name, "trigger": condition.trigger, "expression": condition.expression}
            for condition in self.conditions.filter(is_active=True).order_by("position", "id")
        ]
        return document

    def clean(self) -> None:
        document = {name: getattr(self, name) for name in _DEFAULT if name != "conditions"}
        try:
            Rules.from_document(document | {"conditions": []})
        except RulesInvalid as error:
            named = [(field.split(".")[0], message) for field, message in error.errors]
            raise ValidationError(
                {field if field in document else "__all__": message for field, message in named}
            ) from error


class TriggerCondition(Tracked):
    """A condition in CEL that sends a case to people and raises a trigger."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="conditions")
    position = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=60, help_text="Named in the reason that the reviewer reads.")
    trigger = models.CharField(
        max_length=20, choices=[(t.value, t.label) for t in CONDITION_TRIGGERS], default=Trigger.POLICY_BOUNDARY
    )
    expression = models.TextField(
        max_length=1000, validators=[valid_condition], help_text="CEL over the documented facts."
    )
    is_active = models.BooleanField(default=True)

    history = tracked()

    class Meta:
        default_permissions = ()
        ordering = ("position", "id")
        constraints = (models.UniqueConstraint(fields=("policy", "name"), name="condition_names_are_unique"),)

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """Append-only: a policy as it stood, whole. Drafts point at the one that judged them."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    published_by = models.ForeignKey("cases.User", on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True, default="")
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        ordering = ("-number",)
        constraints = (models.UniqueConstraint(fields=("policy", "number"), name="policy_versions_are_numbered"),)

    def __str__(self) -> str:
        return f"{self.policy} v{self.number}"


class RuleFailure(models.Model):
    """Append-only: a condition that failed on a case, shown on the policy's page. The case went to people."""

    policy_version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="failures")
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="+")
    condition = models.CharField(max_length=60)
    cause = models.CharField(max_length=300)
    at = models.DateTimeField()
    xid = XactIdField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["policy_version", "-id"], name="failures_newest"),
        )  # Read by the policy's page.

    def __str__(self) -> str:
        return f"{self.condition}: {self.cause}"
