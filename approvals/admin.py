"""Authorities in the back office, beside the action types and the actions themselves."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from cases.admin.scoped import TrackedAdmin

from .admin_actions import ProposedActionAdmin
from .admin_grants import GrantPages, role_words
from .admin_types import ActionTypeAdmin, ImpactRuleInline
from .models import ApprovalAuthority
from .services import authorities

__all__ = ["ActionTypeAdmin", "ApprovalAuthorityAdmin", "ImpactRuleInline", "ProposedActionAdmin"]

HOLDERS_SHOWN = 100


@admin.register(ApprovalAuthority)
class ApprovalAuthorityAdmin(GrantPages, TrackedAdmin):
    view_right = "view_action"
    change_right = "change_action"
    change_form_template = "admin/approvals/approvalauthority/change_form.html"
    list_display = ("name", "code", "action_type", "limit", "max_impact")
    list_select_related = ("tenant", "action_type")
    search_fields = ("name", "code")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "code", "action_type")}),
        ("How far it reaches", {"fields": (("max_amount", "currency"), "max_impact")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ApprovalAuthority | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "code") if obj else fixed

    def store(self, request: HttpRequest, obj: ApprovalAuthority, reason: str) -> None:
        authorities.save(obj, actor=request.user, reason=reason)

    @admin.display(description="Up to")
    def limit(self, authority: ApprovalAuthority) -> str:
        return f"{authority.max_amount:.2f} {authority.currency}" if authority.max_amount else "actions without money"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        authority = kwargs.get("obj")
        if authority is not None:
            groups = [role_words(group) for group in authorities.group_holders(authority)]
            context |= {"groups": groups, "people": authorities.holders([authority], limit=HOLDERS_SHOWN)}
        return super().render_change_form(request, context, **kwargs)
