"""How far reviewers agree: by queue, by domain, and by pair for those who may see people."""

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from cases.models import Case
from cases.rights import rights_of
from cases.veil import veiled

from ..agreement import SMALL
from ..services.agreeing import WINDOW, Cut, Pairing, agreement_of, behind

RIGHT_OF = {Cut.QUEUE: "view_metrics", Cut.DOMAIN: "view_metrics", Cut.PAIR: "view_people"}


def agreement_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """``by`` is the cut, ``key`` opens the cases behind one of its numbers, ``tenant`` chooses among several."""
    asked = request.GET.get("by", "")
    cut = Cut(asked) if asked in Cut.values else Cut.QUEUE
    rights = rights_of(request)
    if not rights.has("view_metrics") or not rights.has(RIGHT_OF[cut]):
        raise PermissionDenied("You may not see how far reviewers agree.")
    tenants = list(rights.tenants(RIGHT_OF[cut]).order_by("slug")[:100])
    slug = request.GET.get("tenant", "")
    tenant = next((one for one in tenants if one.slug == slug), tenants[0] if tenants else None)
    key = request.GET.get("key", "")[:200]
    context = {
        **site.each_context(request),
        "title": "Agreement",
        "cut": cut,
        "cuts": [one for one in Cut if rights.has(RIGHT_OF[one])],
        "tenant": tenant,
        "tenants": tenants if len(tenants) > 1 else (),
        "rows": agreement_of(tenant, cut) if tenant else (),
        "key": key,
        "cases": _shown(request, behind(tenant, cut, key)) if tenant and key else (),
        "may_see_people": rights.has("view_people"),
        "small": SMALL,
        "days": WINDOW.days,
    }
    return TemplateResponse(request, "admin/feedback/agreement.html", context)


def _shown(request: HttpRequest, found: list[Pairing]) -> list[Pairing]:
    """Without the cases of which the reader may not see what was said."""
    cases = Case.objects.filter(veiled(request.user), pk__in=[one.case_id for one in found])
    hidden = set(cases.values_list("pk", flat=True))
    return [one for one in found if one.case_id not in hidden]
