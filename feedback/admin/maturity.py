"""The report on maturity: how far the AI may be trusted in each domain, as a page and as CSV."""

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from cases.clock import db_now
from cases.models import Tenant
from cases.rights import rights_of

from ..maturity import interval_words, recommendation, share_words, stage_of
from ..row_files import formula_safe
from ..services.maturing import DomainReport, report_of

VIEW = "view_metrics"
TENANTS = 100
COLUMNS = (
    "domain",
    "quarter",
    "cases",
    "automatic_share",
    "decisions",
    "override_rate",
    "override_low",
    "override_high",
    "agreement_alpha",
    "agreement_cases",
    "samples",
    "automatic_error",
    "automatic_error_low",
    "automatic_error_high",
    "tolerated_error",
    "stage",
    "recommendation",
)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """``tenant`` chooses among several."""
    tenants = _tenants(request)
    slug = request.GET.get("tenant", "")
    tenant = next((one for one in tenants if one.slug == slug), tenants[0])
    context = {
        **admin.site.each_context(request),
        "title": "Maturity",
        "tenant": tenant,
        "tenants": tenants if len(tenants) > 1 else (),
        "reports": [(report, [_cells(one) for one in reversed(report.standings)]) for report in report_of(tenant)],
        "csv_url": f"{reverse('admin:maturity-csv')}?{urlencode({'tenant': tenant.slug})}",
    }
    return TemplateResponse(request, "admin/feedback/maturity.html", context)


@require_safe
def as_csv(request: HttpRequest) -> HttpResponse:
    """A row for each domain and quarter; shares in [0, 1], empty where nothing is known."""
    tenants = _tenants(request)
    slug = request.GET.get("tenant", tenants[0].slug)
    tenant = next((one for one in tenants if one.slug == slug), None)
    if tenant is None:
        raise Http404("No such report.")
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="maturity-{tenant.slug}-{db_now():%Y-%m-%d}.csv"'
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    writer = csv.writer(answer)
    writer.writerow(COLUMNS)
    for report in report_of(tenant):
        writer.writerows(_rows(report))
    return answer


def _tenants(request: HttpRequest) -> list[Tenant]:
    rights = rights_of(request)
    tenants = list(rights.tenants(VIEW).order_by("slug")[:TENANTS]) if rights.has(VIEW) else []
    if not tenants:
        raise PermissionDenied("Supervisors, compliance staff and admins see how far the AI may be trusted.")
    return tenants


def _cells(one: Any) -> dict[str, Any]:
    return {
        "quarter": one.name,
        "cases": one.cases,
        "automatic": share_words(one.automatic_share),
        "override": share_words(one.override_rate),
        "override_interval": interval_words(one.override_interval) if one.judged else "",
        "judged": one.judged,
        "alpha": "–" if one.alpha is None else f"{one.alpha:.2f}",
        "twofold": one.twofold,
        "error": share_words(one.error),
        "error_interval": interval_words(one.error_interval) if one.audits.n else "",
        "audited": one.audits.n,
    }


def _rows(report: DomainReport) -> Iterator[list[Any]]:
    before = None
    for one in report.standings:
        yield [
            formula_safe(one.domain),
            one.name,
            one.cases,
            _number(one.automatic_share),
            one.judged,
            _number(one.override_rate),
            *(map(_number, one.override_interval) if one.judged else ("", "")),
            _number(one.alpha),
            one.twofold,
            one.audits.n,
            _number(one.error),
            *(map(_number, one.error_interval) if one.audits.n else ("", "")),
            _number(report.tolerated),
            str(stage_of(one, report.tolerated)),
            recommendation(one, report.tolerated, before),
        ]
        before = one


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
