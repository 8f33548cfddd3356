"""The approver's own list: what waits for this person's signature, made for a phone as well; and what nobody knows."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from cases.clock import db_now
from cases.models import User
from cases.presentation import masked
from cases.rights import HeldRights, rights_of

from .models import ProposedAction
from .services.inbox import signable_by, unknown_in

SHOWN = 50
ORDERS = {
    "deadline": ("By deadline", (F("decide_by").asc(nulls_last=True), "-amount", "id")),
    "amount": ("By amount", (F("amount").desc(nulls_last=True), "decide_by", "id")),
}


class InboxPages(admin.ModelAdmin):
    """The two lists, beside the list of all actions."""

    def get_urls(self) -> list[URLPattern]:
        own = [("waiting/", self.waiting_view, "waiting"), ("unknown/", self.unknown_view, "unknown")]
        return [
            *(
                path(at, self.admin_site.admin_view(view), name=f"approvals_proposedaction_{name}")
                for at, view, name in own
            ),
            *super().get_urls(),
        ]

    def waiting_view(self, request: HttpRequest) -> HttpResponse:
        """The actions that this person could sign now, the most pressing first."""
        now, order = db_now(), request.GET.get("by", "")
        order = order if order in ORDERS else "deadline"
        waiting = waiting_for(request.user, rights_of(request), now).order_by(*ORDERS[order][1])
        orders = [(name, words, name == order) for name, (words, _) in ORDERS.items()]
        return self._list(request, "Waiting for your signature", waiting, now, orders=orders)

    def unknown_view(self, request: HttpRequest) -> HttpResponse:
        """The actions whose result nobody knows, for those who may say what became of them."""
        unknown = unknown_in(reconcilable(rights_of(request))).order_by("-id")
        return self._list(request, "Result unknown", unknown, db_now(), is_unknown=True)

    def _list(
        self, request: HttpRequest, title: str, actions: QuerySet[ProposedAction], now: datetime, **more: Any
    ) -> HttpResponse:
        rights = rights_of(request)
        rows = list(actions.select_related("action_type", "content", "tenant")[: SHOWN + 1])
        for row in rows:
            row.customer = _customer(row, rights)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "rows": rows[:SHOWN],
            "is_cut": len(rows) > SHOWN,
            "now": now,
            "names_tenants": rights.sees_several(),
            **more,
        }
        return TemplateResponse(request, "admin/approvals/action/inbox.html", context)


def waiting_for(user: User, rights: HeldRights, now: datetime) -> QuerySet[ProposedAction]:
    """What waits for the signature of ``user``, unordered."""
    return signable_by(user, rights.tenant_ids("view_action"), now=now)


def reconcilable(rights: HeldRights) -> list:
    """The tenants in which a person may say what became of an action. A platform admin joins one to do so."""
    return rights.tenant_ids("reconcile_action")


def _customer(action: ProposedAction, rights: HeldRights) -> str:
    named = str(action.content.text.get("customer_id") or "")
    return named if not named or rights.allowed("view_customer", action.tenant) else masked(named)
