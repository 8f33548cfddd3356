"""Customers' data: looking at what an erasure hits, erasing, the receipts, access reports, holds and periods."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..ids import from_wire
from ..models import Case, ErasureReceipt, LegalHold, RetentionRule, Tenant
from ..permissions import Denied
from ..rights import HeldRights, rights_of
from ..services import access_report, erasure, holds, periods
from ..services.audit import keep_denial
from ..services.subjects import Subject
from .history import HistoryPages
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin

RIGHT = "erase_customer"


def line(**options: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"})
    return forms.CharField(widget=widget, **options)


class SubjectForm(forms.Form):
    """Who is meant, by one of two."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    reference = line(required=False, max_length=200, help_text="As callers name the customer, such as cust_981.")
    email = line(required=False, max_length=254, label="or e-mail address", help_text="As cases give it.")

    def __init__(self, *args, rights: HeldRights, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = rights.tenants(RIGHT)

    def subject(self) -> Subject:
        """Raises ``SubjectUnclear``."""
        given = self.cleaned_data
        return Subject(given["tenant"], reference=given["reference"], email=given["email"])


class EraseForm(SubjectForm):
    reason = line(
        required=False,
        max_length=REASON_LENGTH,
        help_text="On whose request or why. It stays for ever: name nobody in it.",
    )
    close = forms.BooleanField(required=False, label="Withdraw open cases first")


class HoldForm(forms.Form):
    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    case = line(required=False, max_length=60, help_text="A case's id: case_…")
    reference = line(
        required=False,
        max_length=200,
        label="or customer's reference",
        help_text="Holds all their cases, later ones too. Kept as a keyed digest.",
    )
    reason = line(max_length=REASON_LENGTH, help_text="It stays for ever: name nobody in it.")

    def __init__(self, *args, rights: HeldRights, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = rights.tenants(RIGHT)

    def place(self, request: HttpRequest) -> LegalHold:
        """Raises what ``holds.place`` raises; another tenant's case is as unknown as none."""
        given = self.cleaned_data
        case = Case.objects.filter(tenant=given["tenant"], pk=from_wire(Case.PREFIX, given["case"].strip())).first()
        if given["case"].strip() and case is None:
            raise holds.HoldInvalid("There is no such case. Nothing was changed.")
        return holds.place(
            given["tenant"],
            case=case,
            reference=given["reference"],
            reason=given["reason"],
            actor=request.user,
        )


def checked(request: HttpRequest) -> HeldRights:
    rights = rights_of(request)
    if not rights.has(RIGHT):
        raise PermissionDenied
    return rights


def told(form: forms.Form, error: CountersignError) -> None:
    """A refusal beside the form, where what was typed stays; a denial is kept."""
    if isinstance(error, Denied):
        keep_denial(error)
    form.add_error(None, error.message)


@admin.register(ErasureReceipt)
class ErasureReceiptAdmin(ReadOnlyAdmin):
    view_right = RIGHT
    list_display = ("at", "cause", "reason", "cases_erased", "by")
    list_filter = ("cause",)
    list_select_related = ("by", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("wire_id", "at", "by", "cause", "reason", "subject", "what_went", "left_the_house")
    readonly_fields = ("wire_id", "what_went", "left_the_house")
    change_list_template = "admin/cases/erasurereceipt/change_list.html"

    def get_urls(self):
        own = (("erase", self.erase_view), ("report", self.report_view))
        return [
            *(
                path(f"{name}/", self.admin_site.admin_view(view), name=f"cases_erasurereceipt_{name}")
                for name, view in own
            ),
            *super().get_urls(),
        ]

    @admin.display(description="Cases")
    def cases_erased(self, receipt: ErasureReceipt) -> int:
        return receipt.counts.get("cases", 0)

    @admin.display(description="Receipt")
    def wire_id(self, receipt: ErasureReceipt) -> str:
        return receipt.wire_id

    @admin.display(description="What went")
    def what_went(self, receipt: ErasureReceipt) -> SafeString | str:
        return _listed([f"{count:,} {name.replace('_', ' ')}" for name, count in receipt.counts.items()])

    @admin.display(description="Left the house before")
    def left_the_house(self, receipt: ErasureReceipt) -> SafeString | str:
        return _listed(_act_words(receipt.to_act_on))

    def erase_view(self, request: HttpRequest) -> HttpResponse:
        """First what it would hit, then the confirmation."""
        rights = checked(request)
        form = EraseForm(request.POST or None, rights=rights)
        found = None
        if request.method == "POST" and form.is_valid():
            try:
                subject = form.subject()
                if "confirm" in request.POST:
                    return self._erased(request, subject, form)
                found = erasure.preview(subject, actor=request.user)
            except CountersignError as error:
                told(form, error)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Erase a customer",
            "form": form,
            "found": found,
            "rows": [(name.replace("_", " "), count) for name, count in found.counts.items()] if found else [],
            "left": _act_words(found.to_act_on) if found else [],
        }
        return TemplateResponse(request, "admin/cases/erasurereceipt/erase.html", context)

    def _erased(self, request: HttpRequest, subject: Subject, form: EraseForm) -> HttpResponse:
        given = form.cleaned_data
        receipt = erasure.erase(subject, actor=request.user, reason=given["reason"], close=given["close"])
        messages.success(request, "Erased. This receipt says how much, and what to act on elsewhere.")
        return redirect("admin:cases_erasurereceipt_change", receipt.pk)

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """The form, then the report: to read and print, or as JSON. It is never fetched by a GET, which leaves the
        person's name in logs."""
        form = SubjectForm(request.POST or None, rights=checked(request))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form}
        if request.method == "POST" and form.is_valid():
            try:
                report = access_report.make(form.subject(), actor=request.user)
            except CountersignError as error:
                told(form, error)
            else:
                if "json" in request.POST:
                    return _download(report)
                context |= {"title": "Access report", "report": report, "cases": _readable(report)}
                return TemplateResponse(request, "admin/cases/erasurereceipt/report.html", context)
        context["title"] = "Report on a customer"
        return TemplateResponse(request, "admin/cases/erasurereceipt/ask_report.html", context)


def _download(report: dict[str, Any]) -> HttpResponse:
    return HttpResponse(
        json.dumps(report, indent=2, ensure_ascii=False),
        content_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="access-report.json"'},
    )


def _readable(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each case with its texts as pairs of a name and words."""
    return [
        case
        | {"parts": [(text["of"], [(name, _words(value)) for name, value in text["holds"].items()]) for text in texts]}
        for case in [*report["cases"], {"case_id": "Without a case", "texts": report["without_a_case"]}]
        if (texts := case["texts"])
    ]


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _listed(words: list[str]) -> SafeString | str:
    return format_html_join("", "<div>{}</div>", ((word,) for word in words)) or "–"


def _act_words(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['what']}: " + ", ".join(f"{k} {v}" for k, v in row.items() if k != "what") for row in rows]


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnlyAdmin, HistoryPages):
    """Placed and released by the service, which takes turns with erasures."""

    view_right = RIGHT
    list_display = ("about_words", "reason", "placed_by", "placed_at", "standing")
    list_select_related = ("case", "placed_by", "released_by", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("about_words", "reason", "placed_by", "placed_at", "standing")
    readonly_fields = ("about_words", "standing")
    change_list_template = "admin/cases/legalhold/change_list.html"
    change_form_template = "admin/cases/legalhold/change_form.html"

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("place/", view(self.place_view), name="cases_legalhold_place"),
            path("<uuid:hold_id>/release/", view(self.release_view), name="cases_legalhold_release"),
            *super().get_urls(),
        ]

    @admin.display(description="On")
    def about_words(self, hold: LegalHold) -> str:
        return hold.about

    @admin.display(description="Standing")
    def standing(self, hold: LegalHold) -> str:
        return "Stands" if hold.stands else f"Released by {hold.released_by}, {hold.released_at:%Y-%m-%d %H:%M} UTC"

    def place_view(self, request: HttpRequest) -> HttpResponse:
        form = HoldForm(request.POST or None, rights=checked(request))
        if request.method == "POST" and form.is_valid():
            try:
                hold = form.place(request)
            except CountersignError as error:
                told(form, error)
            else:
                messages.success(request, "The hold stands: nothing of it is erased until it is released.")
                return redirect("admin:cases_legalhold_change", hold.pk)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Place a hold", "form": form}
        return TemplateResponse(request, "admin/cases/legalhold/place.html", context)

    def release_view(self, request: HttpRequest, hold_id: UUID) -> HttpResponse:
        """POST only, with a reason."""
        hold = self.get_queryset(request).filter(pk=hold_id).first()
        if hold is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(hold_id))
        if request.method == "POST":
            try:
                holds.release(hold_id, reason=request.POST.get("reason", ""), actor=request.user)
            except CountersignError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, "Released. Periods and requests count again.")
        return redirect("admin:cases_legalhold_change", hold_id)


@admin.register(RetentionRule)
class RetentionRuleAdmin(TrackedAdmin):
    """One row for each tenant."""

    view_right = change_right = RIGHT
    list_display = ("__str__", "case_days", "audit_days")
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant",)}),
        ("How long texts are kept", {"fields": ("case_days",)}),
        ("How long audit rows are kept", {"fields": ("audit_days",)}),
    )

    def store(self, request: HttpRequest, obj: RetentionRule, reason: str) -> None:
        periods.save_rule(obj, actor=request.user, reason=reason)
