"""Second looks: those that were asked for with what became of them, and the page that asks for a sample."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import Tenant, User
from cases.permissions import Denied
from cases.rights import rights_of
from cases.services.audit import keep_denial
from cases.veil import veiled

from ..models import SecondLook
from ..services import looks
from .reviews import work_url

ASKS = "reopen_case"


class SampleForm(forms.Form):
    """Which decisions are looked at again. One of ``number`` and ``percent``."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    days = forms.IntegerField(label="Decided in the past … days", min_value=1, max_value=366, initial=30)
    domain = forms.CharField(required=False, max_length=50, help_text="Empty: any.")
    reviewer = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Anybody")
    number = forms.IntegerField(label="How many", required=False, min_value=1, max_value=looks.MOST)
    percent = forms.IntegerField(label="Or a share, in percent", required=False, min_value=1, max_value=100)
    is_blind = forms.BooleanField(
        label="Blind: who looks again does not see what was decided before they have said what they would",
        required=False,
        initial=True,
    )
    reason = forms.CharField(max_length=500, help_text="Stands in the timeline of each case.")

    def __init__(self, tenants: QuerySet[Tenant], *args: Any) -> None:
        super().__init__(*args, label_suffix="")
        self.fields["tenant"].queryset = tenants
        members = User.objects.filter(reviewer_profiles__tenant__in=tenants).distinct()
        self.fields["reviewer"].queryset = members.order_by("username")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and (cleaned["number"] is None) == (cleaned["percent"] is None):
            raise forms.ValidationError("Give either how many or a share.")
        return cleaned

    def wish(self) -> looks.Wish:
        asked, now = self.cleaned_data, db_now()
        return looks.Wish(
            since=now - timedelta(days=asked["days"]),
            until=now,
            domain=asked["domain"],
            reviewer=asked["reviewer"],
            number=asked["number"],
            share=asked["percent"] / 100 if asked["percent"] else None,
            is_blind=asked["is_blind"],
        )


@admin.register(SecondLook)
class SecondLookAdmin(ReadOnlyAdmin):
    """What was looked at again: both outcomes side by side."""

    view_right = ASKS
    list_display = ("asked_at", "of_case", "first", "second", "is_blind", "result", "asked_by")
    list_display_links = None
    list_filter = ("result",)
    list_select_related = ("case", "decision__reviewer", "review__reviewer", "asked_by", "tenant")
    ordering = ("-asked_at",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/secondlook/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondLook]:
        """Both outcomes stand here, so that who may have to give the second does not see the row."""
        return super().get_queryset(request).exclude(veiled(request.user, "case"))

    @admin.display(description="Case")
    def of_case(self, look: SecondLook) -> SafeString:
        return format_html('<a href="{}">{}</a>', work_url(look.case_id), look.case)

    @admin.display(description="Decided")
    def first(self, look: SecondLook) -> str:
        return str(look.decision)

    @admin.display(description="Second look")
    def second(self, look: SecondLook) -> str:
        return str(look.review) if look.review_id else "–"

    def get_urls(self) -> list[URLPattern]:
        ask = path("ask/", self.admin_site.admin_view(self.ask), name="feedback_secondlook_ask")
        return [ask, *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    def ask(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST: asks for the sample, and leads to the list."""
        if not rights_of(request).has(ASKS):
            raise PermissionDenied
        form = SampleForm(rights_of(request).tenants(ASKS), *([request.POST] if request.method == "POST" else []))
        if request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            try:
                drawn = looks.sample(asked["tenant"], form.wish(), actor=request.user, reason=asked["reason"])
            except Denied as error:
                keep_denial(error)
                raise PermissionDenied(error.message) from error
            except CountersignError as error:
                form.add_error(None, error.message)
            else:
                messages.success(request, f"{len(drawn)} of these decisions are looked at again, by somebody else.")
                return redirect("admin:feedback_secondlook_changelist")
        context = {**self.admin_site.each_context(request), "title": "Ask for a second look", "form": form}
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/feedback/secondlook/ask.html", context, status=status)
