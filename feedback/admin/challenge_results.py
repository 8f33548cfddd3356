"""What came of challenges: one's own page, and for those who keep challenges the results by person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.models import Tenant, User
from cases.rights import rights_of
from cases.vocabulary import Verdict

from ..metrics.advice import wilson
from ..models import ChallengeResult, PlantedChallenge, TrainingAlert
from ..services import challenge_results, friction
from .challenges import RIGHT
from .reviews import work_url

OWN_SHOWN = 30
PEOPLE_SHOWN = 200
FEW = 10  # results, below which a share says little
PLACES = 5


@dataclass(frozen=True)
class Person:
    """One person in one tenant; the interval is Wilson's of 95 %."""

    name: str
    tenant: str
    met: int
    caught: int
    last_at: datetime

    @property
    def share(self) -> int:
        return round(100 * self.caught / self.met)

    @property
    def interval(self) -> str:
        low, high = wilson(self.caught, self.met)
        return f"{100 * low:.0f} to {100 * high:.0f} %"

    @property
    def is_few(self) -> bool:
        return self.met < FEW


@admin.register(ChallengeResult)
class ChallengeResultAdmin(ReadOnlyAdmin):
    view_right = RIGHT
    list_display = ("judged_at", "person", "challenge", "of_case", "is_caught", "missed", "is_read")
    list_display_links = None
    list_filter = ("is_caught",)
    list_select_related = ("person", "planted__challenge", "planted__case", "tenant", "seen")
    ordering = ("-judged_at",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/challengeresult/change_list.html"

    @admin.display(description="Challenge")
    def challenge(self, result: ChallengeResult) -> str:
        return str(result.planted.challenge)

    @admin.display(description="Case")
    def of_case(self, result: ChallengeResult) -> SafeString:
        return format_html('<a href="{}">{}</a>', work_url(result.planted_id), result.planted.case)

    @admin.display(description="What was missed")
    def missed(self, result: ChallengeResult) -> str:
        return " ".join(result.why) or "–"

    @admin.display(description="Read", boolean=True)
    def is_read(self, result: ChallengeResult) -> bool:
        return hasattr(result, "seen")

    def get_urls(self) -> list[URLPattern]:
        own = (
            ("mine/", self.mine, "mine"),
            ("mine/<uuid:result_id>/read/", self.read, "read"),
            ("people/", self.people, "people"),
        )
        named = [
            path(at, self.admin_site.admin_view(view), name=f"feedback_challengeresult_{name}")
            for at, view, name in own
        ]
        return [*named, *super().get_urls()]

    @method_decorator(require_GET)
    def mine(self, request: HttpRequest) -> HttpResponse:
        """One's own record, and nobody else's."""
        rights = rights_of(request)
        if not rights.has("view_review"):
            raise PermissionDenied
        results = ChallengeResult.objects.filter(person=request.user).select_related(
            "planted__case__content", "planted__case__current_draft__content", "review__content", "seen"
        )
        shown = list(results.order_by("-judged_at")[:OWN_SHOWN])
        for result in shown:
            result.expected = result.planted.expected
            result.right = " or ".join(Verdict(one).label.lower() for one in result.expected["right_verdicts"])
        totals = results.aggregate(met=Count("pk"), caught=Count("pk", filter=Q(is_caught=True)))
        context = {
            **self.admin_site.each_context(request),
            "title": "My challenges",
            "results": shown,
            "totals": totals,
            "shares": [_share(request.user, tenant) for tenant in rights.places[:PLACES]],
        }
        return TemplateResponse(request, "admin/feedback/challengeresult/mine.html", context)

    @method_decorator(require_POST)
    def read(self, request: HttpRequest, result_id: UUID) -> HttpResponse:
        """The person has read their result."""
        try:
            challenge_results.acknowledge(result_id, person=request.user)
        except ChallengeResult.DoesNotExist as error:
            raise Http404("No such result.") from error
        messages.success(request, "Noted. Thank you for reading it.")
        return redirect("admin:feedback_challengeresult_mine")

    @method_decorator(require_GET)
    def people(self, request: HttpRequest) -> HttpResponse:
        """By person and by name: how much each has met and caught, and how sure that is."""
        if not rights_of(request).has(RIGHT):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Challenges by person",
            "people": by_person(self.get_queryset(request)),
            "several": rights_of(request).sees_several(),
        }
        return TemplateResponse(request, "admin/feedback/challengeresult/people.html", context)


def _share(person: User, tenant: Tenant) -> dict[str, Any]:
    found = friction.friction_of(person, tenant)
    return {"tenant": tenant.name, "friction": found, "share": round(100 * found.share)}


def by_person(results: QuerySet[ChallengeResult]) -> list[Person]:
    """The people of ``results`` in the order of their names: this is no ranking. What was the challenge's own fault
    does not count."""
    counted = results.exclude(alert__outcome=TrainingAlert.Outcome.CHALLENGE_WRONG).order_by()
    names = ("person__first_name", "person__last_name", "person__username")
    rows = counted.values("tenant__name", "person", *names).annotate(
        met=Count("pk"), caught=Count("pk", filter=Q(is_caught=True)), last_at=Max("judged_at")
    )
    return [
        Person(
            name=f"{row['person__first_name']} {row['person__last_name']}".strip() or row["person__username"],
            tenant=row["tenant__name"],
            met=row["met"],
            caught=row["caught"],
            last_at=row["last_at"],
        )
        for row in rows.order_by("tenant__name", *names)[:PEOPLE_SHOWN]
    ]


@admin.register(PlantedChallenge)
class PlantedChallengeAdmin(ReadOnlyAdmin):
    """Which cases are challenges: the only page that says so of a case that nobody has decided."""

    view_right = RIGHT
    list_display = ("planted_at", "of_case", "challenge", "person", "state")
    list_display_links = None
    list_select_related = ("case", "challenge", "person", "tenant")
    ordering = ("-planted_at",)
    sortable_by = ()
    paginator = BoundedPaginator

    @admin.display(description="Case")
    def of_case(self, planted: PlantedChallenge) -> SafeString:
        return format_html('<a href="{}">{}</a>', work_url(planted.case_id), planted.case)

    @admin.display(description="State")
    def state(self, planted: PlantedChallenge) -> str:
        return planted.case.get_state_display()
