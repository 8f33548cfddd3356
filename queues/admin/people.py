"""Reviewers and what they are fit for."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from cases.admin.fields import LinesField
from cases.admin.forms import TrackedForm
from cases.admin.scoped import ScopedInline, TrackedAdmin

from ..models import Reviewer, ReviewerSkill, Skill


class ReviewerForm(TrackedForm):
    languages = LinesField(required=False, rows=3, help_text="One a line, for example en or de. Empty: any.")


class SkillInline(ScopedInline):
    model = ReviewerSkill
    fields = ("skill", "level")
    select_related = ("skill",)
    verbose_name_plural = "skills"


@admin.register(Reviewer)
class ReviewerAdmin(TrackedAdmin):
    view_right = "view_people"
    change_right = "change_queue"
    form = ReviewerForm
    inlines = (SkillInline,)
    list_display = ("user", "reads", "fit_for", "capacity", "is_on_shift", "is_paused")
    list_filter = ("is_on_shift", "is_paused")
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    fieldsets = (
        (None, {"fields": ("tenant", "user", "languages", "capacity")}),
        ("Now", {"fields": ("is_on_shift", "is_paused")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reviewer]:
        return super().get_queryset(request).prefetch_related("skills__skill")

    def get_readonly_fields(self, request: HttpRequest, obj: Reviewer | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "user") if obj else fixed

    @admin.display(description="Languages")
    def reads(self, reviewer: Reviewer) -> str:
        return ", ".join(reviewer.languages) or "any"

    @admin.display(description="Skills")
    def fit_for(self, reviewer: Reviewer) -> str:
        return ", ".join(f"{held.skill} {held.level}" for held in reviewer.skills.all()) or "–"


@admin.register(Skill)
class SkillAdmin(TrackedAdmin):
    view_right = "view_queue"
    change_right = "change_queue"
    deletable = True
    list_display = ("name", "code")
    list_select_related = ("tenant",)
    fieldsets = ((None, {"fields": ("tenant", "name", "code")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Skill | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "code") if obj else fixed
