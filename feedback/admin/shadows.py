"""Shadow policies: start one, and see what it would have done beside what people did."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from cases.admin.beside import AUTOMATION, Beside
from cases.admin.fields import LinesField, MappingField
from cases.admin.forms import TrackedForm
from cases.admin.scoped import TrackedAdmin
from cases.models import Policy
from cases.rules import Rules
from cases.rules_document import CONDITION_TRIGGERS, RulesInvalid
from cases.untrusted import shown
from cases.vocabulary import Route, Signal, Use

from ..models import ShadowPolicy
from ..services import shadows
from ..services.shadow_report import report

UNIT = {"min_value": 0, "max_value": 1, "required": False, "widget": forms.NumberInput(attrs={"step": "0.01"})}


class ShadowForm(TrackedForm):
    """What differs from the policy: every field left empty stays as the policy has it at this moment."""

    auto_approve_above = forms.FloatField(**UNIT, help_text="A draft passes only strictly above this confidence.")
    quick_review_from = forms.FloatField(**UNIT, help_text="Below it, a full investigation.")
    new_release_threshold = forms.FloatField(**UNIT, help_text="The stricter threshold while a release is new.")
    weights = MappingField(
        required=False, rows=4, help_text="One “signal: weight” a line, such as “judge_score: 0.3”; 0 leaves it out."
    )
    left_out = LinesField(
        label="Conditions left out",
        required=False,
        rows=3,
        help_text="The names of conditions of the policy, one a line.",
    )
    conditions = LinesField(
        label="Further conditions",
        required=False,
        rows=3,
        help_text="One “name | trigger | CEL” a line. Triggers: " + ", ".join(map(str, CONDITION_TRIGGERS)) + ".",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        policy = cleaned.get("policy")
        if self.instance._state.adding and policy and not self.errors:
            self.instance.document = self._document(policy, cleaned)
        return cleaned

    def _document(self, policy: Policy, cleaned: dict[str, Any]) -> dict[str, Any]:
        document = policy.document()
        for name in ("auto_approve_above", "quick_review_from", "new_release_threshold"):
            if cleaned.get(name) is not None:
                document[name] = cleaned[name]
        document["signals"] = document["signals"] | self._weights(document["signals"], cleaned)
        left_out = set(cleaned.get("left_out") or ())
        if unknown := left_out - {one["name"] for one in document["conditions"]}:
            self.add_error("left_out", f"The policy has no condition “{sorted(unknown)[0]}”.")
        document["conditions"] = [one for one in document["conditions"] if one["name"] not in left_out]
        for line in cleaned.get("conditions") or ():
            parts = [part.strip() for part in line.split("|", 2)]
            if len(parts) < 3:
                self.add_error(
                    "conditions", ValidationError("“%(line)s” is not “name | trigger | CEL”.", params={"line": line})
                )
                continue
            document["conditions"].append(dict(zip(("name", "trigger", "expression"), parts, strict=True)))
        try:
            Rules.from_document(document)
        except RulesInvalid as error:
            self.add_error(None, error.message)
        return document

    def _weights(self, signals: dict[str, Any], cleaned: dict[str, Any]) -> dict[str, Any]:
        changed = {}
        for name, text in (cleaned.get("weights") or {}).items():
            try:
                weight = float(text)
            except ValueError:
                weight = -1.0
            if name not in Signal.values or not 0 <= weight <= 1000:
                self.add_error("weights", f"“{name}: {text}” is not a signal and its weight.")
                continue
            use = signals.get(name, {}).get("use", Use.UNUSED)
            use = Use.UNUSED if not weight else Use.OPTIONAL if use == Use.UNUSED else use
            changed[name] = {"weight": weight, "use": str(use)}
        return changed


@admin.register(ShadowPolicy)
class ShadowPolicyAdmin(Beside, TrackedAdmin):
    view_right = "view_policy"
    change_right = "change_policy"
    form = ShadowForm
    beside = AUTOMATION
    about = (
        "A shadow judges each new case beside the policy in force, without effect: its page shows what it would have "
        "done beside what people did. Start one before a threshold is moved or a release goes live."
    )
    list_display = ("name", "policy", "is_active", "started_at")
    list_filter = ("is_active",)
    list_select_related = ("tenant", "policy__tenant")
    ordering = ("-started_at",)
    sortable_by = ()
    change_form_template = "admin/feedback/shadowpolicy/change_form.html"
    add_fieldsets = (
        (None, {"fields": ("tenant", "name", "policy")}),
        (
            "What differs",
            {
                "fields": (
                    ("auto_approve_above", "quick_review_from", "new_release_threshold"),
                    "weights",
                    "left_out",
                    "conditions",
                ),
                "description": "What is left empty stays as the policy has it now. Nothing follows from what a shadow "
                "says: cases go the way that the policy in force sends them, and the switch has no say here.",
            },
        ),
        (
            "Which drafts",
            {
                "fields": ("release_model", "release_version", "trusts_releases"),
                "description": "To try a release without effect, let the policy hold all of its drafts (a threshold "
                "of 1 while a release is new) and let a shadow that trusts new releases judge them.",
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("tenant", "name", "policy", "is_active", "started_at")}),
        ("Which drafts", {"fields": ("release_model", "release_version", "trusts_releases")}),
        ("How its rules differ from the policy's of now", {"fields": ("differences",)}),
    )
    fixed = ("policy", "started_at", "release_model", "release_version", "trusts_releases", "differences")

    def get_fieldsets(self, request: HttpRequest, obj: ShadowPolicy | None = None):
        if obj is None:
            return [*self.add_fieldsets, (self.reason_fieldset, {"fields": ("reason", "seen")})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: ShadowPolicy | None = None):
        return (*super().get_readonly_fields(request, obj), *self.fixed) if obj else ()

    @admin.display(description="Differences")
    def differences(self, shadow: ShadowPolicy) -> SafeString | str:
        now, own = shadow.policy.document(), shadow.document
        changed = [
            (name.replace("_", " "), shown(now[name]), shown(own.get(name)))
            for name in now
            if now[name] != own.get(name)
        ]
        return format_html_join("", "<p><b>{}</b>: {} → {}</p>", changed) or "None."

    def store(self, request: HttpRequest, obj: ShadowPolicy, reason: str) -> None:
        (shadows.start if obj._state.adding else shadows.change)(obj, actor=request.user, reason=reason)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        shadow = kwargs.get("obj")
        if shadow is not None:
            context |= {"report": report(shadow), "routes": [route.label for route in Route]}
        return super().render_change_form(request, context, **kwargs)
