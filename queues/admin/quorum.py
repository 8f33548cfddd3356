"""The rules that ask for more than one review."""

from django.contrib import admin

from cases.admin.scoped import TrackedAdmin

from ..models import QuorumRule


@admin.register(QuorumRule)
class QuorumRuleAdmin(TrackedAdmin):
    """For those who change queues: where several people look, independently."""

    view_right = "view_queue"
    change_right = "change_queue"
    list_display = ("name", "queue", "risk_from", "impact_from", "required_reviews", "hides_draft", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("tenant", "queue")
    search_fields = ("name",)
    ordering = ("tenant__slug", "name")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "is_active")}),
        ("Where", {"fields": ("queue", "risk_from", "impact_from")}),
        ("How many", {"fields": ("required_reviews", "hides_draft")}),
    )
