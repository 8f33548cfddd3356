"""The insights page, and the cases behind each of its numbers."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases.models import Tenant
from cases.rights import HeldRights, rights_of
from cases.rules_document import DOMAIN
from cases.veil import veiled_among

from ..metrics.behind import facts_behind, step_named
from ..metrics.definitions import BY_METRIC, METRICS, Dimension
from ..metrics.insights import PICTURED, WEEKDAYS, domains_of, groups_of, look
from ..metrics.names import key_of, names_of
from ..metrics.overview import window
from ..metrics.reading import BadQuestion, Question, full_hours, zone_of
from .tenant_choice import tenants_of

SPANS = ((1, "Today"), (7, "7 days"), (28, "28 days"), (91, "13 weeks"), (364, "52 weeks"))
BY = (Dimension.DOMAIN, Dimension.QUEUE, Dimension.RISK, Dimension.RELEASE, Dimension.ROUTE)


class InsightsForm(forms.Form):
    """What the page shows. A value that is not offered counts as not chosen."""

    tenant = forms.ChoiceField(required=False)
    days = forms.TypedChoiceField(choices=SPANS, coerce=int, required=False, empty_value=28, label="Window")
    domain = forms.ChoiceField(required=False)
    metric = forms.ChoiceField(choices=[(one.name, one.title) for one in PICTURED], required=False, label="Picture")
    by = forms.ChoiceField(required=False, label="Table by")

    def __init__(self, data: Any, *, tenants: list[Tenant], domains: list[str], by: tuple[Dimension, ...]) -> None:
        super().__init__(data, label_suffix="", use_required_attribute=False)
        self.fields["tenant"].choices = [(tenant.slug, tenant.name) for tenant in tenants]
        if len(tenants) == 1:
            self.fields["tenant"].widget = forms.HiddenInput()
        self.fields["domain"].choices = [("", "Every domain"), *((domain, domain) for domain in domains)]
        self.fields["by"].choices = [(one.value, one.value.capitalize()) for one in by]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """How the work goes in one tenant, for those who may see its metrics."""
    rights = rights_of(request)
    tenants = tenants_of(rights)
    tenant = next((one for one in tenants if one.slug == request.GET.get("tenant")), tenants[0])
    days = request.GET.get("days", "")
    days = int(days) if days in {str(span) for span, _ in SPANS} else 28
    by = (*BY, Dimension.REVIEWER) if rights.has("view_people", tenant.pk) else BY
    chosen_by = Dimension(_offered(request, "by", list(by), Dimension.QUEUE))
    domain = request.GET.get("domain", "")
    question, complete_until = window(tenant, days, domain=domain if DOMAIN.fullmatch(domain) else "")
    groups = groups_of(question, chosen_by)
    domains = domains_of(groups)
    if question.domain and question.domain not in domains:
        question = replace(question, domain="")
        groups = groups_of(question, chosen_by)
    chosen = {
        "tenant": tenant.slug,
        "days": days,
        "domain": question.domain,
        "metric": _offered(request, "metric", [one.name for one in PICTURED], "escalation_rate"),
        "by": chosen_by,
    }
    context = {
        **admin.site.each_context(request),
        "title": "Insights",
        "form": InsightsForm(chosen, tenants=tenants, domains=domains, by=by),
        "tenant": tenant,
        "seen": look(
            tenant,
            question,
            complete_until,
            metric=BY_METRIC[chosen["metric"]],
            by=chosen_by,
            groups=groups,
        ),
        "hours": range(24),
        "definitions": METRICS,
    }
    return TemplateResponse(request, "admin/feedback/insights.html", context)


@require_safe
def cases_page(request: HttpRequest) -> HttpResponse:
    """The cases behind one number: found by the condition that counted it."""
    rights = rights_of(request)
    tenant = next((one for one in tenants_of(rights) if one.slug == request.GET.get("tenant")), None)
    if tenant is None:
        raise Http404("No such list.")
    step = step_named(request.GET.get("of", ""))
    if step is None:
        raise Http404("No such list.")
    try:
        question, kept = _asked(request, tenant, rights)
        slot = _slot(request)
        facts, has_more = facts_behind(
            question, step.measures, less=step.less, slot=slot, after=request.GET.get("after", "")
        )
    except (BadQuestion, ValueError, OverflowError) as error:
        raise Http404("No such list.") from error
    hidden = veiled_among([fact.case for fact in facts], request.user)
    following = request.GET.copy()
    if has_more:
        following["after"] = facts[-1].cursor
    context = {
        **admin.site.each_context(request),
        "title": step.words,
        "step": step,
        "tenant": tenant,
        "question": question,
        "kept": [*kept, *([f"{WEEKDAYS[slot[0] - 1]}, {slot[1]:02}:00 to {slot[1]:02}:59"] if slot else [])],
        "complete_until": zone_of(tenant)[1],
        "facts": [fact for fact in facts if fact.case.pk not in hidden],
        "next_url": f"{reverse('admin:insights-cases')}?{following.urlencode()}" if has_more else "",
        "is_later_page": "after" in request.GET,
        "zone": question.zone,
    }
    return TemplateResponse(request, "admin/feedback/insights_cases.html", context)


def _offered(request: HttpRequest, name: str, offered: list, otherwise: str) -> str:
    sent = request.GET.get(name, "")
    return sent if sent in offered else otherwise


def _asked(request: HttpRequest, tenant: Tenant, rights: HeldRights) -> tuple[Question, list[str]]:
    """The question of a link, and what it keeps in words. Raises ``BadQuestion`` or ``ValueError``."""
    zone, _ = zone_of(tenant)
    start, end = (_instant(request.GET.get(name, "")) for name in ("from", "to"))
    start, end = full_hours(start, end, zone)
    named = [one for one in Dimension if one != Dimension.DOMAIN and one in request.GET]
    if len(named) > 1:
        raise BadQuestion
    domain, only, kept = request.GET.get("domain", ""), None, []
    if domain:
        kept.append(f"domain {domain}")
    if named:
        (dimension,) = named
        if dimension == Dimension.REVIEWER and not rights.has("view_people", tenant.pk):
            raise PermissionDenied("Who may see people may see their figures.")
        key = key_of(tenant, dimension, request.GET[dimension])
        if key is None:
            raise BadQuestion
        only = (dimension, key)
        name = names_of(tenant, dimension, [key]).get(key)
        kept.append(f"{dimension} {name.words if name else 'none'}")
    return Question(tenant.pk, zone, start, end, domain=domain, only=only), kept


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or not 1970 <= at.year < 9000:
        raise ValueError
    return at


def _slot(request: HttpRequest) -> tuple[int, int] | None:
    if "weekday" not in request.GET:
        return None
    weekday, hour = int(request.GET["weekday"]), int(request.GET.get("hour", ""))
    if not (1 <= weekday <= 7 and 0 <= hour <= 23):
        raise ValueError
    return weekday, hour
