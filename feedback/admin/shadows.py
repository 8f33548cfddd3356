"""Shadow policies: start one, and see what it would have done beside what people did."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from cases.admin.beside import AUTOMATION, Beside
from cases.admin.forms import TrackedForm
from cases.admin.scoped import TrackedAdmin
from cases.untrusted import shown
from cases.vocabulary import Route

from ..models import ShadowPolicy
from ..services import shadows
from ..services.shadow_report import report
from .variants import VariantFields


class ShadowForm(VariantFields, TrackedForm):
    """What differs from the policy, read once, when the shadow starts."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        policy = cleaned.get("policy")
        if self.instance._state.adding and policy and not self.errors:
            self.instance.document = self.document(policy, cleaned)
        return cleaned


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
