"""Cases: a list that is quick at a million rows, and a page that shows what became of one. Nobody edits one by hand."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.search import SearchQuery
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..clock import db_now
from ..details import details_of
from ..errors import CountersignError
from ..ids import from_wire
from ..models import Case, CaseEvent, Content, DataView
from ..outcome import final_answer, is_final
from ..permissions import fields_visible_to
from ..presentation import customer_document, reading_words
from ..rights import rights_of
from ..services.available import available_actions
from ..services.data_views import keep_view
from ..states import DECIDED
from ..untrusted import shown
from ..veil import before_outcome, veiled, veiled_among
from ..vocabulary import Route, Signal, Trigger
from .history import HistoryPages
from .lists import BoundedPaginator, recent_values
from .saved_filters import SavedFilters
from .scoped import ReadOnlyAdmin, refuse
from .wording import due_words, state_words

EVENTS_SHOWN = 100
QUESTION_SHOWN = 120  # characters
RESULTS_OF_WORDS = 1_000
VEILED = "Decided; waits for a second look"


class CaseList(ChangeList):
    """Adds what the rooms above know of the cases on the page: queue, deadline, holder. A filter finds no case of which
    the reader may not see the outcome: by its answer it would tell."""

    def get_queryset(self, request: HttpRequest, **kwargs) -> QuerySet[Case]:
        found = super().get_queryset(request, **kwargs)
        return found.exclude(veiled(request.user)) if self.get_filters_params() else found

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        details = details_of(self.result_list, request.user)
        now, hidden = db_now(), veiled_among(self.result_list, request.user)
        for case in self.result_list:
            case.details, case.seen_at, case.is_veiled = details[case.pk], now, case.pk in hidden


class ReasonForm(forms.Form):
    """Why a case is withdrawn or reopened; kept as erasable text."""

    reason = forms.CharField(max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}))


@admin.register(Case)
class CaseAdmin(SavedFilters, ReadOnlyAdmin, HistoryPages):
    """``purpose`` is shown nowhere: a challenge looks like any other case."""

    view_right = "view_case"
    untold = ("purpose", "intake_digest", "content", "final_content", "current_draft")
    list_display = ("name", "question", "domain", "risk", "state_words", "route", "queue", "due", "opened")
    list_display_links = ("name",)
    list_filter = ("state", "risk", recent_values("domain", "domain"))
    list_select_related = ("tenant", "current_draft")
    search_fields = ("external_id",)
    search_help_text = (
        "A case id, an external id, or words of the question and the draft. “-word” leaves out, quotes keep together."
    )
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator

    # --- the list --------------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return CaseList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        asked = Left(KeyTextTransform("user_question", "content__body"), QUESTION_SHOWN)
        return super().get_queryset(request).annotate(asked=asked)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By id, external id or words.

        A case's own words are searched for those alone who may see its customer: the index holds the customer's address
        too, and finding by it would tell what the page masks. Drafts and reviews are searched for everybody.
        """
        term = search_term.replace("\x00", "").strip()[:200]
        if not term:
            return queryset, False
        if case_id := from_wire(Case.PREFIX, term) or _uuid(term):
            return queryset.filter(pk=case_id), False
        rights = rights_of(request)
        words = SearchQuery(term, config="simple", search_type="websearch")
        found = rights.within(Content.objects.filter(search=words), self.view_right)
        if not rights.is_superuser:
            unmasked = Q(tenant__in=rights.tenant_ids("view_customer"))
            found = found.filter(unmasked | ~Q(owner=Content.Owner.CASE))
        found = found.exclude(veiled(request.user, "case_id"), owner=Content.Owner.REVIEW)
        by_words = found.order_by("-id").values("case_id")[:RESULTS_OF_WORDS]
        return queryset.filter(Q(external_id=term) | Q(pk__in=by_words)), False

    @admin.display(description="Case")
    def name(self, case: Case) -> SafeString:
        return shown(case.external_id) if case.external_id else format_html("{}…", case.wire_id[:18])

    @admin.display(description="Question")
    def question(self, case: Case) -> SafeString:
        text = case.asked or ""
        more = "…" if len(text) >= QUESTION_SHOWN else ""
        return format_html('<span class="excerpt" dir="auto">{}{}</span>', shown(text), more)

    @admin.display(description="State")
    def state_words(self, case: Case) -> str:
        return VEILED if case.is_veiled else state_words(case, case.seen_at)

    @admin.display(description="Route")
    def route(self, case: Case) -> str:
        return case.current_draft.get_route_display()

    @admin.display(description="Queue")
    def queue(self, case: Case) -> str:
        holder = case.details.get("in_review_by")
        queue = case.details.get("queue") or "–"
        return f"{queue}, with {holder}" if holder else queue

    @admin.display(description="Due")
    def due(self, case: Case) -> SafeString | str:
        return due_words(case.details.get("sla_deadline"), case.seen_at)

    @admin.display(description="Opened (UTC)")
    def opened(self, case: Case) -> str:
        return f"{case.opened_at:%d %b %H:%M}"

    # --- one case --------------------------------------------------------------------------------------------------

    def get_urls(self):
        act = path("<uuid:case_id>/act/<slug:name>/", self.admin_site.admin_view(self.act_view), name="cases_case_act")
        return [act, *super().get_urls()]

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None) -> HttpResponse:
        if object_id is None or request.method != "GET":
            raise PermissionDenied("Cases are opened by intake and changed by decisions.")
        case = self._case(request, object_id)
        if case is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return TemplateResponse(request, "admin/cases/case/detail.html", self._page(request, case))

    def history_view(self, request: HttpRequest, object_id: str, extra_context=None) -> HttpResponse:
        case = self._case(request, unquote(object_id))
        if case is not None and veiled_among([case], request.user):
            messages.info(request, "What became of this case is shown to you once its second look is done.")
            return redirect("admin:cases_case_change", case.pk)
        if case is not None:
            keep_view(request.user, case, DataView.What.HISTORY, at=db_now())
        return super().history_view(request, object_id, extra_context)

    def _case(self, request: HttpRequest, object_id: object) -> Case | None:
        found = self.get_object(request, str(object_id))
        return Case.objects.with_text().get(pk=found.pk) if found else None

    def _page(self, request: HttpRequest, case: Case) -> dict[str, Any]:
        now, rights = db_now(), rights_of(request)
        draft = case.current_draft
        details = details_of([case], request.user)[case.pk]
        unmasked = "customer" in fields_visible_to(request.user, case, rights)
        hides_outcome = bool(veiled_among([case], request.user))
        is_holder = details.get("holder_id") == request.user.pk
        keep_view(request.user, case, DataView.What.CASE, at=now, is_holder=is_holder, with_customer=unmasked)
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Case {case.external_id or case.wire_id[:18]}",
            "case": case,
            "erasure": erasure_of(case),
            "draft": draft,
            "texts": case.content.text | draft.content.text,
            "customer": customer_document(case, unmasked=unmasked),
            "is_masked": not unmasked,
            "details": details,
            "due": due_words(details.get("sla_deadline"), now),
            "state_words": VEILED if hides_outcome else state_words(case, now),
            "is_final": is_final(case, now),
            "hides_outcome": hides_outcome,
            "is_decided": case.state in DECIDED and not hides_outcome,
            "final_answer": final_answer(case),
            "triggers": [Trigger(trigger).label for trigger in draft.triggers if trigger in Trigger.values],
            "signals": [_signal(contribution) for contribution in draft.contributions],
            "timeline": timeline(case, hides_outcome=hides_outcome),
            "now": now,
            "review_url": reverse("admin:feedback_review_work", args=[case.pk]),
            "available": available_actions(case, request.user, now=now, rights=rights),
            "may_audit": rights.has("view_audit", case.tenant_id),
        }

    def act_view(self, request: HttpRequest, case_id: UUID, name: str) -> HttpResponse:
        """Withdraw or reopen: first a page that asks for the reason, then the service."""
        case = self._case(request, case_id)
        if case is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(case_id))
        fitting = available_actions(case, request.user, now=db_now(), rights=rights_of(request))
        action = next((action for action in fitting if action.name == name), None)
        if action is None:
            messages.error(request, "The case has moved on, or you may not do this. Nothing was changed.")
            return redirect("admin:cases_case_change", case_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                action.run(case.pk, actor=request.user, reason=form.cleaned_data["reason"])
            except CountersignError as error:
                return refuse(request, error)
            messages.success(request, f"Done: {action.label.lower()}. It stands in the timeline with your reason.")
            return redirect("admin:cases_case_change", case_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{action.label} case {case.external_id or case.wire_id[:18]}",
            "case": case,
            "action": action,
            "form": form,
        }
        return TemplateResponse(request, "admin/cases/case/act.html", context)


def timeline(case: Case, *, hides_outcome: bool = False) -> list[CaseEvent]:
    """The latest events of ``case``, oldest first, each with its words in ``.words`` and its note."""
    told = before_outcome(case.events.all()) if hides_outcome else case.events
    newest = told.select_related("actor", "note").order_by("-id")[:EVENTS_SHOWN]
    events = list(newest)[::-1]
    for event in events:
        event.words = ", ".join(_data_words(event.data))
        event.said = event.note.text.get("note") if event.note else ""
    return events


def erasure_of(case: Case) -> CaseEvent | None:
    """Who erased the texts of ``case``, and when."""
    if not case.content.is_erased:
        return None
    return case.events.filter(kind=CaseEvent.Kind.ERASED).select_related("actor").order_by("-id").first()


def _data_words(data: dict[str, Any]) -> list[str]:
    labels = dict(Route.choices) | dict(Trigger.choices)
    words = []
    for name, value in data.items():
        values = value if isinstance(value, list) else [value]
        said = ", ".join(str(labels.get(one, one)) for one in values if one not in (None, ""))
        if said:
            words.append(f"{name.replace('_', ' ')}: {said}")
    return words


def _signal(contribution: dict[str, Any]) -> dict[str, Any]:
    name = contribution["signal"]
    label = Signal(name).label if name in Signal.values else name
    return contribution | {"label": label, "reading": reading_words(contribution)}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) >= 32 else None
    except ValueError:
        return None
