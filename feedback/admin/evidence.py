"""Evidence packs in the back office: ask for one, watch it grow, fetch it, cancel it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, refuse
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import Tenant
from cases.permissions import Denied
from cases.rights import HeldRights, rights_of

from ..downloads import as_attachment
from ..evidence.registry import SECTIONS
from ..models import EvidencePack
from ..services import evidence_packs
from ..states import ExportState

USUAL = timedelta(days=30)


class PackForm(forms.Form):
    """Whose evidence, and of when."""

    tenant = forms.ModelChoiceField(Tenant.objects.none())
    since = forms.DateTimeField(label="From", help_text="UTC. The window is widened to full hours.")
    until = forms.DateTimeField(label="Before", help_text="UTC, not later than now.")

    def __init__(self, *args: Any, rights: HeldRights, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = rights.tenants(EvidencePackAdmin.view_right)
        self.fields["tenant"].queryset = tenants
        known = list(tenants[:2])
        if len(known) == 1:
            self.fields["tenant"].initial, self.fields["tenant"].widget = known[0].pk, forms.HiddenInput()


@admin.register(EvidencePack)
class EvidencePackAdmin(ReadOnlyAdmin):
    view_right = "view_audit"
    list_display = ("window", "state_words", "progress", "requested_by", "requested_at")
    list_filter = ("state",)
    list_select_related = ("requested_by", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/evidencepack/change_list.html"

    @admin.display(description="Window")
    def window(self, pack: EvidencePack) -> str:
        return f"{pack.since:%Y-%m-%d %H:%M} to {pack.until:%Y-%m-%d %H:%M} UTC"

    @admin.display(description="State")
    def state_words(self, pack: EvidencePack) -> str:
        return pack.get_state_display()

    @admin.display(description="Progress")
    def progress(self, pack: EvidencePack) -> SafeString | str:
        if not pack.is_active:
            return f"{pack.rows_written:,} rows"
        return format_html(
            '<progress max="1" value="{}" aria-label="Progress"></progress> {} of {} parts',
            f"{pack.share_done:.3f}",
            pack.sections_done,
            pack.sections,
        )

    # --- pages -----------------------------------------------------------------------------------------------------

    def get_urls(self):
        views = {"download": self.download_view, "cancel": self.cancel_view}
        own = [path("new/", self.admin_site.admin_view(self.new_view), name="feedback_evidencepack_new")]
        own += [
            path(f"<uuid:pack_id>/{name}/", self.admin_site.admin_view(view), name=f"feedback_evidencepack_{name}")
            for name, view in views.items()
        ]
        return own + super().get_urls()

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """The form, and what it asks for."""
        rights = rights_of(request)
        if not rights.has(self.view_right):
            raise PermissionDenied
        now = db_now().replace(minute=0, second=0, microsecond=0)
        form = PackForm(request.POST or None, rights=rights, initial={"since": now - USUAL, "until": now})
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                pack = evidence_packs.request(
                    values["tenant"], since=values["since"], until=values["until"], actor=request.user
                )
            except Denied as error:
                return refuse(request, error)
            except CountersignError as error:
                form.add_error(None, error.message)
            else:
                messages.success(request, "A worker makes the pack. This page shows how far it is.")
                return redirect("admin:feedback_evidencepack_change", pack.pk)
        return self._page(request, "new", title="New evidence pack", form=form, sections=SECTIONS)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        if request.method != "GET":
            raise PermissionDenied
        pack = self.get_object(request, object_id)
        if pack is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        rights = rights_of(request)
        return self._page(
            request,
            "detail",
            title=str(pack),
            pack=pack,
            is_ready=pack.state == ExportState.READY,
            may_read=all(rights.has(right, pack.tenant_id) for right in pack.rights),
            left_out=[one.title for one in SECTIONS if one.right and one.right not in pack.rights],
        )

    def download_view(self, request: HttpRequest, pack_id: UUID) -> HttpResponse:
        pack = self._own(request, pack_id)
        if pack is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pack_id))
        try:
            return as_attachment(evidence_packs.download(pack, actor=request.user), pack.file_name)
        except Denied as error:
            return refuse(request, error)
        except CountersignError as error:
            messages.error(request, error.message)
            return redirect("admin:feedback_evidencepack_change", pack.pk)

    def cancel_view(self, request: HttpRequest, pack_id: UUID) -> HttpResponse:
        pack = self._own(request, pack_id)
        if pack is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pack_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            evidence_packs.cancel(pack.pk, actor=request.user)
            messages.success(request, "Cancelled. What was written of it is removed.")
        except Denied as error:
            return refuse(request, error)
        except CountersignError as error:
            messages.error(request, error.message)
        return redirect("admin:feedback_evidencepack_change", pack.pk)

    def _own(self, request: HttpRequest, pack_id: UUID) -> EvidencePack | None:
        return self.get_queryset(request).select_related("tenant").filter(pk=pack_id).first()

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts} | {"title": context["title"]}
        return TemplateResponse(request, f"admin/feedback/evidencepack/{name}.html", context)
