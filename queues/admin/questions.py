"""Questions to colleagues: one's own, those that wait for one's answer, and those of the queues that one supervises."""

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.admin.wording import due_words
from cases.clock import db_now
from cases.models import Tenant

from ..models import Consultation
from ..services.consults import questions_to
from ..services.supervision import supervised
from .entries import SeenList


class StandingFilter(admin.SimpleListFilter):
    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        return (("mine", "waits for my answer"), ("open", "open"), ("ended", "ended"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "mine":
                return queryset.filter(pk__in=questions_to(request.user, Tenant.objects.all(), db_now()).values("pk"))
            case "open":
                return queryset.filter(ended_at=None)
            case "ended":
                return queryset.exclude(ended_at=None)
        return queryset


@admin.register(Consultation)
class ConsultationAdmin(ReadOnlyAdmin):
    """A list that leads to the review page, where the question is read and answered."""

    view_right = "view_case"
    list_display = ("case", "asker", "colleague", "asked_at", "standing")
    list_display_links = ("case",)
    list_filter = (StandingFilter,)
    list_select_related = ("case", "asker", "colleague", "tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consultation]:
        user = request.user
        waiting = questions_to(user, Tenant.objects.all(), db_now()).order_by().values("pk")
        own = Q(asker=user) | Q(colleague=user) | Q(pk__in=waiting) | Q(queue__in=supervised(user).values("pk"))
        return super().get_queryset(request).filter(own)

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return SeenList

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Questions to colleagues"} | (extra_context or {}))

    def changeform_view(self, request: HttpRequest, object_id=None, form_url="", extra_context=None) -> HttpResponse:
        if object_id is None or request.method != "GET":
            raise PermissionDenied("Questions are asked and answered on the page of their case.")
        question = self.get_object(request, object_id)
        if question is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return redirect("admin:feedback_review_work", question.case_id)

    @admin.display(description="Standing")
    def standing(self, question: Consultation) -> str:
        if question.is_open:
            return due_words(question.answer_by, question.seen_at)
        return question.get_end_display()
