"""Proposed actions in the back office: their list, and the page where people sign one.

Each view parses, calls one service and shows its answer. Another tenant's action is answered as one that does not
exist. A refusal comes back on the page with what was typed, and a stale one with what has become different.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from cases.admin import step_up
from cases.admin.history import HistoryPages
from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, refuse
from cases.errors import CountersignError, Stale
from cases.models import DataView
from cases.permissions import Denied
from cases.rights import rights_of
from cases.services.data_views import keep_view
from cases.services.second_factor import signed_in_at
from cases.untrusted import shown
from cases.veil import veiled

from .admin_forms import DeedForm, EditForm
from .admin_inbox import InboxPages
from .admin_reconcile import ReconcilePages
from .errors import ParamsInvalid, ReasonMissing, StepUpRequired
from .models import ProposedAction
from .page import ActionPage, page_of
from .services import edits, signing
from .services.available import Deed

ROWS = ("tenant", "action_type", "content", "current_preview__content", "proposer", "editor", "execution")
CASE_ROWS = ("case__tenant", "case__content", "case__current_draft__content", "case__final_content")


class ActionPages(admin.ModelAdmin):
    """The pages of one action: looking at it, deciding it, editing it."""

    def get_urls(self) -> list[URLPattern]:
        deeds = [Deed.APPROVE, Deed.REJECT, Deed.TAKE_BACK, Deed.RETRY_PREVIEW, Deed.CANCEL]
        own = [
            path(f"<uuid:action_id>/{deed}/", self._page_view(self.deed_view), {"deed": deed}, name=_name(deed))
            for deed in deeds
        ]
        return [
            *own,
            path("<uuid:action_id>/edit/", self._page_view(self.edit_view), name=_name(Deed.EDIT)),
            *super().get_urls(),
        ]

    def _page_view(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return self.admin_site.admin_view(sensitive_post_parameters("reason", "evidence")(view))

    # --- looking at it ----------------------------------------------------------------------------------------------

    def change_view(self, request: HttpRequest, object_id: str, form_url="", extra_context=None) -> HttpResponse:
        """The approve page, under the address of Django's own."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        action = self.get_object(request, object_id)
        if action is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        kept, page = step_up.kept_choice(request), self._page(request, action.pk)
        if page.action.case is not None:
            keep_view(request.user, page.action.case, DataView.What.ACTION, at=page.now)
        return self._show(request, page, form=DeedForm(initial=kept), kept=kept)

    def _page(self, request: HttpRequest, action_id: UUID) -> ActionPage | None:
        action = self.get_queryset(request).select_related(*ROWS, *CASE_ROWS).filter(pk=action_id).first()
        return None if action is None else page_of(action, request.user, rights_of(request))

    # --- deciding it ------------------------------------------------------------------------------------------------

    def deed_view(self, request: HttpRequest, action_id: UUID, deed: Deed) -> HttpResponse:
        """POST only: do it, or show the page again with the reason why not."""
        page = self._page(request, action_id)
        if page is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(action_id))
        if request.method != "POST":
            return redirect(action_url(action_id))
        form = DeedForm(request.POST)
        if not form.is_valid():
            return self._show(request, page, form=form, status=400)
        try:
            _gate(page, deed, form.seen)
            action = self._do(request, page.action, deed, form)
        except CountersignError as error:
            return self._refused(request, action_id, deed, error, form)
        messages.success(request, self._done(deed, action, page))
        is_decided = deed in (Deed.APPROVE, Deed.REJECT)
        return redirect("admin:approvals_proposedaction_waiting") if is_decided else redirect(action_url(action_id))

    def _do(self, request: HttpRequest, action: ProposedAction, deed: Deed, form: DeedForm) -> ProposedAction:
        actor, reason = request.user, form.cleaned_data["reason"]
        match deed:
            case Deed.APPROVE:
                at = signed_in_at(request)
                return signing.approve(action.pk, actor=actor, payload_hash=form.seen, reason=reason, signed_in_at=at)
            case Deed.REJECT:
                return signing.reject(action.pk, actor=actor, payload_hash=form.seen, reason=reason)
            case Deed.TAKE_BACK:
                return signing.take_back(action.pk, actor=actor, reason=reason)
            case Deed.RETRY_PREVIEW:
                return edits.retry_preview(action.pk, actor=actor)
            case _:
                return edits.cancel(action.pk, actor=actor, reason=reason)

    def _done(self, deed: Deed, action: ProposedAction, page: ActionPage) -> SafeString:
        what = format_html('<a href="{}">{} {}</a>', action_url(action.pk), page.title, action.money)
        words = {
            Deed.REJECT: "Rejected, and nothing is carried out: {}.",
            Deed.TAKE_BACK: "Your approval is taken back: {}.",
            Deed.RETRY_PREVIEW: "Its preview is asked for again: {}.",
            Deed.CANCEL: "Cancelled, and nothing is carried out: {}.",
        }
        if deed == Deed.APPROVE:
            if page.is_waiting and action.state == page.action.state:
                return format_html("Signed: {}. It waits for another signature.", what)
            return format_html("Approved: {}. Open it to take your approval back while it has not been sent.", what)
        return format_html(words[deed], what)

    # --- editing it -------------------------------------------------------------------------------------------------

    def edit_view(self, request: HttpRequest, action_id: UUID) -> HttpResponse:
        """The parameters as fields; what is saved is a new revision, with a new preview and no signatures."""
        page = self._page(request, action_id)
        if page is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(action_id))
        data = request.POST if request.method == "POST" else None
        form = EditForm(page.action, dict(page.params), data)
        error: CountersignError | None = page.offered.refusals.get(Deed.EDIT) if data is None else None
        if error is not None:
            return self._refused(request, action_id, Deed.EDIT, error, DeedForm())
        if data is not None and form.is_valid():
            try:
                _gate(page, Deed.EDIT, form.why.seen)
                edits.edit(
                    action_id,
                    form.change,
                    actor=request.user,
                    payload_hash=form.why.seen,
                    reason=form.why.cleaned_data["reason"],
                )
            except (ReasonMissing, ParamsInvalid, Stale) as refused:
                error = refused
            except CountersignError as refused:
                return self._refused(request, action_id, Deed.EDIT, refused, form.why)
            else:
                messages.success(request, "Edited. Its new preview is asked for now, and then it waits for signatures.")
                return redirect(action_url(action_id))
        return self._show_edit(request, page, form, error)

    def _show_edit(
        self, request: HttpRequest, page: ActionPage, form: EditForm, error: CountersignError | None
    ) -> HttpResponse:
        """What was typed stays. After a stale hash it is held against what stands there now, which the page shows."""
        is_stale = isinstance(error, Stale)
        posted = form.why.cleaned_data["payload_hash"] if form.why.is_bound and form.why.is_valid() else page.hash
        context = {
            "edit": form,
            "problem": error.message if error else "",
            "since": page.since(form.why.seen) if is_stale else [],
            "hash": page.hash if is_stale else posted,
            "title": f"Edit: {page.title}",
        }
        status = (error.status if error else 400) if form.why.is_bound else 200
        return self._render(request, "edit", page, context, status=status)

    # --- answers ----------------------------------------------------------------------------------------------------

    def _refused(
        self, request: HttpRequest, action_id: UUID, deed: Deed, error: CountersignError, form: DeedForm
    ) -> HttpResponse:
        """The page as it is now, with what was typed and why it was refused."""
        if isinstance(error, StepUpRequired):
            choice = {"deed": deed.value, "reason": form.cleaned_data["reason"]}
            return step_up.ask(request, action_url(action_id), choice)
        if isinstance(error, Denied):
            return refuse(request, error)
        page = self._page(request, action_id)
        since = page.since(form.seen) if isinstance(error, Stale) and form.is_bound else []
        typed = {"reason": form.cleaned_data["reason"]} if form.is_bound else {}
        return self._show(
            request, page, form=DeedForm(initial=typed), problem=error.message, since=since, status=error.status
        )

    def _show(
        self,
        request: HttpRequest,
        page: ActionPage,
        *,
        form: DeedForm,
        kept: Mapping[str, str] | None = None,
        status: int = 200,
        **context: Any,
    ) -> HttpResponse:
        context = {"form": form, "kept": kept or {}, "title": page.title, **context}
        return self._render(request, "page", page, context, status=status)

    def _render(
        self, request: HttpRequest, name: str, page: ActionPage, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "page": page, "action": page.action}
        return TemplateResponse(request, f"admin/approvals/action/{name}.html", context, status=status)


