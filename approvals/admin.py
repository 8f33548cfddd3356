"""Authorities and proposed actions in the back office, beside the action types. Nobody decides on an action here."""

import json
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases.admin.history import HistoryPages
from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, TrackedAdmin
from cases.models import User
from cases.untrusted import shown

from .admin_types import ActionTypeAdmin, ImpactRuleInline
from .models import ApprovalAuthority, ProposedAction

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


@admin.register(ProposedAction)
class ProposedActionAdmin(ReadOnlyAdmin, HistoryPages):
    view_right = "view_action"
    untold = ("content",)
    list_display = ("named", "money", "impact", "state", "required_approvals", "of_case", "proposed_at", "expires_at")
    list_display_links = ("named",)
    list_filter = ("state", "impact")
    list_select_related = ("case", "tenant", "content")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fieldsets = (
        (None, {"fields": ("named", "money", "state", "of_case", "who", "proposed_at", "expires_at")}),
        ("Impact", {"fields": ("impact", "required_approvals", "may_run_alone", "action_type", "revision")}),
        ("As proposed", {"fields": ("params",)}),
    )
    readonly_fields = ("named", "money", "of_case", "who", "params")

    @admin.display(description="Action")
    def named(self, action: ProposedAction) -> SafeString:
        return shown(action.name)

    @admin.display(description="Amount")
    def money(self, action: ProposedAction) -> SafeString | str:
        return shown(action.money) or "–"

    @admin.display(description="Proposed by")
    def who(self, action: ProposedAction) -> str:
        return str(action.proposer)

    @admin.display(description="Case")
    def of_case(self, action: ProposedAction) -> SafeString | str:
        if action.case is None:
            return "–"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:cases_case_change", args=[action.case_id]), action.case
        )

    @admin.display(description="Parameters")
    def params(self, action: ProposedAction) -> SafeString:
        rows = action.content.text.get("params") or {}
        parts = [
            format_html("<dt>{}</dt><dd>{}</dd>", shown(name), shown(_words(value))) for name, value in rows.items()
        ]
        return format_html('<dl class="document">{}</dl>', SafeString("".join(parts)) if parts else "none")


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
