"""Labelling corrections: the list, one at a time, all with the same reason at once.

Each view parses, calls one service and shows its answer; every page works without JavaScript.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import Tenant
from cases.permissions import Denied
from cases.services.audit import keep_denial

from ..labelling import LabelPage
from ..labels import Label
from ..models import Correction, CorrectionLabel, Review
from ..seeing import reviews_visible_to
from ..services import labels
from .label_import import ImportPages
from .narrowing import DomainFilter, LabelsFilter, ReasonFilter, WindowFilter, asked, narrowed, suffix, to_label

COUNTED = 999
SAMPLE = 10
ALL_DONE = "Nothing is left to label here. What was skipped comes again when you start over."


class LabelForm(forms.Form):
    """A label, and a note if there is something to say."""

    label = forms.ChoiceField(choices=Label, error_messages={"required": "Choose a label."})
    note = forms.CharField(
        label="Note",
        required=False,
        max_length=labels.MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="for whoever labels next; erasable",
    )


class AlikeForm(forms.Form):
    """One label for all that were counted."""

    label = forms.ChoiceField(
        choices=Label, widget=forms.RadioSelect, error_messages={"required": "Choose the label for all of them."}
    )
    expected = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


@admin.register(Correction)
class CorrectionAdmin(ImportPages, ReadOnlyAdmin):
    """The final overrides of the tenants in which a person labels."""

    view_right = labels.RIGHT
    list_display = ("created_at", "of_case", "domain", "what", "reason_code", "reviewer", "label_words")
    list_display_links = None
    list_filter = (LabelsFilter, WindowFilter, DomainFilter, ReasonFilter)
    list_select_related = ("case", "reviewer", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/correction/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return reviews_visible_to(request.user, super().get_queryset(request)).corrections().with_dispute()

    @admin.display(description="Case")
    def of_case(self, review: Review) -> SafeString:
        return format_html('<a href="{}">{}</a>', label_url(review.pk), review.case)

    @admin.display(description="Domain")
    def domain(self, review: Review) -> str:
        return review.case.domain

    @admin.display(description="Verdict")
    def what(self, review: Review) -> str:
        return review.get_verdict_display()

    @admin.display(description="Label")
    def label_words(self, review: Review) -> SafeString | str:
        if not review.standing_label:
            return "–"
        words = Label(review.standing_label).label
        return format_html("{} <strong>≠ disputed</strong>", words) if review.is_disputed else words

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"label_suffix": suffix(asked(request))}
        return super().changelist_view(request, more | (extra_context or {}))

    def get_urls(self):
        routes = (
            ("label/", self.next_view, "next"),
            ("<uuid:review_id>/label/", self.label_view, "label"),
            ("<uuid:review_id>/take-back/", self.take_back_view, "take_back"),
            ("<uuid:review_id>/alike/", self.alike_view, "alike"),
            ("import/", self.import_view, "import"),
        )
        own = [
            path(at, self.admin_site.admin_view(view), name=f"feedback_correction_{name}") for at, view, name in routes
        ]
        return [
            *own,
            path("", self.admin_site.admin_view(self.changelist_view), name="feedback_correction_changelist"),
            path("<uuid:review_id>/", self.admin_site.admin_view(self.page_of), name="feedback_correction_change"),
        ]

    # --- one at a time --------------------------------------------------------------------------------------------

    @method_decorator(require_GET)
    def page_of(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        """Where the admin's own links lead to: its labelling page."""
        return redirect(label_url(self._review(request, review_id).pk))

    @method_decorator(require_GET)
    def next_view(self, request: HttpRequest) -> HttpResponse:
        """The next correction to label, after the one that ``after`` names."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._next(request, asked(request), after=request.GET.get("after", ""))

    def _next(self, request: HttpRequest, filters: dict[str, str], *, after: str = "") -> HttpResponse:
        rows = to_label(self.get_queryset(request), filters, request.user)
        if key := _uuid(after):
            rows = rows.filter(pk__gt=key)
        following = rows.values_list("pk", flat=True).first()
        if following is None:
            messages.info(request, ALL_DONE)
            return redirect(reverse("admin:feedback_correction_changelist") + suffix(filters))
        return redirect(label_url(following) + suffix(filters))

    @method_decorator(require_http_methods(["GET", "POST"]))
    def label_view(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        """The page of one correction; a POST labels it and goes on to the next."""
        review, filters = self._review(request, review_id), asked(request)
        if request.method == "GET":
            return self._show(request, review, LabelForm(), filters)
        form = LabelForm(request.POST)
        if not form.is_valid():
            return self._show(request, review, form, filters, status=400)
        try:
            row = labels.label(
                review.pk, Label(form.cleaned_data["label"]), actor=request.user, note=form.cleaned_data["note"]
            )
        except CountersignError as error:
            return self._refused(request, error, review, filters)
        messages.success(request, labelled_message(request, review, row, filters))
        return self._next(request, filters, after=str(review.pk))

    @method_decorator(require_POST)
    def take_back_view(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        """Take back one's own label; the page of the correction comes again."""
        review, filters = self._review(request, review_id), asked(request)
        number = request.POST.get("number", "")
        mine = (
            review.labels.filter(pk=int(number))
            if number.isascii() and number.isdecimal() and len(number) < 19
            else None
        )
        if mine is None or not mine.exists():
            raise Http404("No such label.")
        try:
            labels.take_back(int(number), actor=request.user)
        except CountersignError as error:
            return self._refused(request, error, review, filters)
        messages.success(request, "The label is taken back. What stood before it stands again.")
        return redirect(label_url(review.pk) + suffix(filters))

    # --- many at once ---------------------------------------------------------------------------------------------

    @method_decorator(require_http_methods(["GET", "POST"]))
    def alike_view(self, request: HttpRequest, review_id: UUID) -> HttpResponse:
        """All unlabelled corrections with the reason of this one, in its tenant: counted, shown, then labelled."""
        review = self._review(request, review_id)
        if not review.reason_code:
            raise Http404("This correction has no reason code.")
        filters = asked(request) | {"tenant": str(review.tenant_id), "reason_code": review.reason_code}
        alike = narrowed(self.get_queryset(request), {**filters, "labels": "unlabelled"})
        if request.method == "GET":
            return self._show_alike(request, review, alike, AlikeForm(), filters)
        form = AlikeForm(request.POST)
        if not form.is_valid():
            return self._show_alike(request, review, alike, form, filters, status=400)
        try:
            rows = labels.label_alike(
                alike,
                Label(form.cleaned_data["label"]),
                tenant=review.tenant,
                actor=request.user,
                expected=form.cleaned_data["expected"],
            )
        except CountersignError as error:
            if isinstance(error, Denied):
                keep_denial(error)
                raise PermissionDenied(error.message) from error
            messages.error(request, error.message)
            return self._show_alike(request, review, alike, AlikeForm(), filters, status=error.status)
        word = Label(form.cleaned_data["label"]).label
        messages.success(request, f"{len(rows):,} corrections labelled: {word}. Each can be taken back on its page.")
        return redirect(reverse("admin:feedback_correction_changelist") + suffix(asked(request)))

    def _show_alike(
        self,
        request: HttpRequest,
        review: Review,
        alike: QuerySet,
        form: AlikeForm,
        filters: dict,
        *,
        status: int = 200,
    ) -> HttpResponse:
        count = alike.order_by()[: labels.MAX_AT_ONCE].count()
        page = LabelPage(review, request.user, db_now())
        context = {
            "title": f"Label all with the reason “{page.reason}”",
            "page": page,
            "count": count,
            "is_cut": count == labels.MAX_AT_ONCE,
            "sample": alike.select_related("case", "reviewer").order_by("pk")[:SAMPLE],
            "form": form,
            "filters": filters,
            "suffix": suffix(asked(request)),
        }
        return self._page(request, "admin/feedback/correction/alike.html", context, status)

    # --- answers --------------------------------------------------------------------------------------------------

    def _review(self, request: HttpRequest, review_id: UUID) -> Review:
        review = self.get_queryset(request).select_related(*LabelPage.READS).filter(pk=review_id).first()
        if review is None:
            raise Http404("No such correction.")
        return review

    def _refused(
        self, request: HttpRequest, error: CountersignError, review: Review, filters: dict[str, str]
    ) -> HttpResponse:
        if isinstance(error, Denied):
            keep_denial(error)
            raise PermissionDenied(error.message) from error
        messages.error(request, error.message)
        return self._show(request, review, LabelForm(request.POST), filters, status=error.status)

    def _show(
        self, request: HttpRequest, review: Review, form: LabelForm, filters: dict[str, str], *, status: int = 200
    ) -> HttpResponse:
        left = to_label(self.get_queryset(request), filters, request.user).order_by()[: COUNTED + 1].count()
        context = {
            "title": f"Label {review.case}",
            "page": LabelPage(review, request.user, db_now()),
            "form": form,
            "left": f"{COUNTED}+" if left > COUNTED else str(left),
            "suffix": suffix(filters),
            "skip_url": reverse("admin:feedback_correction_next") + suffix(filters, after=str(review.pk)),
        }
        return self._page(request, "admin/feedback/correction/label.html", context, status)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.opts}
        return TemplateResponse(request, template, frame | context, status=status)

    def labelled_tenants(self, request: HttpRequest) -> QuerySet[Tenant]:
        return self.offered_tenants(request, None)


def label_url(review_id: UUID) -> str:
    return reverse("admin:feedback_correction_label", args=[review_id])


def labelled_message(request: HttpRequest, review: Review, row: CorrectionLabel, filters: dict[str, str]) -> SafeString:
    """What was labelled, with the button that takes it back."""
    context = {"review": review, "row": row, "suffix": suffix(filters)}
    return render_to_string("admin/feedback/correction/labelled_message.html", context, request=request)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
