"""Training alerts: a missed challenge before the supervisor, and what they did about it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases.admin.history import HistoryPages
from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, refuse
from cases.errors import CountersignError
from cases.vocabulary import Verdict
from queues.models import Reviewer

from ..models import TrainingAlert
from ..services import challenge_results
from .challenges import RIGHT
from .reviews import work_url


class OpenFilter(admin.SimpleListFilter):
    title = "standing"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return [("yes", "Open"), ("no", "Closed")]

    def queryset(self, request: HttpRequest, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(closed_at__isnull=self.value() == "yes")
        return queryset


class CloseForm(forms.Form):
    """What came of the talk."""

    outcome = forms.ChoiceField(
        label="What came of it", choices=TrainingAlert.Outcome.choices, widget=forms.RadioSelect
    )
    note = forms.CharField(
        label="What you talked about or found", max_length=1_000, widget=forms.Textarea(attrs={"rows": 3})
    )
    ends_pause = forms.BooleanField(label="End the pause: cases come to them again", required=False)


@admin.register(TrainingAlert)
class TrainingAlertAdmin(ReadOnlyAdmin, HistoryPages):
    view_right = RIGHT
    list_display = ("raised_at", "who", "record", "has_paused", "seen_by", "closed_by", "outcome")
    list_display_links = ("who",)
    list_filter = (OpenFilter,)
    list_select_related = ("person", "seen_by", "closed_by", "tenant")
    ordering = ("-raised_at",)
    sortable_by = ()
    paginator = BoundedPaginator

    @admin.display(description="Person")
    def who(self, alert: TrainingAlert) -> str:
        return str(alert.person)

    @admin.display(description="Missed")
    def record(self, alert: TrainingAlert) -> str:
        return f"{alert.misses} of the last {alert.among}"

    @admin.display(description="Case")
    def of_case(self, alert: TrainingAlert) -> SafeString:
        return format_html('<a href="{}">{}</a>', work_url(alert.result.planted_id), alert.result.planted.case)

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None) -> HttpResponse:
        """GET: the miss with its challenge. POST: take it on, or say what came of it."""
        if object_id is None or not self.has_view_permission(request):
            raise PermissionDenied("Alerts are raised by missed challenges alone.")
        found = self.get_object(request, str(object_id))
        if found is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(object_id))
        form = CloseForm(request.POST if "close" in request.POST else None, label_suffix="")
        if request.method == "POST":
            try:
                if "close" not in request.POST:
                    challenge_results.take_on(found.pk, actor=request.user)
                    messages.success(request, "Taken on. Talk to them; then say here what came of it.")
                    return redirect("admin:feedback_trainingalert_change", found.pk)
                if form.is_valid():
                    challenge_results.close(found.pk, actor=request.user, **form.cleaned_data)
                    messages.success(request, "The alert is closed.")
                    return redirect("admin:feedback_trainingalert_changelist")
            except CountersignError as error:
                return refuse(request, error)
        return TemplateResponse(
            request,
            "admin/feedback/trainingalert/change_form.html",
            self._page(request, found.pk, form),
            status=400 if form.errors else 200,
        )

    def _page(self, request: HttpRequest, key: Any, form: CloseForm) -> dict[str, Any]:
        links = ("person", "seen_by", "closed_by", "result__review__content", "result__planted__case")
        alert = TrainingAlert.objects.select_related(*links, "result__planted__challenge").get(pk=key)
        expected = alert.result.planted.expected
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(alert),
            "alert": alert,
            "expected": expected,
            "right": " or ".join(Verdict(one).label.lower() for one in expected["right_verdicts"]),
            "said": alert.result.review.content.text,
            "is_paused": Reviewer.objects.filter(tenant=alert.tenant_id, user=alert.person_id, is_paused=True).exists(),
            "is_own": alert.person_id == request.user.pk,
            "form": form,
            "work_url": work_url(alert.result.planted_id),
        }
