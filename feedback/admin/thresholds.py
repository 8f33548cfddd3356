"""Thresholds: what the evidence says of a policy's, what a change would do, and the changes that people made of it.

Who sees metrics sees the advice; who may change policies applies it. Each view parses, calls one service and shows its
answer.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.errors import CountersignError
from cases.models import Policy
from cases.permissions import Denied
from cases.rights import rights_of
from cases.services.audit import keep_denial
from cases.untrusted import shown
from cases.vocabulary import Route

from ..advisor.comparing import Trial
from ..advisor.wording import threshold_words
from ..models import LearnedWeights, ThresholdEvidence
from ..services import learning, staffing_change, threshold_changes
from ..services.what_if import replay
from .staffing import staffing_rows
from .threshold_content import SHOWN, content_of
from .variants import VariantFields

POLICIES = 200
SPANS = ((28, "4 weeks"), (91, "13 weeks"), (364, "52 weeks"))
USUAL = 91
VIEW, CHANGE = "view_metrics", "change_policy"


class ChooseForm(forms.Form):
    """Which policy, and how far back. A value that is not offered counts as not chosen."""

    policy = forms.ChoiceField(required=False)
    days = forms.ChoiceField(choices=SPANS, required=False, label="Window")

    def __init__(self, data: Any, policies: list[Policy]) -> None:
        super().__init__(data, label_suffix="", use_required_attribute=False)
        self.fields["policy"].choices = [(str(policy.pk), str(policy)) for policy in policies]


class ActForm(forms.Form):
    """What the person saw, and why they act on it."""

    policy = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput)
    days = forms.TypedChoiceField(choices=SPANS, coerce=int, widget=forms.HiddenInput)
    threshold = forms.FloatField(required=False, widget=forms.HiddenInput)
    weights = forms.UUIDField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=120, required=False)


class WhatIfForm(VariantFields):
    """A variant of one policy; learned weights are one more way in which it may differ."""

    policy = forms.UUIDField(widget=forms.HiddenInput)
    learned = forms.ChoiceField(label="Which weights", required=False)
    field_order = ("policy", "learned")

    def __init__(self, data: Any, policy: Policy, versions: list[LearnedWeights]) -> None:
        super().__init__(data, label_suffix="", initial={"policy": policy.pk})
        self.chosen = {str(one.version): one for one in versions}
        ways = [
            ("", "as they are"),
            ("hand", "set by hand"),
            *((number, str(one)) for number, one in self.chosen.items()),
        ]
        self.fields["learned"].choices = ways
        self.of_policy = policy

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        document = self.document(self.of_policy, cleaned)
        way = cleaned.get("learned")
        if way == "hand":
            document["learned"] = None
        elif way:
            document["learned"] = learning.document_of(self.chosen[way])
        return cleaned | {"document": document}


@admin.register(ThresholdEvidence)
class ThresholdEvidenceAdmin(ReadOnlyAdmin):
    """The changes that were made from the page of thresholds, and that page with its acts."""

    view_right = VIEW
    list_display = ("applied_at", "of_policy", "kind", "threshold_before", "threshold_after", "applied_by", "words")
    list_filter = ("kind",)
    list_select_related = ("tenant", "policy_version__policy__tenant", "applied_by")
    ordering = ("-applied_at",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_form_template = "admin/feedback/thresholdevidence/change_form.html"
    fields = (
        "of_policy",
        "kind",
        "threshold_before",
        "threshold_after",
        "tolerated_error",
        "cases",
        "since",
        "until",
        "applied_by",
        "applied_at",
    )
    readonly_fields = ("of_policy", "applied_by")

    @admin.display(description="Policy")
    def of_policy(self, evidence: ThresholdEvidence) -> str:
        return str(evidence.policy_version)

    @admin.display(description="Advice")
    def words(self, evidence: ThresholdEvidence) -> SafeString:
        return shown(evidence.report.get("words", ""))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        if evidence := kwargs.get("obj"):
            report = evidence.report
            context |= {
                "report": report,
                "trial": Trial.from_json(report["trial"]) if report.get("trial") else None,
                "since": threshold_changes.since(evidence),
            }
        return super().render_change_form(request, context, **kwargs)

    def get_urls(self):
        routes = (
            ("advice/", self.advice_view, "feedback_thresholds"),
            ("what-if/", self.what_if_view, "feedback_what_if"),
            ("apply/", self.apply_view, "feedback_threshold_apply"),
            ("learn/", self.learn_view, "feedback_weights_learn"),
            ("adopt/", self.adopt_view, "feedback_weights_adopt"),
            ("shadow/", self.shadow_view, "feedback_weights_shadow"),
            ("back/", self.back_view, "feedback_weights_back"),
        )
        return [
            *(path(at, self.admin_site.admin_view(view), name=name) for at, view, name in routes),
            *super().get_urls(),
        ]

    # --- pages ----------------------------------------------------------------------------------------------------

    @method_decorator(require_safe)
    def advice_view(self, request: HttpRequest) -> HttpResponse:
        """What the evidence says of one policy."""
        policies = self._policies(request)
        days = int(chosen) if (chosen := request.GET.get("days", "")) in {str(span) for span, _ in SPANS} else USUAL
        context = {**self.admin_site.each_context(request), "title": "Thresholds", "days": days, "policy": None}
        if policies:
            wanted = request.GET.get("policy", "")
            policy = next((one for one in policies if str(one.pk) == wanted), policies[0])
            context |= {"policy": policy, **content_of(policy, days)}
            context |= {
                "form": ChooseForm({"policy": str(policy.pk), "days": days}, policies),
                "may_change": rights_of(request).has(CHANGE, policy.tenant_id),
            }
        return TemplateResponse(request, "admin/feedback/thresholds.html", context)

    @method_decorator(require_safe)
    def what_if_view(self, request: HttpRequest) -> HttpResponse:
        """Past cases through a changed policy; computes and saves nothing."""
        policy = self._policy(request, request.GET.get("policy"))
        versions = list(LearnedWeights.objects.filter(policy=policy)[:SHOWN])
        is_asked = set(request.GET) - {"policy"}
        form = WhatIfForm(request.GET if is_asked else None, policy, versions)
        found = replay(policy, form.cleaned_data["document"]) if is_asked and form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": "What if?",
            "policy": policy,
            "form": form,
            "found": found,
            "staffing": staffing_rows(staffing_change.of_replay(policy, found)) if found else None,
            "routes": [route.label for route in Route],
        }
        return TemplateResponse(request, "admin/feedback/what_if.html", context)

    # --- acts -----------------------------------------------------------------------------------------------------

    def apply_view(self, request: HttpRequest) -> HttpResponse:
        def act(policy: Policy, sent: dict[str, Any]) -> str:
            kept = threshold_changes.apply(
                policy.pk,
                days=sent["days"],
                threshold=sent["threshold"] or 0.0,
                version=sent["version"],
                actor=request.user,
                reason=sent["reason"],
            )
            return (
                f"Version {kept.policy_version.number} lets drafts pass above {threshold_words(kept.threshold_after)}."
            )

        return self._act(request, act)

    def learn_view(self, request: HttpRequest) -> HttpResponse:
        def act(policy: Policy, sent: dict[str, Any]) -> str:
            weights = learning.learn(policy, actor=request.user)
            return (
                f"Fitted on {weights.fitted_on:,} decisions, compared on {weights.compared_on:,}. Nothing changed yet."
            )

        return self._act(request, act, needs_reason=False)

    def adopt_view(self, request: HttpRequest) -> HttpResponse:
        def act(policy: Policy, sent: dict[str, Any]) -> str:
            kept = learning.adopt(
                _weights(policy, sent).pk,
                version=sent["version"],
                days=sent["days"],
                actor=request.user,
                reason=sent["reason"],
            )
            return f"Version {kept.policy_version.number} judges by {kept.learned}."

        return self._act(request, act)

    def shadow_view(self, request: HttpRequest) -> HttpResponse:
        def act(policy: Policy, sent: dict[str, Any]) -> str:
            shadow = learning.run_in_shadow(_weights(policy, sent), actor=request.user, reason=sent["reason"])
            return f"The shadow policy “{shadow}” judges what comes in from now on, without effect."

        return self._act(request, act)

    def back_view(self, request: HttpRequest) -> HttpResponse:
        def act(policy: Policy, sent: dict[str, Any]) -> str:
            kept = learning.go_back(
                policy.pk, version=sent["version"], days=sent["days"], actor=request.user, reason=sent["reason"]
            )
            return f"Version {kept.policy_version.number} judges by the weights set by hand."

        return self._act(request, act)

    @method_decorator(require_POST)
    def _act(
        self, request: HttpRequest, act: Callable[[Policy, dict[str, Any]], str], *, needs_reason: bool = True
    ) -> HttpResponse:
        form = ActForm(request.POST)
        policy = self._policy(request, request.POST.get("policy"))
        if not form.is_valid():
            raise Http404("No such act.")
        sent = form.cleaned_data
        if needs_reason and not sent["reason"]:
            messages.error(request, "Say why. Nothing was changed.")
        else:
            try:
                messages.success(request, act(policy, sent))
            except Denied as error:
                keep_denial(error)
                raise PermissionDenied(error.message) from error
            except CountersignError as error:
                messages.error(request, error.message)
        query = urlencode({"policy": policy.pk, "days": sent["days"]})
        return redirect(f"{reverse('admin:feedback_thresholds')}?{query}")

    # --- whose ----------------------------------------------------------------------------------------------------

    def _visible(self, request: HttpRequest) -> QuerySet[Policy]:
        if not self.has_view_permission(request):
            raise PermissionDenied("Supervisors, compliance staff and admins see what the evidence says.")
        rows = rights_of(request).within(Policy.objects.select_related("tenant"), VIEW)
        return rows.filter(version__gt=0, tenant__is_active=True).order_by("tenant__slug", "domain")

    def _policies(self, request: HttpRequest) -> list[Policy]:
        return list(self._visible(request)[:POLICIES])

    def _policy(self, request: HttpRequest, named: str | None) -> Policy:
        visible = self._visible(request)
        try:
            policy = visible.filter(pk=forms.UUIDField().clean(named or "")).first()
        except forms.ValidationError:
            policy = None
        if policy is None:
            raise Http404("No such policy.")
        return policy


def _weights(policy: Policy, sent: dict[str, Any]) -> LearnedWeights:
    weights = LearnedWeights.objects.filter(policy=policy, pk=sent["weights"]).select_related("policy__tenant").first()
    if weights is None:
        raise Http404("No such weights.")
    return weights
