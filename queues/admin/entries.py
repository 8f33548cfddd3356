"""What waits and who holds it. Entries are hot: nobody edits one, a supervisor may take one back."""

from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.safestring import SafeString

from cases.admin.lists import BoundedPaginator
from cases.admin.saved_filters import SavedFilters
from cases.admin.scoped import ReadOnlyAdmin, refuse
from cases.admin.wording import due_words
from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import Case
from cases.permissions import allowed
from cases.rights import rights_of
from cases.vocabulary import Risk

from ..errors import DeadlineInvalid
from ..models import Aside, Entry, Queue, StepFired
from ..models.entries import MINUTES_A_POINT, MOST_PRIORITY
from ..services.entries import PRIORITY
from ..services.stranded import is_stranded, stranded
from ..services.supervision import REASON_LENGTH, set_deadline, take_back
from .deadline import DeadlineForm, waiting_of
from .supervising import SupervisingViews, supervises_any

ASIDES = 20

STEPS = 30  # shown on an entry's page, the newest


class QueueFilter(admin.SimpleListFilter):
    """The queues of one's own tenants; Django's own filter would name everybody's."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: "EntryAdmin"):
        rights = rights_of(request)
        queues = rights.within(Queue.objects.select_related("tenant"), model_admin.view_right)
        several = rights.sees_several()
        return [(str(queue.pk), f"{queue.tenant}: {queue}" if several else str(queue)) for queue in queues]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        known = {key for key, _ in self.lookup_choices}
        return queryset.filter(queue=self.value()) if self.value() in known else queryset


class HolderFilter(admin.SimpleListFilter):
    title = "holder"
    parameter_name = "holder"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return (("me", "me"), ("somebody", "somebody"), ("nobody", "nobody"), ("stranded", "nobody may have it"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "me":
                return queryset.filter(Q(claimed_by=request.user) | Q(kept_for=request.user))
            case "somebody":
                return queryset.exclude(claimed_by=None, kept_for=None)
            case "nobody":
                return queryset.filter(claimed_by=None, kept_for=None)
            case "stranded":
                queues = rights_of(request).within(Queue.objects.all(), "view_queue")
                return queryset.filter(pk__in=stranded(queues).values("pk"))
        return queryset


class DueFilter(admin.SimpleListFilter):
    title = "deadline"
    parameter_name = "deadline"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return (("over", "overdue"), ("ahead", "still ahead"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "over":
                return queryset.due_before(db_now())
            case "ahead":
                return queryset.filter(due_at__gte=db_now())
        return queryset


class SeenList(ChangeList):
    """One look at the database's clock for the whole page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list, now = list(self.result_list), db_now()
        for row in self.result_list:
            row.seen_at = now


def _asides(entry: Entry) -> list[Aside]:
    """Who set the case aside, in this stay or an earlier one, and why: for supervisors."""
    return list(Aside.objects.filter(case=entry.case_id).select_related("user", "reason").order_by("-id")[:ASIDES])


