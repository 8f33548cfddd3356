"""A tenant's settings. Making one is the platform's own business."""

import re

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from ..models import Tenant
from ..rights import rights_of
from ..services.people import create_tenant
from ..services.tenant_settings import save_settings
from ..vocabulary import FourEyes, Role
from ..wire.intake import LANGUAGE
from .fields import ChecksField
from .forms import TrackedForm
from .scoped import TrackedAdmin


class TenantForm(TrackedForm):
    four_eyes = ChecksField(label="Changes that need one", choices=FourEyes.choices)
    second_factor_roles = ChecksField(
        label="With a second factor",
        choices=[role for role in Role.choices if role[0] != Role.INTEGRATION],
        help_text="Whoever has such a role and no second factor yet adds one before anything else.",
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "fallback_language" in self.fields:
            self.fields[
                "fallback_language"
            ].help_text = "For example en or de-AT. Cases that name no language go to its queues."

    def clean_fallback_language(self) -> str:
        language = self.cleaned_data["fallback_language"]
        if not re.fullmatch(LANGUAGE, language):
            raise ValidationError("Write a language as a BCP 47 tag, for example en or de-AT.")
        return language


@admin.register(Tenant)
class TenantAdmin(TrackedAdmin):
    view_right = "view_tenant"
    change_right = "change_tenant"
    form = TenantForm
    tenant_path = "pk"
    list_display = ("name", "slug", "time_zone", "undo_seconds", "redraft_minutes", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    fieldsets = (
        (None, {"fields": ("name", "slug", "time_zone", "fallback_language", "is_active")}),
        ("Decisions and new drafts", {"fields": ("undo_seconds", "redraft_minutes", "max_drafts")}),
        ("A second person", {"fields": ("four_eyes", "resume_needs_two")}),
        ("Sign-in", {"fields": ("second_factor_roles",)}),
        ("Exports", {"fields": ("export_customer",)}),
        ("Audit trail", {"fields": ("keep_views",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None):
        fixed = ("slug",) if obj else ()
        return fixed if rights_of(request).is_superuser else (*fixed, "is_active")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return rights_of(request).is_superuser

    def store(self, request: HttpRequest, obj: Tenant, reason: str) -> None:
        save_settings(obj, actor=request.user, reason=reason)

    def save_model(self, request: HttpRequest, obj: Tenant, form, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        settings = {name: form.cleaned_data[name] for name in form.cleaned_data.keys() & _settings()}
        create_tenant(actor=request.user, id=obj.pk, **settings)
        obj._state.adding = False
        return None


def _settings() -> set[str]:
    return {field.name for field in Tenant._meta.fields} - {"id"}
