"""How closely people look: one's own page, with the team's below it for those who look after training."""

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from cases.clock import db_now
from cases.rights import rights_of

from ..services import friction, habits
from ..services.dwells import is_recorded

SEES_OTHERS = "manage_challenges"
PLACES = 5  # tenants that one page shows


def habits_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    rights, now = rights_of(request), db_now()
    if not rights.has("view_review"):
        raise PermissionDenied
    places = []
    for tenant in rights.places[:PLACES]:
        found = friction.friction_of(request.user, tenant)
        places.append(
            {
                "tenant": tenant,
                "mine": habits.of_person(request.user, tenant, now=now),
                "friction": found,
                "dwells": is_recorded(tenant),
                "team": habits.of_team(tenant, now=now) if rights.allowed(SEES_OTHERS, tenant) else None,
            }
        )
    context = {
        **site.each_context(request),
        "title": "How closely we look",
        "places": places,
        "any_dwell": any(place["dwells"] for place in places),
        "may_keep": rights.has(SEES_OTHERS),
        "days": habits.WINDOW.days,
    }
    return TemplateResponse(request, "admin/feedback/habits.html", context)
