"""The page of an action whose result nobody knows: ask its executor, send it again, or say what happened."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.decorators.debug import sensitive_post_parameters

from cases.admin.scoped import refuse
from cases.errors import CountersignError
from cases.permissions import Denied

from .admin_forms import EvidenceForm
from .errors import EvidenceMissing
from .page import ActionPage
from .services import reconciling
from .services.available import Deed

LOOKED_UP = {
    "executed": "It took place: the executor says so.",
    "failed": "It did not take place: the executor says so.",
    "absent": "The executor does not know it. A request may still be on its way: look again before you say that it "
    "did not take place.",
    "unknown": "The executor gave no clear answer.",
}


class ReconcilePages(admin.ModelAdmin):
    """Beside ``ActionPages``, whose ``_page`` and ``_render`` it uses."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(sensitive_post_parameters("evidence")(self.reconcile_view))
        own = path("<uuid:action_id>/reconcile/", view, name="approvals_proposedaction_reconcile")
        return [own, *super().get_urls()]

    def reconcile_view(self, request: HttpRequest, action_id: UUID) -> HttpResponse:
        page = self._page(request, action_id)
        if page is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(action_id))
        form = EvidenceForm(request.POST or None)
        try:
            page.offered.gate(Deed.RECONCILE)
            if request.method == "POST" and form.is_valid():
                return self._reconcile(request, page, form)
        except Denied as error:
            return refuse(request, error)
        except EvidenceMissing as error:
            form.add_error("evidence", error.message)
        except CountersignError as error:
            messages.error(request, error.message)
            return redirect("admin:approvals_proposedaction_change", action_id)
        context: dict[str, Any] = {"form": form, "title": f"Result unknown: {page.title}"}
        return self._render(request, "reconcile", page, context, status=400 if form.errors else 200)

    def _reconcile(self, request: HttpRequest, page: ActionPage, form: EvidenceForm) -> HttpResponse:
        """Do what the button says; the look-up is a network call and holds no transaction."""
        action_id, actor = page.action.pk, request.user
        match request.POST.get("what"):
            case "look_up":
                found = reconciling.look_up(action_id, actor=actor)
                messages.info(request, LOOKED_UP.get(found.state, LOOKED_UP["unknown"]))
            case "send_again":
                reconciling.send_again(action_id, actor=actor)
                messages.success(request, "A worker looks it up and sends it again under the same key.")
            case "executed" | "failed" as said:
                evidence = form.cleaned_data["evidence"]
                reconciling.mark(action_id, is_executed=said == "executed", actor=actor, evidence=evidence)
                done = "It took place" if said == "executed" else "It did not take place"
                messages.success(request, f"{done}: this is on record with your evidence.")
            case _:
                raise PermissionDenied
        return redirect("admin:approvals_proposedaction_change", action_id)
