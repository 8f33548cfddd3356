"""The audit trail searched by case, person and window of time: for those who may see it, newest first, bounded."""

from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from cases.admin.fields import MomentField
from cases.ids import from_wire
from cases.models import Case, CaseEvent, User
from cases.rights import HeldRights, rights_of

FOUND = 100
PEOPLE = 20  # Names that a few letters may mean


class FindForm(forms.Form):
    use_required_attribute = False

    case = forms.CharField(label="Case", required=False, max_length=200, help_text="Its id or external id")
    person = forms.CharField(label="Person", required=False, max_length=150, help_text="User name or part of a name")
    since = MomentField(label="From (UTC)")
    until = MomentField(label="Until (UTC)")

    def clean(self) -> dict:
        values = super().clean()
        if values.get("since") and values.get("until") and values["since"] >= values["until"]:
            self.add_error("until", "This is not after the start.")
        return values


def find_events(asked: dict, rights: HeldRights) -> Sequence[CaseEvent]:
    """The newest events that fit what was ``asked``, of the tenants whose audit trail the person may see."""
    events = rights.within(CaseEvent.objects.all(), "view_audit")
    if term := asked.get("case"):
        cases = rights.within(Case.objects.filter(cases_named(term)), "view_audit")
        events = events.filter(case__in=cases.values("pk"))
    if term := asked.get("person"):
        events = events.filter(actor__in=list(people_named(term, rights).values_list("pk", flat=True)[:PEOPLE]))
    if asked.get("since"):
        events = events.filter(at__gte=asked["since"])
    if asked.get("until"):
        events = events.filter(at__lt=asked["until"])
    return list(events.select_related("case", "actor", "tenant").order_by("-at", "-id")[:FOUND])


def find_view(request: HttpRequest, context: dict) -> HttpResponse:
    """The form and what it finds. Without a question nothing is searched."""
    rights = rights_of(request)
    if not rights.has("view_audit"):
        raise PermissionDenied("The audit trail is for compliance staff.")
    form = FindForm(request.GET or None, label_suffix="")
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    found = find_events(asked, rights) if any(asked.values()) else None
    several = rights.sees_several()
    own = {"title": "Find in the audit trail", "form": form, "found": found, "most": FOUND, "several_tenants": several}
    return TemplateResponse(request, "admin/feedback/find.html", context | own)


def cases_named(term: str) -> Q:
    """Those with this id, wire id or external id."""
    term = term.replace("\x00", "").strip()
    if key := from_wire(Case.PREFIX, term) or _uuid(term):
        return Q(pk=key)
    return Q(external_id=term)


def people_named(term: str, rights: HeldRights) -> QuerySet[User]:
    """Of one's own tenants; who has left is found too, for what they did stays."""
    term = term.replace("\x00", "").strip()
    people = User.objects.all()
    if not rights.is_superuser:
        people = people.filter(memberships__tenant__in=rights.tenant_ids("view_audit"))
    named = Q(username__icontains=term) | Q(first_name__icontains=term) | Q(last_name__icontains=term)
    return people.filter(named).order_by("pk").distinct()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
