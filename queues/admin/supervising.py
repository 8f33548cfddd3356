"""What supervisors do with many cases at once, deciding none: a page that asks, then the service for each case."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path

from cases.admin.scoped import refuse
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import User

from ..models import Entry
from ..services.floor import floor_of
from ..services.ordering import Place, prioritise, put_off
from ..services.supervision import REASON_LENGTH, Moves, hand_over, in_turn, move, rebalance, supervised

SHOWN = 100
BACK = "back in the queue"
SNOOZES = ((30, "30 minutes"), (60, "1 hour"), (120, "2 hours"), (240, "4 hours"), (480, "8 hours"), (1440, "a day"))


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(max_length=REASON_LENGTH, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Any = None, *, tenants: Collection[UUID] = ()) -> None:
        super().__init__(data, label_suffix="")
        self.tenants = tenants


class GiveForm(ReasonForm):
    """Why, and to whom; the choice of people is those who review in the tenants that are concerned."""

    to = forms.ModelChoiceField(User.objects.none(), label="To", empty_label="Choose")
    field_order = ("to", "reason")

    def __init__(self, data: Any = None, *, tenants: Collection[UUID] = ()) -> None:
        super().__init__(data, tenants=tenants)
        people = User.objects.filter(reviewer_profiles__tenant__in=tenants, is_active=True).distinct()
        self.fields["to"].queryset = people.order_by("first_name", "username")


class HandOverForm(GiveForm):
    """As well back to the queues."""

    def __init__(self, data: Any = None, *, tenants: Collection[UUID] = ()) -> None:
        super().__init__(data, tenants=tenants)
        self.fields["to"].required, self.fields["to"].empty_label = False, "Back to the queue"


class PriorityForm(ReasonForm):
    priority = forms.TypedChoiceField(label="Place", choices=Place.choices, coerce=int, initial=Place.FIRST)
    field_order = ("priority", "reason")


class SnoozeForm(ReasonForm):
    minutes = forms.TypedChoiceField(label="For", choices=SNOOZES, coerce=int)
    field_order = ("minutes", "reason")


def supervises_any(request: HttpRequest) -> bool:
    """Whether this person supervises a queue; a list asks it several times, the database once a request."""
    if not hasattr(request, "_supervises_any"):
        request._supervises_any = supervised(request.user).exists()
    return request._supervises_any


class SupervisingViews:
    """The actions of the list of entries, and the page of who holds what. Mixed into its admin."""

    actions = ("give_chosen", "take_back_chosen", "prioritise_chosen", "snooze_chosen")

    def get_actions(self, request: HttpRequest) -> dict:
        return super().get_actions(request) if supervises_any(request) else {}

    def supervising_urls(self) -> list:
        routes = (
            ("held/", self.floor_view, "held"),
            ("rebalance/<uuid:queue_id>/", self.rebalance_view, "rebalance"),
            ("hand-over/<uuid:user_id>/", self.hand_over_view, "hand_over"),
        )
        return [path(at, self.admin_site.admin_view(view), name=f"queues_entry_{name}") for at, view, name in routes]

    @admin.action(description="Give to a person…")
    def give_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        def give(keys: list[UUID], to: User, reason: str) -> Moves:
            return move(keys, actor=request.user, reason=reason, to=to)

        return self._change_chosen(request, chosen, "Give to a person", GiveForm, give)

    @admin.action(description="Take back…")
    def take_back_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        def take_back(keys: list[UUID], reason: str) -> Moves:
            return move(keys, actor=request.user, reason=reason)

        return self._change_chosen(request, chosen, "Take back", ReasonForm, take_back)

    @admin.action(description="Set the priority…")
    def prioritise_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        def change(keys: list[UUID], priority: int, reason: str) -> Moves:
            def one(key: UUID) -> None:
                prioritise(key, actor=request.user, priority=priority, reason=reason)

            return in_turn(keys, one)

        return self._change_chosen(request, chosen, "Set the priority", PriorityForm, change, said="at their new place")

    @admin.action(description="Snooze…")
    def snooze_chosen(self, request: HttpRequest, chosen: QuerySet[Entry]) -> HttpResponse | None:
        def change(keys: list[UUID], minutes: int, reason: str) -> Moves:
            until = db_now() + timedelta(minutes=minutes)

            def one(key: UUID) -> None:
                put_off(key, actor=request.user, until=until, reason=reason)

            return in_turn(keys, one)

        return self._change_chosen(
            request,
            chosen,
            "Snooze",
            SnoozeForm,
            change,
            said="put off",
            says="Nobody is offered them until then, and their deadlines run on. What somebody has stays theirs.",
        )

    def _change_chosen(
        self,
        request: HttpRequest,
        chosen: QuerySet[Entry],
        label: str,
        kind: type[ReasonForm],
        change: Callable[..., Moves],
        *,
        said: str = BACK,
        says: str = "",
    ) -> HttpResponse | None:
        """First a page that asks for what ``kind`` asks for, then ``change`` with it."""
        own = chosen.filter(queue__in=supervised(request.user)).order_by("ranked_at", "id")
        entries = list(own.select_related("case", "queue", "claimed_by", "kept_for")[:SHOWN])
        if left := chosen.count() - len(entries):
            messages.warning(
                request, f"{left} left out: they are not in queues that you supervise, or too many at once."
            )
        if not entries:
            return None
        sent = request.POST if "confirmed" in request.POST else None
        form = kind(sent, tenants={entry.tenant_id for entry in entries})
        keys = [entry.pk for entry in entries]
        if form.is_bound and form.is_valid():
            tell(request, change(keys, **form.cleaned_data), said)
            return None
        hidden = [("action", request.POST.get("action", "")), *((ACTION_CHECKBOX_NAME, key) for key in keys)]
        return self._ask(request, label, form, entries=entries, hidden=hidden, says=says)

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
        form = ReasonForm(request.POST or None)
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
        form = HandOverForm(request.POST or None, tenants=tenants)
        if form.is_valid():
            values = form.cleaned_data
            return self._run(
                request, lambda: hand_over(holder, actor=request.user, reason=values["reason"], to=values["to"])
            )
        says = "All that they hold, and all that is kept for them, in the queues that you supervise."
        return self._ask(request, f"Hand over what {holder} has", form, says=says)

    def _run(self, request: HttpRequest, do) -> HttpResponse:
        try:
            tell(request, do())
        except CountersignError as error:
            return refuse(request, error)
        return redirect("admin:queues_entry_held")

    def _ask(self, request: HttpRequest, label: str, form: ReasonForm, **more: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": label, "form": form, **more}
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/queues/entry/move.html", context, status=status)


def tell(request: HttpRequest, moves: Moves, said: str = BACK) -> None:
    """What became of the cases, in messages; ``said`` of those that went to nobody."""
    for person, count in moves.moved.items():
        cases = "1 case" if count == 1 else f"{count} cases"
        messages.success(request, f"{cases} to {person}." if person else f"{cases} {said}.")
    for refused in moves.refused[:10]:
        messages.error(request, refused)
    if len(moves.refused) > 10:
        messages.error(request, f"And {len(moves.refused) - 10} more were refused.")
    if not moves.total and not moves.refused:
        messages.info(request, "Nothing had to move.")
