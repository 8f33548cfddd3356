"""The page of releases: where each one stands in its cautious start, and what people found of it so far."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from cases.models import Release

from ..advisor.intervals import Sums
from ..advisor.wording import percent, threshold_words
from ..metrics.reading import zone_of
from ..route_quality import PRIOR, WINDOW
from ..services.releases import SHOWN, InDomain, Standing, standings
from .tenant_choice import chosen_tenant


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The releases of one tenant, the newest first, for those who may see its metrics."""
    tenant, form = chosen_tenant(request)
    rows = Release.objects.filter(tenant=tenant).order_by("-first_seen_at", "-id")
    shown = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": "Releases",
        "form": form,
        "tenant": tenant,
        "page": shown,
        "standings": [_row(standing) for standing in standings(tenant, list(shown))],
        "days": WINDOW.days,
        "prior": PRIOR,
        "complete_until": zone_of(tenant)[1],
    }
    return TemplateResponse(request, "admin/feedback/releases.html", context)


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "release": standing.release,
        "left_out": standing.left_out,
        "domains": [_domain(one) for one in standing.domains],
    }


def _domain(one: InDomain) -> dict[str, Any]:
    return {
        "name": one.domain or "no case in this time",
        "policy": "its own" if one.is_own_policy else "every domain",
        "cases": one.cases,
        "stands": _stands(one),
        "is_cautious": one.is_cautious,
        "sampled": "–" if one.sampling is None else percent(one.sampling, 0),
        "threshold": "nothing passes" if one.threshold is None else threshold_words(one.threshold),
        "passed": one.passed,
        "looked_at": one.seen.n,
        "error": error_words(one.seen),
        "quality": f"{one.quality:.2f}",
    }


def _stands(one: InDomain) -> str:
    if one.rules is None:
        return "no policy can be read"
    if one.is_cautious:
        return f"cautious start: {one.reviews:,} of {one.needed:,} reviews"
    return f"past its start: {one.reviews:,} reviews, {one.needed:,} were needed"


def error_words(seen: Sums) -> str:
    """``1.1 % (0.6 to 1.9)``, the interval of 95 %; where nobody has looked, that nothing is known."""
    if seen.share is None:
        return "unknown"
    low, high = seen.interval
    return f"{percent(seen.share)} ({low * 100:.1f} to {high * 100:.1f})"