@admin.register(ProposedAction)
class ProposedActionAdmin(InboxPages, ReconcilePages, ActionPages, ReadOnlyAdmin, HistoryPages):
    view_right = "view_action"
    untold = ("content", "payload_hash", "current_preview")
    list_display = ("named", "money", "impact", "state", "required_approvals", "of_case", "proposed_at", "expires_at")
    list_display_links = ("named",)
    list_filter = ("state", "impact")
    list_select_related = ("case", "tenant", "content", "action_type")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/approvals/action/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProposedAction]:
        return super().get_queryset(request).exclude(veiled(request.user, "case"))

    @admin.display(description="Action")
    def named(self, action: ProposedAction) -> SafeString:
        return shown(action.action_type.title if action.action_type else action.name)

    @admin.display(description="Amount")
    def money(self, action: ProposedAction) -> SafeString | str:
        return shown(action.money) or "–"

    @admin.display(description="Case")
    def of_case(self, action: ProposedAction) -> SafeString | str:
        if action.case is None:
            return "–"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:cases_case_change", args=[action.case_id]), action.case
        )


def action_url(action_id: UUID) -> str:
    return reverse("admin:approvals_proposedaction_change", args=[action_id])


def _name(deed: Deed) -> str:
    return f"approvals_proposedaction_{deed.replace('-', '_')}"


def _gate(page: ActionPage, deed: Deed, seen: bytes | None) -> None:
    """Raise what stands against ``deed``. A stale hash is the service's to refuse, before anything else."""
    stands = page.action.payload_hash
    if stands is None or seen == bytes(stands) or deed not in (Deed.APPROVE, Deed.REJECT, Deed.EDIT):
        page.offered.gate(deed)
