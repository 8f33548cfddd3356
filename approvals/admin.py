"""Authorities in the back office, beside the action types and the actions themselves."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from cases.admin.scoped import TrackedAdmin
from cases.models import User

from .admin_actions import ProposedActionAdmin
from .admin_types import ActionTypeAdmin, ImpactRuleInline
from .models import ApprovalAuthority

__all__ = ["ActionTypeAdmin", "ApprovalAuthorityAdmin", "ImpactRuleInline", "ProposedActionAdmin"]

HOLDERS_SHOWN = 100


@admin.register(ApprovalAuthority)
class ApprovalAuthorityAdmin(TrackedAdmin):
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

    @admin.display(description="Up to")
    def limit(self, authority: ApprovalAuthority) -> str:
        return f"{authority.max_amount:.2f} {authority.currency}" if authority.max_amount else "actions without money"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        authority = kwargs.get("obj")
        if authority is not None:
            context |= {"groups": _groups(authority), "people": _people(authority)}
        return super().render_change_form(request, context, **kwargs)


def _groups(authority: ApprovalAuthority) -> QuerySet[Group]:
    held = authority.authoritygrouppermission_set.filter(permission__codename="exercise")
    return Group.objects.filter(pk__in=held.values("group")).order_by("name")


def _people(authority: ApprovalAuthority) -> QuerySet[User]:
    """Who holds it by themselves or by a role group, and is an active member."""
    own = authority.authorityuserpermission_set.filter(permission__codename="exercise")
    members = User.objects.filter(memberships__tenant=authority.tenant_id, memberships__is_active=True, is_active=True)
    by_group = User.objects.filter(groups__in=_groups(authority))
    held = members.filter(pk__in=own.values("user")) | members.filter(pk__in=by_group.values("pk"))
    return held.distinct().order_by("username")[:HOLDERS_SHOWN]
