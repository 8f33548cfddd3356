"""Exports in the back office: ask for one, watch it grow, fetch it, push it, cancel it."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases.admin.forms import TrackedForm
from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, TrackedAdmin, refuse
from cases.errors import CountersignError
from cases.models import Tenant
from cases.models.drafts import RELEASE_PARTS
from cases.models.policies import DOMAIN_NAME
from cases.outbound import OutboundRefused
from cases.permissions import Denied
from cases.rights import HeldRights, rights_of

from ..datasets.filters import Agreement, Filters
from ..datasets.splits import Split
from ..downloads import as_attachment
from ..formats import ALL
from ..kinds import Kind
from ..labels import Label
from ..models import Export, Push, PushTarget
from ..services import exports, pushes
from ..states import ExportState

ANY = [("", "any")]
PUSHES = 20


class ExportForm(forms.Form):
    """What is exported and how. Without JavaScript every format is offered, and one that does not fit is refused."""

    tenant = forms.ModelChoiceField(Tenant.objects.none())
    kind = forms.ChoiceField(label="What", choices=Kind.choices)
    format = forms.ChoiceField(choices=[(each.name, each.title) for each in ALL])
    dataset = forms.CharField(
        label="Data set", required=False, max_length=100, help_text="Its name. Empty: that of the kind."
    )
    domain = forms.CharField(required=False, max_length=50, validators=[DOMAIN_NAME])
    model = forms.CharField(required=False, max_length=100)
    version = forms.CharField(required=False, max_length=100)
    prompt_version = forms.CharField(required=False, max_length=100)
    retrieval_version = forms.CharField(required=False, max_length=100)
    since = forms.DateTimeField(label="Reviewed from", required=False, help_text="UTC, such as 2027-05-01 00:00.")
    until = forms.DateTimeField(label="Reviewed before", required=False, help_text="UTC.")
    label = forms.ChoiceField(required=False, choices=ANY + Label.choices)
    agreement = forms.ChoiceField(required=False, choices=ANY + Agreement.choices)
    split = forms.ChoiceField(required=False, choices=ANY + Split.choices)

    def __init__(self, *args: Any, rights: HeldRights, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = rights.tenants("export_data")
        self.fields["tenant"].queryset = tenants
        known = list(tenants[:2])
        if len(known) == 1:
            self.fields["tenant"].initial, self.fields["tenant"].widget = known[0].pk, forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("since") and values.get("until") and values["since"] >= values["until"]:
            self.add_error("until", "Choose an instant after the first.")
        if "kind" in values and "format" in values:
            try:
                exports.check_format(Kind(values["kind"]), values["format"])
            except CountersignError as error:
                self.add_error("format", error.message)
        return values

    def filters(self) -> Filters:
        values = self.cleaned_data
        return Filters(
            domain=values["domain"],
            release={part: values[part] for part in RELEASE_PARTS if values[part]},
            since=values["since"],
            until=values["until"],
            label=Label(values["label"]) if values["label"] else None,
            agreement=Agreement(values["agreement"]) if values["agreement"] else None,
            split=Split(values["split"]) if values["split"] else None,
        )


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    view_right = "export_data"
    list_display = ("dataset", "what", "format", "state_words", "progress", "requested_by", "requested_at")
    list_filter = ("state", "dataset__kind")
    list_select_related = ("dataset", "requested_by", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/export/change_list.html"

    @admin.display(description="What")
    def what(self, export: Export) -> str:
        return export.dataset.get_kind_display()

    @admin.display(description="State")
    def state_words(self, export: Export) -> str:
        return export.get_state_display()

    @admin.display(description="Progress")
    def progress(self, export: Export) -> SafeString | str:
        if not export.is_active:
            return f"{export.rows_written:,} lines"
        return format_html(
            '<progress max="1" value="{}" aria-label="Progress"></progress> {} of {}',
            f"{export.share_done:.3f}",
            f"{export.rows_read:,}",
            f"{export.rows_expected:,}" if export.rows_expected else "?",
        )

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        may_see_targets = self.admin_site._registry[PushTarget].has_view_permission(request)
        return super().changelist_view(request, {"may_see_targets": may_see_targets} | (extra_context or {}))

    # --- pages -----------------------------------------------------------------------------------------------------

    def get_urls(self):
        views = {"download": self.download_view, "cancel": self.cancel_view, "push": self.push_view}
        own = [path("new/", self.admin_site.admin_view(self.new_view), name="feedback_export_new")]
        own += [
            path(f"<uuid:export_id>/{name}/", self.admin_site.admin_view(view), name=f"feedback_export_{name}")
            for name, view in views.items()
        ]
        return own + super().get_urls()

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """The form, and what it asks for."""
        rights = rights_of(request)
        if not rights.has("export_data"):
            raise PermissionDenied
        form = ExportForm(request.POST or None, rights=rights)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                export = exports.request(
                    values["tenant"],
                    kind=Kind(values["kind"]),
                    format=values["format"],
                    filters=form.filters(),
                    name=values["dataset"],
                    actor=request.user,
                )
            except Denied as error:
                return refuse(request, error)
            except CountersignError as error:
                form.add_error(None, error.message)
            else:
                messages.success(request, "A worker makes the file. This page shows how far it is.")
                return redirect("admin:feedback_export_change", export.pk)
        fits = [(each, [kind.label for kind in Kind if kind in each.kinds]) for each in ALL]
        return self._page(request, "new", title="New export", form=form, fits=fits)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        if request.method != "GET":
            raise PermissionDenied
        export = self.get_object(request, object_id)
        if export is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        sent = export.pushes.select_related("target").order_by("-id")[:PUSHES]
        targets = PushTarget.objects.filter(tenant=export.tenant_id, system=export.format, is_active=True)
        manifest = export.version.document if export.version_id else None
        return self._page(
            request,
            "detail",
            title=f"Export of {export.dataset}",
            export=export,
            manifest=manifest,
            manifest_text=json.dumps(manifest, ensure_ascii=False, indent=2) if manifest else "",
            filters=json.dumps(export.filters, ensure_ascii=False) if export.filters else "",
            is_ready=export.state == ExportState.READY,
            pushes=list(sent),
            targets=list(targets.order_by("name")[:50]) if export.state == ExportState.READY else [],
        )

    def download_view(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        export = self._own(request, export_id)
        if export is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(export_id))
        try:
            return as_attachment(exports.download(export, actor=request.user), export.file_name)
        except Denied as error:
            return refuse(request, error)
        except CountersignError as error:
            messages.error(request, error.message)
            return redirect("admin:feedback_export_change", export.pk)

    def cancel_view(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        export = self._posted(request, export_id)
        if export is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(export_id))
        try:
            exports.cancel(export.pk, actor=request.user)
            messages.success(request, "Cancelled. What was written of it is removed.")
        except Denied as error:
            return refuse(request, error)
        except CountersignError as error:
            messages.error(request, error.message)
        return redirect("admin:feedback_export_change", export.pk)

    def push_view(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        export = self._posted(request, export_id)
        if export is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(export_id))
        names = {str(target.pk): target for target in PushTarget.objects.filter(tenant=export.tenant_id)[:200]}
        target = names.get(request.POST.get("target", ""))
        if target is None:
            messages.error(request, "Choose where to send it.")
            return redirect("admin:feedback_export_change", export.pk)
        try:
            pushes.request(export, target, actor=request.user)
            messages.success(request, f"It is being sent to {target}. The report is on this page.")
        except Denied as error:
            return refuse(request, error)
        except CountersignError as error:
            messages.error(request, error.message)
        return redirect("admin:feedback_export_change", export.pk)

    def _posted(self, request: HttpRequest, export_id: UUID) -> Export | None:
        export = self._own(request, export_id)
        if export is not None and request.method != "POST":
            raise PermissionDenied
        return export

    def _own(self, request: HttpRequest, export_id: UUID) -> Export | None:
        return self.get_queryset(request).select_related("tenant", "dataset").filter(pk=export_id).first()

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts} | {"title": context["title"]}
        return TemplateResponse(request, f"admin/feedback/export/{name}.html", context)


class TargetForm(TrackedForm):
    """The secret goes in and never comes out: an empty field keeps the one that is stored."""

    secret = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text="Langfuse's secret key, or Phoenix's API key. Never shown; empty keeps the one that is stored.",
    )

    def clean_url(self) -> str:
        url = self.cleaned_data["url"]
        try:
            pushes.check_address(url)
        except OutboundRefused as error:
            raise ValidationError(str(error)) from error
        return url

    def clean_secret(self) -> str:
        return self.cleaned_data["secret"] or self.instance.secret


@admin.register(PushTarget)
class PushTargetAdmin(TrackedAdmin):
    view_right = "view_webhook"
    change_right = "change_webhook"
    form = TargetForm
    list_display = ("name", "system", "url", "is_active")
    list_filter = ("system", "is_active")
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "system", "url", "is_active")}),
        ("Credentials", {"fields": ("public_key", "secret")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: PushTarget | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "system") if obj else fixed


@admin.register(Push)
class PushAdmin(ReadOnlyAdmin):
    """The reports of what was sent elsewhere."""

    view_right = "export_data"
    list_display_links = ("target",)
    list_display = ("export_link", "target", "state", "lines_sent", "attempts", "last_status", "last_error")
    list_filter = ("state",)
    list_select_related = ("export__dataset", "target", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("export_link", "target", "state", "lines_sent", "attempts", "last_status", "last_error", "finished_at")
    readonly_fields = ("export_link",)

    @admin.display(description="Export")
    def export_link(self, push: Push) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:feedback_export_change", args=[push.export_id]), push.export
        )
