"""Policies: thresholds first, with a preview against the tenant's own past cases. Saving publishes a version."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..conditions import FACTS
from ..models import Policy, PolicyVersion, RuleFailure, TriggerCondition
from ..permissions import require
from ..services.policies import publish
from ..services.policy_preview import Thresholds, preview
from ..untrusted import shown
from ..vocabulary import Risk, Signal, Use
from .beside import AUTOMATION, Beside
from .fields import ChecksField, LinesField, MappingField, PairsField
from .forms import TrackedForm
from .scoped import ReadOnlyAdmin, ScopedInline, TrackedAdmin

FAILURES_SHOWN = 10
VERSIONS_SHOWN = 10
UNIT_STEP = {"step": "0.01", "min": "0", "max": "1"}


def _signal_fields() -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {}
    for signal in Signal:
        fields[f"use_{signal}"] = forms.ChoiceField(label=signal.label, choices=Use.choices)
        fields[f"weight_{signal}"] = forms.FloatField(
            label="weight",
            min_value=0,
            max_value=1000,
            widget=forms.NumberInput(
                attrs={"step": "0.01", "min": "0", "aria-label": f"Weight of {signal.label.lower()}"}
            ),
        )
    return fields


SignalRows = type("SignalRows", (TrackedForm,), _signal_fields())


class PolicyForm(SignalRows):
    """Lists as lines and signals as rows, where the model keeps JSON. `_preview` computes and saves nothing."""

    known_domains = LinesField(
        required=False, rows=3, help_text="One a line; drafts in others always go to a person. Empty: all are known."
    )
    known_languages = LinesField(
        required=False,
        rows=3,
        help_text="One a line, such as “de”; drafts in others always go to a person. Empty: all are known.",
    )
    high_stakes_domains = LinesField(required=False, rows=3, help_text="One a line. Never decided automatically.")
    high_stakes_risks = ChecksField(choices=Risk.choices, help_text="High and critical always are.")
    risk_floor = MappingField(
        required=False, rows=3, help_text="One “domain: risk” a line: the least risk that cases of the domain have."
    )
    decision_options = LinesField(required=False, rows=4, help_text="One a line: what a decision may be.")
    reason_codes = PairsField(
        required=False, rows=8, help_text="One “code: words” a line. Reviewers choose among them."
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.preview = None
        for name in ("auto_approve_above", "quick_review_from", "new_release_threshold", "tolerated_error"):
            if name in self.fields:
                self.fields[name].widget.attrs.update(UNIT_STEP)
        stored = self.instance.signals or {}
        for signal in Signal:
            rule = stored.get(signal, {})
            self.initial[f"use_{signal}"] = rule.get("use", Use.UNUSED)
            self.initial[f"weight_{signal}"] = rule.get("weight", 0)

    def clean(self) -> dict:
        cleaned = super().clean()
        signals = {
            str(signal): {"weight": cleaned[f"weight_{signal}"], "use": cleaned[f"use_{signal}"]}
            for signal in Signal
            if f"use_{signal}" in cleaned and f"weight_{signal}" in cleaned
        }
        self.instance.signals = signals
        if cleaned.get("quick_review_from", 0) > cleaned.get("auto_approve_above", 1):
            self.add_error("quick_review_from", "Must not be above the threshold for automatic approval.")
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()
        if "_preview" in self.data and not self.errors:
            self.preview = preview(self.instance, Thresholds.of(self.instance))
            self.add_error(None, ValidationError("Nothing was saved: this is a preview.", code="preview"))


class ConditionInline(ScopedInline):
    model = TriggerCondition
    verbose_name_plural = "conditions that send a case to people"
    fields = ("position", "name", "trigger", "expression", "is_active")

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name == "expression":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 2, "class": "cel", "spellcheck": "false"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Policy)
class PolicyAdmin(Beside, TrackedAdmin):
    view_right = "view_policy"
    change_right = "change_policy"
    form = PolicyForm
    beside = AUTOMATION
    change_form_template = "admin/cases/policy/change_form.html"
    list_display = ("name", "auto_approve_above", "quick_review_from", "sampling_share", "version")
    list_select_related = ("tenant",)
    inlines = (ConditionInline,)
    fieldsets = (
        (None, {"fields": ("tenant", "domain")}),
        (
            "Thresholds",
            {
                "fields": ("auto_approve_above", "quick_review_from", "tolerated_error"),
                "description": "Confidence runs from 0 to 1. “Preview” shows what a change would do to past cases.",
            },
        ),
        (
            "Signals",
            {
                "fields": ("weights_in_force", *((f"use_{one}", f"weight_{one}") for one in Signal), "clear_margin"),
                "description": "Confidence is their weighted mean. One that is missing counts as 0; a required one "
                "that is missing always sends the case to a person.",
            },
        ),
        (
            "What automation knows",
            {"fields": ("known_domains", "known_languages")},
        ),
        (
            "Stakes",
            {"fields": ("high_stakes_domains", "high_stakes_risks", "risk_floor", "risk_when_absent")},
        ),
        (
            "Second looks",
            {
                "fields": (
                    "sampling_share",
                    "new_release_reviews",
                    ("new_release_sampling", "new_release_threshold"),
                )
            },
        ),
        ("What reviewers choose from", {"fields": ("decision_options", "reason_codes")}),
    )

    @admin.display(description="Policy", ordering="domain")
    def name(self, policy: Policy) -> str:
        return policy.domain or "every domain"

    def get_readonly_fields(self, request: HttpRequest, obj: Policy | None = None):
        fixed = (*super().get_readonly_fields(request, obj), "domain") if obj else ()
        return (*fixed, "weights_in_force")

    @admin.display(description="In force")
    def weights_in_force(self, policy: Policy) -> str:
        if not policy.learned:
            return "the weights below"
        return (
            f"weights learned, version {policy.learned['version']}; those below wait. "
            "What is unused or required counts either way."
        )

    def get_fieldsets(self, request: HttpRequest, obj: Policy | None = None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        # The reader's page: what the form's own fields would show, as the model keeps it.
        return [
            (title, options | {"fields": ("weights_in_force", "signal_table", "clear_margin")})
            if title == "Signals"
            else (title, options)
            for title, options in fieldsets
        ]

    @admin.display(description="Signals")
    def signal_table(self, policy: Policy) -> SafeString:
        rows = (
            (Signal(name).label, Use(rule["use"]).label, rule["weight"])
            for name, rule in policy.signals.items()
            if name in Signal.values
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}, weight {}</li>", rows))

    def get_inlines(self, request: HttpRequest, obj: Policy | None):
        return self.inlines if obj else ()  # A new policy starts with the default conditions.

    # --- saving: the conditions first, then the version that holds them ---------------------------------------------

    def save_model(self, request: HttpRequest, obj: Policy, form, change: bool) -> None:
        require(request.user, self.change_right, obj.tenant)
        if not change:
            publish(obj, actor=request.user, reason=form.cleaned_data["reason"])

    def save_related(self, request: HttpRequest, form, formsets, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            publish(form.instance, actor=request.user, reason=form.cleaned_data["reason"])

    # --- what the page adds -----------------------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        policy, form = kwargs.get("obj"), context["adminform"].form
        asked = getattr(form, "preview", None)
        if asked is not None:
            context["errors"] = []  # The form was held back on purpose.
        if policy is not None:
            context |= {
                "preview": asked or preview(policy, Thresholds.of(policy)),
                "is_asked": asked is not None,
                "failures": _failures(policy),
                "versions": policy.versions.select_related("published_by")[:VERSIONS_SHOWN],
                "facts": sorted(FACTS.items()),
            }
        return super().render_change_form(request, context, **kwargs)


def _failures(policy: Policy) -> QuerySet[RuleFailure]:
    latest = RuleFailure.objects.filter(policy_version__policy=policy).select_related("case", "policy_version")
    return latest.order_by("-id")[:FAILURES_SHOWN]


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    view_right = "view_policy"
    tenant_path = "policy__tenant"
    list_display = ("policy", "number", "published_at", "who", "why")
    list_select_related = ("policy__tenant", "published_by")
    ordering = ("-published_at",)
    sortable_by = ()
    fields = ("policy", "number", "published_at", "who", "why", "rules")
    readonly_fields = ("policy", "who", "why", "rules")

    @admin.display(description="Published by")
    def who(self, version: PolicyVersion) -> str:
        return str(version.published_by)

    @admin.display(description="Reason")
    def why(self, version: PolicyVersion) -> SafeString:
        return shown(version.reason)

    @admin.display(description="Rules")
    def rules(self, version: PolicyVersion) -> SafeString:
        entries = format_html_join("", "<dt>{}</dt><dd>{}</dd>", _entries(version.document))
        return format_html('<dl class="document">{}</dl>', entries)


def _entries(document: dict[str, Any]):
    for name, value in document.items():
        if isinstance(value, dict):
            value = "; ".join(f"{key}: {_words(one)}" for key, one in value.items())
        elif isinstance(value, list):
            value = "; ".join(map(_words, value))
        yield name.replace("_", " "), shown("–" if value in (None, "") else value)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
