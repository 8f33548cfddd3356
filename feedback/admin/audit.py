"""The audit section: a tenant's whole trail searched, one case's timeline, and a selection taken along with its proof.

Nothing here writes but the trail itself: who opened a case's timeline, and who exported what.
"""

from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from approvals.models import ProposedAction
from cases.admin.fields import MomentField
from cases.admin.scoped import refuse
from cases.clock import db_now
from cases.errors import CountersignError
from cases.ids import from_wire
from cases.models import Case, CaseEvent, DataView, Tenant
from cases.permissions import Denied
from cases.rights import HeldRights, rights_of
from cases.services.data_views import keep_view

from ..audit import exporting
from ..audit.sources import sources
from ..audit.trail import Cursor, Question, TooMuchToRead
from ..audit.trail import page as page_of
from ..audit.wording import lines
from .finding import PEOPLE, cases_named, people_named

RIGHT = "view_audit"
TENANTS = 200


class TrailForm(forms.Form):
    """What is looked for; empty is everything."""

    use_required_attribute = False

    tenant = forms.ChoiceField(label="Tenant", required=False)
    case = forms.CharField(label="Case", required=False, max_length=200, help_text="Its id or external id")
    person = forms.CharField(label="Person", required=False, max_length=150, help_text="User name or part of a name")
    action = forms.CharField(label="Action", required=False, max_length=60, help_text="Its id: act_…")
    kind = forms.ChoiceField(label="Event", required=False, choices=[("", "Any"), *CaseEvent.Kind.choices])
    source = forms.ChoiceField(label="Where", required=False)
    request = forms.CharField(label="Request", required=False, max_length=64, help_text="The id of a request or task")
    since = MomentField(label="From (UTC)")
    until = MomentField(label="Until (UTC)")

    def __init__(self, data: Any, tenants: list[Tenant], question: Question) -> None:
        super().__init__(data, label_suffix="")
        self.fields["tenant"].choices = [(one.slug, one.name) for one in tenants]
        self.fields["source"].choices = [
            ("", "Everywhere"),
            *((one.name, one.words) for one in sources() if one.tenant and question.may(one.right)),
        ]
        if len(tenants) == 1:
            del self.fields["tenant"]

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("since") and values.get("until") and values["since"] >= values["until"]:
            self.add_error("until", "This is not after the start.")
        if values.get("kind") and values.get("source"):
            self.add_error("source", "An event of one kind is looked for among the events: leave one of the two empty.")
        return values


class ReasonForm(forms.Form):
    use_required_attribute = False

    reason = forms.CharField(label="Why you take them along", max_length=200, help_text="Stands in the audit trail.")


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The trail of one tenant, newest first, and what is looked for in it."""
    question, form, refusal = _asked(request)
    return _show(request, question, form, refusal, title="Audit trail")


@require_GET
def case_page(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Everything of one case. Another tenant's is as unknown as none."""
    question, case = _of_case(request, case_id)
    keep_view(request.user, case, DataView.What.AUDIT, at=db_now())
    return _show(request, question, None, "", title=f"Audit timeline of case {_name(case)}", case=case)


@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """The rows that were ticked, or everything that is found, as a zip with the proof of each."""
    case_id = _uuid(request.GET.get("of", ""))
    if case_id:
        question, case = _of_case(request, case_id)
        back = reverse("admin:audit-case", args=[case.pk])
    else:
        question, form, refusal = _asked(request)
        back = f"{reverse('admin:audit')}?{request.GET.urlencode()}"
        if refusal or (form.is_bound and not form.is_valid()):
            return HttpResponseRedirect(back)
    reason = ReasonForm(request.POST)
    if not reason.is_valid():
        messages.error(request, "Say why you take the rows along: it stands in the audit trail. Nothing was exported.")
        return HttpResponseRedirect(back)
    try:
        if "everything" in request.POST:
            selection = exporting.everything(question)
        else:
            selection = exporting.chosen(question, request.POST.getlist("row"))
        made = exporting.file_of(question, selection, reason.cleaned_data["reason"])
    except Denied as error:
        return refuse(request, error)
    except CountersignError as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(back)
    name = f"audit-{question.tenant.slug}-{db_now():%Y%m%d-%H%M%S}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(made, content_type="application/zip", headers=headers)


