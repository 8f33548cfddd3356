"""Breakers: what a tenant watches, how each series stands, and the alarms with the way back."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..models import BreakerAlarm, BreakerRule
from ..services import breakers
from ..vocabulary import Role
from .beside import AUTOMATION, Beside
from .fields import ChecksField
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin, refuse

SERIES_SHOWN = 50


class BreakerForm(TrackedForm):
    tells = ChecksField(
        label="Tells",
        choices=[choice for choice in Role.choices if choice[0] != Role.INTEGRATION],
        help_text="Who hears of an alarm; the team's channels do besides.",
    )


class ResetForm(forms.Form):
    reason = forms.CharField(
        label="What you found",
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Stands beside the alarm.",
    )
    learns_anew = forms.BooleanField(
        label="Learn anew what is usual",
        required=False,
        help_text="From the cases that follow. Without it, the baseline stays, and what goes on alarms again.",
    )


@admin.register(BreakerRule)
class BreakerRuleAdmin(Beside, TrackedAdmin):
    view_right = "view_automation"
    change_right = "change_policy"
    form = BreakerForm
    beside = AUTOMATION
    about = (
        "A breaker learns what is usual of overrides, denials, escalations, automatic approvals, tool failures or the "
        "number of cases, and alarms, or stops automation, when that changes."
    )
    list_display = ("name", "watched", "looks", "domain", "action", "is_active")
    list_filter = ("watches", "is_active")
    list_select_related = ("tenant",)
    ordering = ("tenant", "name")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "is_active")}),
        ("What it watches", {"fields": ("watches", "looks", "domain", "decision")}),
        (
            "Series",
            {
                "fields": ("by_domain", "by_decision", "by_release"),
                "description": "Each series is tested by itself and alarms by itself.",
            },
        ),
        ("What is usual", {"fields": ("baseline", "baseline_cases", "slot_minutes")}),
        (
            "How soon it alarms",
            {
                "fields": ("shift", "false_alarm_every"),
                "description": "The test looks at every case. Rarer false alarms and smaller changes both make it "
                "wait longer: by the values that stand here at first, a share that goes from 20 % to 40 % is seen "
                "after some 70 cases, and one that goes to 60 % after 30.",
            },
        ),
        ("What it does", {"fields": ("action", "tells")}),
    )
    change_form_template = "admin/cases/breakerrule/change_form.html"

    @admin.display(description="Watches", ordering="watches")
    def watched(self, rule: BreakerRule) -> str:
        return rule.get_watches_display().partition(":")[0]

    def store(self, request: HttpRequest, obj: BreakerRule, reason: str) -> None:
        breakers.save_rule(obj, actor=request.user, reason=reason)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        rule = kwargs.get("obj")
        if rule is not None:
            context["series"] = breakers.series_of(rule, SERIES_SHOWN)
            context["alarms"] = breakers.open_alarms(rule.alarms.all())[:SERIES_SHOWN]
        return super().render_change_form(request, context, **kwargs)


class OpenFilter(admin.SimpleListFilter):
    title = "somebody has looked"
    parameter_name = "reset"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return (("no", "Nobody yet"), ("yes", "Yes"))

    def queryset(self, request: HttpRequest, queryset):
        return queryset.filter(reset__isnull=self.value() == "no") if self.value() in ("no", "yes") else queryset


@admin.register(BreakerAlarm)
class BreakerAlarmAdmin(Beside, ReadOnlyAdmin):
    view_right = "view_automation"
    beside = AUTOMATION
    about = (
        "What breakers saw. Somebody looks, says what it was, and the series is watched again; what an alarm stopped "
        "stays stopped until it is resumed on the page of automation."
    )
    list_display = ("at", "__str__", "sentence", "trips", "answered")
    list_filter = (OpenFilter,)
    list_select_related = ("tenant", "release", "reset__by")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("name", "domain", "decision", "release", "sentence", "since", "at", "measured", "trips", "answered")
    readonly_fields = ("sentence", "measured", "answered")
    change_form_template = "admin/cases/breakeralarm/change_form.html"

    @admin.display(description="What was seen")
    def sentence(self, alarm: BreakerAlarm) -> str:
        return alarm.sentence

    @admin.display(description="Statistic")
    def measured(self, alarm: BreakerAlarm) -> str:
        return f"{alarm.statistic:.4g}, with an alarm from {alarm.limit:.4g}"

    @admin.display(description="Looked at by")
    def answered(self, alarm: BreakerAlarm) -> str:
        done = getattr(alarm, "reset", None)
        return f"{done.by}, {done.at:%d %b %Y %H:%M} UTC: {done.reason}" if done else "–"

    def get_urls(self):
        route = path(
            "<int:alarm_id>/reset/", self.admin_site.admin_view(self.reset_view), name="cases_breakeralarm_reset"
        )
        return [route, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        alarm = kwargs.get("obj")
        if alarm is not None and not hasattr(alarm, "reset") and self._may(request, "resume_automation", alarm):
            context["reset_form"] = ResetForm(auto_id="reset_%s")
        return super().render_change_form(request, context, **kwargs)

    def reset_view(self, request: HttpRequest, alarm_id: int) -> HttpResponse:
        """Somebody has looked at the alarm: the series is watched again."""
        if not self.get_queryset(request).filter(pk=alarm_id).exists():
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(alarm_id))
        if request.method != "POST":
            raise PermissionDenied
        form = ResetForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Say what you found. Nothing was changed.")
            return redirect("admin:cases_breakeralarm_change", alarm_id)
        try:
            breakers.reset(alarm_id, actor=request.user, **form.cleaned_data)
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.success(request, "Watched again. What the alarm stopped stays stopped until somebody resumes it.")
        return redirect("admin:cases_breakeralarm_change", alarm_id)