@admin.register(Entry)
class EntryAdmin(SupervisingViews, SavedFilters, ReadOnlyAdmin):
    view_right = "view_queue"
    list_display = ("of_case", "due", "queue", "holder", "lease", "waits_for", "priority", "risk", "route", "kind")
    list_display_links = ("of_case",)
    list_filter = (QueueFilter, HolderFilter, DueFilter, "risk")
    list_select_related = ("case", "queue", "claimed_by", "kept_for", "tenant")
    ordering = ("ranked_at", "id")
    sortable_by = ()
    paginator = BoundedPaginator
    search_fields = ("case__external_id",)
    search_help_text = "A case id, an external id, or words of the draft; “-word” leaves out, quotes keep together."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        return super().get_queryset(request).select_related("queue__tenant", *self.list_select_related)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """As the list of cases searches, by its rules about the customer's words."""
        if not search_term.strip():
            return queryset, False
        cases = self.admin_site._registry[Case]
        found, _ = cases.get_search_results(request, rights_of(request).within(Case.objects, "view_case"), search_term)
        return queryset.filter(case__in=found.values("pk")), False

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return SeenList

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        own = {
            "title": "What waits, the most urgent first",
            "may_supervise": supervises_any(request),
            "minutes_a_point": MINUTES_A_POINT,
            "hours_to_the_front": (MOST_PRIORITY - PRIORITY[Risk.LOW]) * MINUTES_A_POINT // 60,
        }
        return super().changelist_view(request, own | (extra_context or {}))

    @admin.display(description="Case")
    def of_case(self, entry: Entry) -> str:
        return str(entry.case) if entry.case.external_id else f"{entry.case.wire_id[:18]}…"

    @admin.display(description="Due")
    def due(self, entry: Entry) -> SafeString | str:
        return due_words(entry.due_at, entry.seen_at)

    @admin.display(description="Held by")
    def holder(self, entry: Entry) -> str:
        if entry.kept_for_id:
            return f"kept for {entry.kept_for}"
        return str(entry.claimed_by) if entry.claimed_by_id else "–"

    @admin.display(description="Until")
    def lease(self, entry: Entry) -> str:
        until = entry.lease_expires_at or entry.kept_until
        return f"{until:%H:%M} UTC" if until else "–"

    @admin.display(description="Clock")
    def waits_for(self, entry: Entry) -> str:
        return f"paused: {entry.pause_reason.lower()}" if entry.paused_at else "runs"

    # --- one entry -------------------------------------------------------------------------------------------------

    def get_urls(self):
        own = [
            path(f"<uuid:entry_id>/{at}/", self.admin_site.admin_view(view), name=f"queues_entry_{name}")
            for at, view, name in (
                ("take-back", self.take_back_view, "take_back"),
                ("deadline", self.deadline_view, "deadline"),
            )
        ]
        return [*own, *self.supervising_urls(), *super().get_urls()]

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None) -> HttpResponse:
        if object_id is None or request.method != "GET":
            raise PermissionDenied("Entries come and go with their cases.")
        entry = self.get_object(request, object_id)
        if entry is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return self._page(request, entry, DeadlineForm(entry))

    def _page(self, request: HttpRequest, entry: Entry, form: DeadlineForm) -> HttpResponse:
        now, is_supervisor = db_now(), allowed(request.user, "supervise_queue", entry.queue)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{entry.case} in {entry.queue}",
            "entry": entry,
            "due": due_words(entry.due_at, now),
            "waiting": waiting_of(entry, now),
            "deadline_form": form,
            "is_stranded": is_stranded(entry),
            "steps_fired": StepFired.objects.filter(case=entry.case_id).select_related("queue").order_by("-id")[:STEPS],
            "has_it": entry.claimed_by or entry.kept_for,
            "is_supervisor": is_supervisor,
            "asides": _asides(entry) if is_supervisor else [],
        }
        return TemplateResponse(
            request, "admin/queues/entry/detail.html", context, status=400 if form.is_bound else 200
        )

    def take_back_view(self, request: HttpRequest, entry_id: UUID) -> HttpResponse:
        """Return somebody's case to its queue, in its old place."""
        entry = self.get_object(request, str(entry_id))
        if entry is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(entry_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            take_back(entry.pk, actor=request.user, reason=request.POST.get("reason", "")[:REASON_LENGTH])
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.success(
                request, "Taken back. The case waits in its old place; unsent text is kept for its writer."
            )
        return redirect("admin:queues_entry_change", entry.pk)

    def deadline_view(self, request: HttpRequest, entry_id: UUID) -> HttpResponse:
        """Set another deadline; what is refused is said beside its field, with what was written."""
        entry = self.get_object(request, str(entry_id))
        if entry is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(entry_id))
        if request.method != "POST":
            raise PermissionDenied
        form = DeadlineForm(entry, request.POST)
        if form.is_valid():
            try:
                set_deadline(entry.pk, actor=request.user, **form.cleaned_data)
            except DeadlineInvalid as error:
                form.add_error(error.pointer.strip("/"), error.message)
            except CountersignError as error:
                refuse(request, error)
                return redirect("admin:queues_entry_change", entry.pk)
            else:
                messages.success(request, "The case has another deadline. What its customer was promised stands.")
                return redirect("admin:queues_entry_change", entry.pk)
        return self._page(request, entry, form)