def _show(
    request: HttpRequest,
    question: Question,
    form: TrailForm | None,
    unknown: str,
    *,
    title: str,
    case: Case | None = None,
) -> HttpResponse:
    rows, has_more, refusal = [], False, unknown
    if not unknown and (form is None or not form.is_bound or form.is_valid()):
        try:
            rows, has_more = page_of(question, Cursor.parse(request.GET.get("after", "")))
        except TooMuchToRead as error:
            refusal = error.message
    asked = {name: value for name, value in request.GET.items() if name != "after" and value}
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "case": case,
        "tenant": question.tenant,
        "lines": lines(rows, question.tenant, partial(exporting.may_export, question)),
        "refusal": refusal,
        "is_later_page": "after" in request.GET,
        "asked": urlencode({"of": case.pk} if case else asked),
        "first_url": f"?{urlencode(asked)}",
        "next_url": f"?{urlencode(asked | {'after': rows[-1].cursor})}" if has_more else "",
        "reason": ReasonForm(label_suffix=""),
    }
    return TemplateResponse(request, "admin/feedback/audit.html", context)


# --- what is asked ---------------------------------------------------------------------------------------------------


def _asked(request: HttpRequest) -> tuple[Question, TrailForm, str]:
    """The question, its form, and in words what it names that does not exist."""
    rights = rights_of(request)
    tenants = list(rights.tenants(RIGHT).order_by("slug")[:TENANTS]) if rights.has(RIGHT) else []
    if not tenants:
        raise PermissionDenied("The audit trail is for compliance staff.")
    tenant = next((one for one in tenants if one.slug == request.GET.get("tenant")), tenants[0])
    base = _question(request, rights, tenant)
    form = TrailForm(request.GET or None, tenants, base)
    if not form.is_bound or not form.is_valid():
        return base, form, ""
    named, unknown = _named(base, form.cleaned_data, rights)
    values = {name: form.cleaned_data[name] for name in ("kind", "source", "request", "since", "until")}
    return replace(base, **values, **named), form, unknown


def _named(base: Question, values: dict[str, Any], rights: HeldRights) -> tuple[dict[str, Any], str]:
    """The case, action and people that are named, by key; and in words which of them the tenant does not have."""
    named: dict[str, Any] = {}
    if term := values["case"]:
        case = Case.objects.filter(cases_named(term), tenant=base.tenant).first()
        if case is None:
            return {}, "No case of the tenant has this id."
        named["case"] = case.pk
    if term := values["action"]:
        key = from_wire(ProposedAction.PREFIX, term.strip())
        action = ProposedAction.objects.filter(pk=key, tenant=base.tenant).first() if key else None
        if action is None:
            return {}, "No action of the tenant has this id."
        named["action"] = action.pk
    if term := values["person"]:
        named["people"] = tuple(people_named(term, rights).values_list("pk", flat=True)[:PEOPLE])
        if not named["people"]:
            return {}, "Nobody is called so."
    return named, ""


def _question(request: HttpRequest, rights: HeldRights, tenant: Tenant, **asked: Any) -> Question:
    held = None if rights.is_superuser else rights.by_tenant.get(tenant.pk, frozenset())
    return Question(tenant, request.user, held, **asked)


def _of_case(request: HttpRequest, case_id: UUID) -> tuple[Question, Case]:
    rights = rights_of(request)
    if not rights.has(RIGHT):
        raise PermissionDenied("The audit trail is for compliance staff.")
    case = rights.within(Case.objects.filter(pk=case_id), RIGHT).select_related("tenant").first()
    if case is None:
        raise Http404
    return _question(request, rights, case.tenant, case=case.pk), case


def _name(case: Case) -> str:
    return case.external_id or case.wire_id[:18]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
