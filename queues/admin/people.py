"""Reviewers: what they are fit for, when they work, and who stands in while they are away."""

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from cases.admin.fields import LinesField, MomentField
from cases.admin.scoped import ScopedInline, TrackedAdmin
from cases.models import Membership, User
from cases.services.members import check_delegate, set_absence

from ..models import Reviewer, ReviewerSkill, Skill
from ..services.people import save_reviewer, supervises
from .calendars import DAYS, WeekRows, week_words

DAY_FIELDS = tuple(f"day_{number}" for number in range(len(DAYS)))
ABSENCE = ("away_from", "away_until", "delegate")


class ReviewerForm(WeekRows):
    """The absence belongs to the membership; it is edited here as well, where supervisors are."""

    languages = LinesField(required=False, rows=3, help_text="One a line, for example en or de. Empty: any.")
    works_until = MomentField(label="On shift until (UTC)", help_text="Whatever the hours say. Empty: by the hours.")
    away_from = MomentField(label="Away from (UTC)", help_text="Empty: not away.")
    away_until = MomentField(label="Away until (UTC)", help_text="Empty: until somebody says that they are back.")
    delegate = forms.ModelChoiceField(
        User.objects.all(),
        required=False,
        help_text="Gets their personal work while they are away. Holds at least the same authority.",
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for number, name in enumerate(DAY_FIELDS):
            self.initial[name] = (self.instance.own_hours or {}).get(str(number), [])
        self.membership = self._membership(getattr(self.instance, "user_id", None), self.instance.tenant_id)
        if self.membership:
            self.initial |= {name: getattr(self.membership, name) for name in ABSENCE}

    @staticmethod
    def _membership(user_id, tenant_id) -> Membership | None:
        return Membership.objects.filter(user=user_id, tenant=tenant_id).select_related("user", "tenant").first()

    def clean(self) -> dict:
        cleaned = super().clean()
        spans = {str(number): cleaned.get(name) or [] for number, name in enumerate(DAY_FIELDS)}
        self.instance.own_hours = {day: pairs for day, pairs in spans.items() if pairs}
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()
        self.membership = self.membership or self._membership(self.instance.user_id, self.instance.tenant_id)
        if self.errors or not self.membership or not self.changes_absence:
            return
        for name in ABSENCE:
            setattr(self.membership, name, self.cleaned_data.get(name))
        try:
            self.membership.full_clean()
            check_delegate(self.membership)
        except ValidationError as error:
            self.add_error(None, error.messages)

    @property
    def changes_absence(self) -> bool:
        return bool({*ABSENCE} & {*self.changed_data})


class SkillInline(ScopedInline):
    model = ReviewerSkill
    fields = ("skill", "level")
    select_related = ("skill",)
    verbose_name_plural = "skills"


class PeopleList(ChangeList):
    def get_queryset(self, request: HttpRequest, *args) -> QuerySet[Reviewer]:
        """With the skills that ``fit_for`` names; a person's own page reads them for its rows."""
        return super().get_queryset(request, *args).prefetch_related("skills__skill")


@admin.register(Reviewer)
class ReviewerAdmin(TrackedAdmin):
    """A supervisor changes the people of their own queues; whoever may change people changes all."""

    view_right = "view_people"
    change_right = "change_queue"
    form = ReviewerForm
    inlines = (SkillInline,)
    list_display = ("user", "reads", "fit_for", "capacity", "is_on_shift", "in_hours", "is_paused")
    list_filter = ("is_on_shift", "is_paused")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    fieldsets = (
        (None, {"fields": ("tenant", "user", "languages", "capacity")}),
        ("Now", {"fields": (("is_on_shift", "is_paused"), "works_until")}),
        (
            "Hours",
            {
                "fields": ("calendar", *DAY_FIELDS),
                "description": "The calendar's, or own weekly hours in its place, as 09:00-17:00. Its holidays stay.",
            },
        ),
        ("Absence", {"fields": (("away_from", "away_until"), "delegate")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reviewer]:
        return super().get_queryset(request).select_related("user", "tenant")

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return PeopleList

    def get_readonly_fields(self, request: HttpRequest, obj: Reviewer | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "user") if obj else fixed

    def get_fieldsets(self, request: HttpRequest, obj: Reviewer | None = None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        shown = {"Hours": ("calendar", "own_week"), "Absence": ("absence",)}
        return [(title, {"fields": shown[title]} if title in shown else options) for title, options in fieldsets]

    def has_change_permission(self, request: HttpRequest, obj: Reviewer | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        if obj is None:
            return True
        known = request.__dict__.setdefault("_supervises", {})
        if obj.pk not in known:
            known[obj.pk] = supervises(request.user, obj)
        return known[obj.pk]

    def store(self, request: HttpRequest, obj: Reviewer, reason: str) -> None:
        save_reviewer(obj, actor=request.user, reason=reason)

    def save_model(self, request: HttpRequest, obj: Reviewer, form: ReviewerForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changes_absence and form.membership:
            values = {name: form.cleaned_data[name] for name in ABSENCE}
            reason = form.cleaned_data["reason"]
            set_absence(obj.user, obj.tenant, actor=request.user, reason=reason, **values)

    @admin.display(description="Languages")
    def reads(self, reviewer: Reviewer) -> str:
        return ", ".join(reviewer.languages) or "any"

    @admin.display(description="Skills")
    def fit_for(self, reviewer: Reviewer) -> str:
        return ", ".join(f"{held.skill} {held.level}" for held in reviewer.skills.all()) or "–"

    @admin.display(description="Own hours")
    def own_week(self, reviewer: Reviewer) -> str:
        return week_words(reviewer.own_hours) or "–"

    @admin.display(description="Away")
    def absence(self, reviewer: Reviewer) -> str:
        place = Membership.objects.filter(user=reviewer.user_id, tenant=reviewer.tenant_id).select_related("delegate")
        found = place.first()
        if found is None or found.away_from is None:
            return "–"
        until = f"{found.away_until:%d %b %Y %H:%M} UTC" if found.away_until else "further notice"
        instead = f"; {found.delegate} stands in" if found.delegate else "; nobody stands in"
        return f"{found.away_from:%d %b %Y %H:%M} UTC until {until}{instead}"


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
