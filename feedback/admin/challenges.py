"""Gold cases, the policies of planting them, and the cap on friction: for those who keep challenges."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.forms.models import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import TrackedAdmin, refuse
from cases.errors import CountersignError
from cases.models import Case
from cases.rights import rights_of

from ..models import BlindFirstPolicy, Challenge, ChallengePolicy, DwellPolicy, FrictionCap
from ..services import challenges, dwells
from .challenge_forms import ChallengeForm, rows_of

RIGHT = "manage_challenges"
_WHAT = ("user_question", "messages", "model_draft", "model_decision", "reasoning")
_BESIDE = ("evidence", "policies", "tool_results", "attachments", "customer", "kind", "language", "risk_level")
_JUDGED = ("right_verdicts", "right_decision", "must_contain", "must_not_contain", "right_answer", "least_similarity")


@admin.register(Challenge)
class ChallengeAdmin(TrackedAdmin):
    """Only those with ``manage_challenges`` learn that there is a case of this kind."""

    view_right = change_right = RIGHT
    form = ChallengeForm
    list_display = ("title", "domain", "is_active", "planted_count", "example")
    list_filter = ("is_active",)
    search_fields = ("title", "domain")
    ordering = ("title",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/challenge/change_list.html"
    fieldsets = (
        (None, {"fields": ("tenant", "title", "domain", "is_active")}),
        ("What the reviewer sees", {"fields": _WHAT}),
        ("Beside it", {"fields": _BESIDE, "classes": ("collapse",)}),
        (
            "Slots",
            {
                "fields": ("slots",),
                "description": "Filled anew for every case that is made of this one, so that it cannot be remembered.",
            },
        ),
        ("What is right", {"fields": (*_JUDGED, "explanation")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Challenge]:
        return super().get_queryset(request).annotate(times=Count("planted"))

    @admin.display(description="Given out")
    def planted_count(self, challenge: Challenge) -> str:
        return f"{challenge.times} time{'' if challenge.times == 1 else 's'}"

    @admin.display(description="Example")
    def example(self, challenge: Challenge) -> SafeString:
        at = reverse("admin:feedback_challenge_variant", args=[challenge.pk])
        return format_html('<a href="{}">See one<span class="visually-hidden"> of {}</span></a>', at, challenge.title)

    def store(self, request: HttpRequest, obj: Challenge, reason: str) -> None:
        challenges.save(obj, actor=request.user, reason=reason)

    def get_urls(self) -> list[URLPattern]:
        own = (
            ("<uuid:challenge_id>/variant/", self.variant, "variant"),
            ("of-case/<uuid:case_id>/", self.of_case, "of_case"),
        )
        named = [
            path(at, self.admin_site.admin_view(view), name=f"feedback_challenge_{name}") for at, view, name in own
        ]
        return [*named, *super().get_urls()]

    @method_decorator(require_GET)
    def variant(self, request: HttpRequest, challenge_id: UUID) -> HttpResponse:
        """One filling of a gold case as its reviewer would read it, and what would be right."""
        challenge = self.get_object(request, str(challenge_id))
        if challenge is None:
            raise Http404("No such challenge.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"An example of {challenge}",
            "challenge": challenge,
            **shown(challenge),
        }
        return TemplateResponse(request, "admin/feedback/challenge/variant.html", context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    def of_case(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        """Make one of a decided case. GET proposes, POST shows an example or keeps it; nothing is stored before."""
        rights = rights_of(request)
        cases = rights.within(Case.objects.with_text(), RIGHT)
        case = cases.filter(pk=case_id).first()
        if case is None:
            raise Http404("No such case.")
        try:
            challenge = challenges.proposal_of(case, actor=request.user)
        except challenges.ChallengeInvalid as error:
            messages.error(request, error.message)
            return redirect("admin:feedback_review_work", case_id)
        except CountersignError as error:
            return refuse(request, error)
        form = _form_of(challenge, request.POST if request.method == "POST" else None)
        example = None
        if request.method == "POST" and form.is_valid():
            if "keep" in request.POST:
                challenges.save(form.instance, actor=request.user, reason=form.cleaned_data["reason"])
                messages.success(request, "The challenge is kept. It is given out from now on.")
                return redirect("admin:feedback_challenge_changelist")
            example = shown(form.instance)
        context = {
            **self.admin_site.each_context(request),
            "title": "Make a challenge of this case",
            "case": case,
            "form": form,
            **(example or {}),
        }
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/feedback/challenge/of_case.html", context, status=status)


def _form_of(challenge: Challenge, data: Any) -> ChallengeForm:
    fields = ("title", "domain", *_WHAT, *_BESIDE, "slots", *_JUDGED, "explanation", "reason")
    names = [name for name in fields if name in {field.name for field in Challenge._meta.fields}]
    form = modelform_factory(Challenge, form=ChallengeForm, fields=names)(data, instance=challenge, label_suffix="")
    form.order_fields(fields)
    return form


def shown(challenge: Challenge) -> dict[str, Any]:
    """One variant, as rows for reading."""
    variant = challenges.variant_of(challenge)
    return {"rows": rows_of(variant.body), "expected": variant.expected}


class _RuleAdmin(TrackedAdmin):
    view_right = change_right = RIGHT
    deletable = False

    def store(self, request: HttpRequest, obj: Any, reason: str) -> None:
        challenges.save_rule(obj, actor=request.user, reason=reason)


@admin.register(ChallengePolicy)
class ChallengePolicyAdmin(_RuleAdmin):
    list_display = ("__str__", "is_on", "base_rate", "rate_after_miss", "most_per_day", "pause_misses", "pause_among")
    list_select_related = ("queue", "tenant")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("tenant", "queue", "is_on")}),
        (
            "How often",
            {
                "fields": ("base_rate", "rate_after_miss", ("quiet_days", "rate_after_quiet")),
                "description": "Chances at each case that a person decides; whether one comes is drawn each time.",
            },
        ),
        ("Bounds", {"fields": (("least_minutes", "most_per_day"),)}),
        ("Pause", {"fields": (("pause_misses", "pause_among"),)}),
    )


@admin.register(BlindFirstPolicy)
class BlindFirstPolicyAdmin(_RuleAdmin):
    list_display = ("__str__", "tenant", "is_on", "percent", "percent_risky", "percent_on_record")
    list_select_related = ("tenant",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("tenant", "is_on")}),
        (
            "Of how many cases, in percent",
            {
                "fields": ("percent", "percent_risky", "percent_on_record"),
                "description": "The highest that holds counts, within the cap on friction. The person says what they "
                "would decide, and then sees the draft.",
            },
        ),
    )

    def _names_tenants(self, request: HttpRequest) -> bool:
        return False  # It is a column of its own here.


@admin.register(DwellPolicy)
class DwellPolicyAdmin(TrackedAdmin):
    """Everybody of a tenant sees whether it is recorded how they read."""

    view_right, change_right = "view_review", "change_tenant"
    deletable = False
    list_display = ("tenant", "is_on")
    list_select_related = ("tenant",)
    sortable_by = ()
    fieldsets = (
        (
            None,
            {
                "fields": ("tenant", "is_on"),
                "description": "While somebody holds a case, its page records for how long it is in front, how far "
                "down it is read, and how many parts are opened or marked: one row for each case, for 90 days. The "
                "page says so. Without JavaScript nothing is recorded.",
            },
        ),
    )

    def store(self, request: HttpRequest, obj: DwellPolicy, reason: str) -> None:
        dwells.save_policy(obj, actor=request.user, reason=reason)

    def _names_tenants(self, request: HttpRequest) -> bool:
        return False  # It is a column of its own here.


@admin.register(FrictionCap)
class FrictionCapAdmin(_RuleAdmin):
    list_display = ("__str__", "tenant")
    list_select_related = ("tenant",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("tenant", "percent")}),)

    def _names_tenants(self, request: HttpRequest) -> bool:
        return False  # It is a column of its own here.
