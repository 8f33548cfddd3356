"""Deadlines and the hours in which their clock runs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from cases.admin.fields import LinesField
from cases.admin.forms import TrackedForm
from cases.admin.scoped import ScopedInline, TrackedAdmin

from ..models import BusinessCalendar, SlaPolicy, SlaStep
from ..services.deadlines import look_anew
from ..steps import STANDARD

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class SpansField(forms.CharField):
    """``09:00-12:30, 13:00-17:00`` as pairs of texts; empty is closed."""

    def prepare_value(self, value: object) -> object:
        return ", ".join(f"{start}-{end}" for start, end in value) if isinstance(value, list) else value

    def clean(self, value: str) -> list[list[str]]:
        spans = []
        for span in filter(None, (part.strip() for part in (super().clean(value) or "").replace("–", "-").split(","))):
            start, dash, end = span.partition("-")
            if not dash:
                raise ValidationError("Write spans as 09:00-17:00, several with commas between them.")
            spans.append([start.strip(), end.strip()])
        return spans


class DatesField(LinesField):
    """One date a line, as YYYY-MM-DD."""

    def clean(self, value: str) -> list[Any]:
        to_date = forms.DateField(input_formats=["%Y-%m-%d"]).clean
        return sorted(to_date(line) for line in super().clean(value))


WeekRows = type(
    "WeekRows",
    (TrackedForm,),
    {f"day_{number}": SpansField(label=day, required=False, max_length=100) for number, day in enumerate(DAYS)},
)


class CalendarForm(WeekRows):
    closed = DatesField(required=False, rows=4, help_text="Own days off, one date a line: 2027-12-24.")
    open_anyway = DatesField(required=False, rows=3, help_text="Public holidays that are worked, one date a line.")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for number in range(len(DAYS)):
            self.initial[f"day_{number}"] = (self.instance.hours or {}).get(str(number), [])

    def clean(self) -> dict:
        cleaned = super().clean()
        spans = {str(number): cleaned.get(f"day_{number}") or [] for number in range(len(DAYS))}
        self.instance.hours = {day: pairs for day, pairs in spans.items() if pairs}
        return cleaned


def week_words(hours: dict[str, list[list[str]]]) -> str:
    """``Mon 09:00–17:00; Tue …``"""
    days = (
        f"{DAYS[int(day)][:3]} {', '.join(f'{start}–{end}' for start, end in spans)}"
        for day, spans in sorted(hours.items())
        if spans
    )
    return "; ".join(days)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(TrackedAdmin):
    view_right = "view_queue"
    change_right = "change_queue"
    deletable = True
    form = CalendarForm
    list_display = ("name", "time_zone", "week", "country", "subdivision")
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "time_zone")}),
        (
            "Hours",
            {
                "fields": tuple(f"day_{number}" for number in range(len(DAYS))),
                "description": "As 09:00-17:00; several spans with commas between them; empty is closed.",
            },
        ),
        ("Holidays", {"fields": (("country", "subdivision"), "closed", "open_anyway")}),
    )

    @admin.display(description="Week")
    def week(self, calendar: BusinessCalendar) -> str:
        return week_words(calendar.hours)

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, options | {"fields": ("week",), "description": ""}) if title == "Hours" else (title, options)
            for title, options in fieldsets
        ]


class StepInline(ScopedInline):
    model = SlaStep
    fields = ("share", "kind", "again_every")
    verbose_name_plural = "steps (none: the standard ones)"

    def get_extra(self, request: HttpRequest, obj: SlaPolicy | None = None, **kwargs) -> int:
        return 1 if obj else len(STANDARD)


@admin.register(SlaPolicy)
class SlaPolicyAdmin(TrackedAdmin):
    view_right = "view_queue"
    change_right = "change_queue"
    deletable = True
    inlines = (StepInline,)
    list_display = ("name", "amount", "unit", "calendar", "steps_taken")
    list_select_related = ("tenant", "calendar")
    fieldsets = ((None, {"fields": ("tenant", "name", ("amount", "unit"), "calendar")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SlaPolicy]:
        return super().get_queryset(request).prefetch_related("steps")

    @admin.display(description="Steps")
    def steps_taken(self, policy: SlaPolicy) -> str:
        return "; ".join(str(step) for step in policy.steps.all()) or "the standard ones"

    def get_formset_kwargs(self, request: HttpRequest, obj: SlaPolicy, inline: StepInline, prefix: str) -> dict:
        """A new policy's page begins with the standard steps, to be kept, changed or emptied."""
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        if obj._state.adding and request.method == "GET":
            kwargs["initial"] = [
                {"share": step.share, "kind": step.kind, "again_every": step.again_every} for step in STANDARD
            ]
        return kwargs

    def save_related(self, request: HttpRequest, form, formsets, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:  # What waits already goes by the new steps.
            look_anew(form.instance.pk)
