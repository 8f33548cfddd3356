"""Changes that wait for a second person: what each would bring, and the answer to it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..clock import db_now
from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..models import ChangeAnswer, ChangeRequest
from ..rights import rights_of
from ..services import changes
from ..untrusted import shown
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, refuse

KINDS = {
    "policy": "Policy",
    "tenant": "Tenant's safeguards",
    "authority": "Approval authority",
    "grant": "Who holds an authority",
    "action": "Action type",
    "roles": "Somebody's roles",
    "periods": "Retention periods",
}
SAID = {
    ChangeAnswer.Verdict.CONFIRMED: (messages.SUCCESS, "Confirmed. The change is in force."),
    ChangeAnswer.Verdict.OUTDATED: (messages.WARNING, "It was changed meanwhile, so that this is void. Ask again."),
    ChangeAnswer.Verdict.REFUSED: (messages.SUCCESS, "Refused. Nothing was changed."),
    ChangeAnswer.Verdict.WITHDRAWN: (messages.SUCCESS, "Taken back. Nothing was changed."),
}


class AnswerForm(forms.Form):
    reason = forms.CharField(
        label="Remark",
        required=False,
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Stands beside your answer.",
    )


class WaitingFilter(admin.SimpleListFilter):
    title = "answer"
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return [("yes", "Waits"), ("no", "Answered or expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return changes.waiting(queryset)
        return queryset.exclude(pk__in=changes.waiting(queryset).values("pk")) if self.value() == "no" else queryset


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ReadOnlyAdmin):
    view_right = "view_audit"
    list_display = ("subject", "what", "asked_by", "asked_at", "standing")
    list_filter = (WaitingFilter,)
    list_select_related = ("asked_by", "tenant", "answer__by")
    fields = (
        "what",
        "subject",
        "tenant",
        "told_differences",
        "reason",
        "asked_by",
        "asked_at",
        "expires_at",
        "standing",
    )
    readonly_fields = ("what", "told_differences", "standing")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_form_template = "admin/cases/changerequest/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChangeRequest]:
        return super().get_queryset(request).select_related("answer__by", "asked_by", "tenant")

    def get_urls(self):
        view = self.admin_site.admin_view(self.answer_view)
        return [path("<uuid:change_id>/answer/", view, name="cases_changerequest_answer"), *super().get_urls()]

    @admin.display(description="What")
    def what(self, asked: ChangeRequest) -> str:
        return KINDS.get(asked.kind, asked.kind)

    @admin.display(description="Differences")
    def told_differences(self, asked: ChangeRequest) -> SafeString | str:
        if not asked.differences:
            return "Nothing that these pages can put into words."
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
            ((shown(what), shown(before), shown(after)) for what, before, after in asked.differences),
        )
        return format_html(
            '<div class="scroll"><table><thead><tr><th scope="col">What</th><th scope="col">Now</th>'
            '<th scope="col">Then</th></tr></thead><tbody>{}</tbody></table></div>',
            rows,
        )

    @admin.display(description="Answer")
    def standing(self, asked: ChangeRequest) -> str:
        if answer := getattr(asked, "answer", None):
            remark = f": {answer.reason}" if answer.reason else ""
            return f"{answer.get_verdict_display()}, {answer.by}, {answer.at:%Y-%m-%d %H:%M} UTC{remark}"
        return "Waits for a second person" if asked.expires_at > db_now() else "Expired without an answer"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        asked = kwargs.get("obj")
        if asked is not None and not hasattr(asked, "answer") and asked.expires_at > db_now():
            may = rights_of(request).has(asked.right, asked.tenant_id)
            is_own = asked.asked_by_id == request.user.pk
            context |= {"answer_form": AnswerForm() if may else None, "is_own": is_own}
        return super().render_change_form(request, context, **kwargs)

    def answer_view(self, request: HttpRequest, change_id: UUID) -> HttpResponse:
        """POST only: confirm, or refuse; whoever asked takes it back."""
        asked = self.get_queryset(request).filter(pk=change_id).first()
        if asked is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(change_id))
        page = redirect("admin:cases_changerequest_change", change_id)
        form = AnswerForm(request.POST)
        if request.method != "POST" or not form.is_valid():
            return page
        service = changes.confirm if "confirm" in request.POST else changes.refuse
        try:
            answer = service(change_id, actor=request.user, reason=form.cleaned_data["reason"])
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.add_message(request, *SAID[answer.verdict])
        return page
