"""Labels from a file: upload it, see what would change, confirm."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from cases.errors import CountersignError
from cases.models import Tenant
from cases.permissions import Denied
from cases.services.audit import keep_denial

from ..errors import FileRefused
from ..label_files import MAX_BYTES, LabelRow, Reading, read_labels
from ..labels import Label
from ..services.label_import import Plan, apply_import, plan_import

SHOWN = 100
_SALT = "feedback.label_import"
LIFE = 3600  # seconds between looking and confirming


class FileForm(forms.Form):
    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    file = forms.FileField(
        label="File", help_text="CSV or JSON Lines: case_id or external_id, label, and note if you like."
    )

    def __init__(self, tenants: QuerySet[Tenant], *args: Any) -> None:
        super().__init__(*args, label_suffix="")
        self.fields["tenant"].queryset = tenants


class ConfirmForm(forms.Form):
    """What was read, signed, so that exactly that is applied; ``seen`` is the digest of the changes that were shown."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=forms.HiddenInput)
    read = forms.CharField(max_length=8_000_000, widget=forms.HiddenInput)
    seen = forms.RegexField(r"^[0-9a-f]{64}$", widget=forms.HiddenInput)

    def __init__(self, tenants: QuerySet[Tenant], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = tenants


class ImportPages:
    """The import's view, for the admin of corrections."""

    @method_decorator(require_http_methods(["GET", "POST"]))
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST with a file: what it would change. POST with a confirmation: changes it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            if request.method == "POST" and "read" in request.POST:
                return self._confirmed(request)
            if request.method == "POST":
                return self._uploaded(request)
        except Denied as error:
            keep_denial(error)
            raise PermissionDenied(error.message) from error
        return self._show_import(request, FileForm(self.labelled_tenants(request)))

    def _uploaded(self, request: HttpRequest) -> HttpResponse:
        form = FileForm(self.labelled_tenants(request), request.POST, request.FILES)
        if form.is_valid():
            try:
                reading = read_labels(form.cleaned_data["file"].read(MAX_BYTES + 1))
            except FileRefused as error:
                form.add_error("file", error.message)
            else:
                plan = plan_import(reading, tenant=form.cleaned_data["tenant"], actor=request.user)
                return self._show_plan(request, plan, _signed(reading))
        return self._show_import(request, form, status=400)

    def _confirmed(self, request: HttpRequest) -> HttpResponse:
        form = ConfirmForm(self.labelled_tenants(request), request.POST)
        reading = _unsigned(form.cleaned_data["read"]) if form.is_valid() else None
        if reading is None:
            messages.error(request, "This preview is too old or was changed. Nothing was stored: send the file again.")
            return redirect("admin:feedback_correction_import")
        plan = plan_import(reading, tenant=form.cleaned_data["tenant"], actor=request.user)
        if plan.digest != form.cleaned_data["seen"]:
            messages.warning(request, "Labels have changed since you looked. Nothing was stored: look at it again.")
            return self._show_plan(request, plan, form.cleaned_data["read"], status=412)
        try:
            rows = apply_import(plan, actor=request.user)
        except Denied:
            raise
        except CountersignError as error:
            messages.error(request, error.message)
            return self._show_plan(request, plan, form.cleaned_data["read"], status=error.status)
        messages.success(request, f"{len(rows):,} corrections labelled from the file.")
        return redirect(reverse("admin:feedback_correction_changelist"))

    def _show_import(self, request: HttpRequest, form: FileForm, status: int = 200) -> HttpResponse:
        context = {"title": "Import labels", "form": form, "labels": list(Label)}
        return self._page(request, "admin/feedback/correction/import.html", context, status)

    def _show_plan(self, request: HttpRequest, plan: Plan, read: str, status: int = 200) -> HttpResponse:
        context = {
            "title": "What the file would change",
            "plan": plan,
            "changes": plan.changes[:SHOWN],
            "complaints": plan.complaints[:SHOWN],
            "shown": SHOWN,
            "confirm": ConfirmForm(
                self.labelled_tenants(request), initial={"tenant": plan.tenant, "read": read, "seen": plan.digest}
            ),
        }
        return self._page(request, "admin/feedback/correction/plan.html", context, status)


def _signed(reading: Reading) -> str:
    rows = [[row.line, row.key, row.is_external, row.label, row.note] for row in reading.rows]
    return signing.dumps(rows, salt=_SALT, compress=True)


def _unsigned(text: str) -> Reading | None:
    try:
        rows = signing.loads(text, salt=_SALT, max_age=LIFE)
    except signing.BadSignature:
        return None
    return Reading(
        [LabelRow(line, key, is_external, Label(label), note) for line, key, is_external, label, note in rows]
    )
