"""Giving, taking back and spreading cases: a page that asks for person and reason, then the service for each case."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from cases.admin.scoped import refuse
from cases.errors import CountersignError
from cases.models import User

from ..models import Entry
from ..services.floor import floor_of
from ..services.supervision import REASON_LENGTH, Moves, hand_over, move, rebalance, supervised

SHOWN = 100
NO_TARGET = "Back to the queue"


class MoveForm(forms.Form):
    """Why, and to whom; the choice of people is those who review in the tenants that are concerned."""

    to = forms.ModelChoiceField(User.objects.none(), label="To", required=False)
    reason = forms.CharField(max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Any, *, tenants: set[UUID] | None, may_return: bool = False) -> None:
        super().__init__(data, label_suffix="")
        if tenants is None:
            del self.fields["to"]
            return
        people = User.objects.filter(reviewer_profiles__tenant__in=tenants, is_active=True).distinct()
        self.fields["to"].queryset = people.order_by("first_name", "username")
        self.fields["to"].required = not may_return
        self.fields["to"].empty_label = NO_TARGET if may_return else "Choose"


class SupervisingViews:
    """The actions of the list of entries, and the page of who holds what. Mixed into its admin."""

    actions = ("give_chosen", "take_back_chosen")

    def get_actions(self, request: HttpRequest) -> dict:
        return super().get_actions(request) if supervised(request.user).exists() else {}

    def supervising_urls(self) -> list:
        routes = (
            ("held/", self.floor_view, "held"),
            ("rebalance/<uuid:queue_id>/", self.rebalance_view, "rebalance"),
            ("hand-over/<uuid:user_id>/", self.hand_over_view, "hand_over"),
        )
        return [path(at, self.admin_site.admin_view(view), name=f"queues_entry_{name}") for at, view, name in routes]

    def give_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        return self._move_chosen(request, chosen, "give_chosen", "Give to a person")

    give_chosen.short_description = "Give to a person…"

    def take_back_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        return self._move_chosen(request, chosen, "take_back_chosen", "Take back")

    take_back_chosen.short_description = "Take back…"

    def _move_chosen(self, request: HttpRequest, chosen, action: str, label: str) -> HttpResponse | None:
        own = chosen.filter(queue__in=supervised(request.user)).order_by("ranked_at", "id")
        entries = list(own.select_related("case", "queue", "claimed_by", "kept_for")[:SHOWN])
        if left := chosen.count() - len(entries):
            messages.warning(
                request, f"{left} left out: they are not in queues that you supervise, or too many at once."
            )
        if not entries:
            return None
        tenants = {entry.tenant_id for entry in entries} if action == "give_chosen" else None
        form = MoveForm(request.POST if "confirmed" in request.POST else None, tenants=tenants)
        if form.is_bound and form.is_valid():
            values = form.cleaned_data
            keys = [entry.pk for entry in entries]
            _tell(request, move(keys, actor=request.user, reason=values["reason"], to=values.get("to")))
            return None
        hidden = [("action", action), *((ACTION_CHECKBOX_NAME, entry.pk) for entry in entries)]
        return self._ask(request, label, form, entries=entries, hidden=hidden)

    def floor_view(self, request: HttpRequest) -> HttpResponse:
        """Who holds what until when."""
        floor = floor_of(request.user)
        if not floor.queues:
            raise PermissionDenied("This page is for those who supervise a queue.")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Who holds what",
            "floor": floor,
        }
        return TemplateResponse(request, "admin/queues/entry/held.html", context)

    def rebalance_view(self, request: HttpRequest, queue_id: UUID) -> HttpResponse:
        """Spread a queue over who is at work."""
        queue = supervised(request.user).filter(pk=queue_id).first()
        if queue is None:
            raise Http404("No such queue.")
        form = MoveForm(request.POST or None, tenants=None)
        if form.is_valid():
            return self._run(
                request, lambda: rebalance(queue.pk, actor=request.user, reason=form.cleaned_data["reason"])
            )
        says = (
            "What people hold who are not at work, or beyond their capacity, moves to who has room; then the fullest "
            "give to the emptiest; then waiting cases are dealt out, the most urgent first. What is given stays with "
            "its person for four hours."
        )
        return self._ask(request, f"Rebalance {queue}", form, says=says)

    def hand_over_view(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        """Everything that somebody has, to somebody else or back to its queues."""
        queues = supervised(request.user)
        holder = User.objects.filter(pk=user_id, reviewer_profiles__tenant__in=queues.values("tenant")).first()
        if holder is None:
            raise Http404("No such reviewer.")
        tenants = set(queues.values_list("tenant", flat=True))
        form = MoveForm(request.POST or None, tenants=tenants, may_return=True)
        if form.is_valid():
            values = form.cleaned_data
            return self._run(
                request, lambda: hand_over(holder, actor=request.user, reason=values["reason"], to=values["to"])
            )
        says = "All that they hold, and all that is kept for them, in the queues that you supervise."
        return self._ask(request, f"Hand over what {holder} has", form, says=says)

    def _run(self, request: HttpRequest, do) -> HttpResponse:
        try:
            _tell(request, do())
        except CountersignError as error:
            return refuse(request, error)
        return redirect("admin:queues_entry_held")

    def _ask(self, request: HttpRequest, label: str, form: MoveForm, **more: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": label, "form": form, **more}
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/queues/entry/move.html", context, status=status)


def _tell(request: HttpRequest, moves: Moves) -> None:
    for person, count in moves.moved.items():
        cases = "1 case" if count == 1 else f"{count} cases"
        messages.success(request, f"{cases} to {person}." if person else f"{cases} back in the queue.")
    for refused in moves.refused[:10]:
        messages.error(request, refused)
    if len(moves.refused) > 10:
        messages.error(request, f"And {len(moves.refused) - 10} more were refused.")
    if not moves.total and not moves.refused:
        messages.info(request, "Nothing had to move.")
