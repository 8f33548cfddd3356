"""The routing sandbox: where would a case go, and why not elsewhere. Nothing is written."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from cases.ids import from_wire
from cases.models import Case, Tenant
from cases.permissions import visible_to
from cases.rights import rights_of
from cases.vocabulary import Risk, Route

from ..models import Entry, Queue, Skill
from ..routing import CaseFacts, NoQueue, PassedOver, Placement, duration_words, explain, language_of
from ..services.entries import Arrival
from ..services.placing import authorities_of, authority_codes, case_facts, queue_facts, routed_queues, time_left
from ..services.warnings import QueueWarning, warnings_of

REVIEWED = [choice for choice in Route.choices if choice[0] != Route.AUTO_APPROVE]
SHOWN = 100  # other queues; the rest is counted
ANY_CHOICE = ("", "none")


class FactsForm(forms.Form):
    """The facts of an imagined case, or the id of a case that is there."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    case = forms.CharField(
        required=False,
        max_length=200,
        label="Case",
        help_text="An external id or a case id. Its own facts then stand for those beside it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    domain = forms.CharField(required=False, max_length=50)
    language = forms.CharField(
        required=False, max_length=35, help_text="For example en or de-AT. Empty: the case names none."
    )
    risk = forms.ChoiceField(choices=Risk.choices, initial=Risk.MEDIUM)
    route = forms.ChoiceField(choices=REVIEWED, initial=Route.QUICK_REVIEW)
    authority = forms.ChoiceField(required=False, help_text="What its proposed action needs.")
    skill = forms.ChoiceField(required=False, help_text="What a tag such as skill:law asks for.")
    due_minutes = forms.IntegerField(
        required=False,
        min_value=-525_600,
        max_value=525_600,
        label="Wanted within minutes",
        help_text="The caller's own deadline.",
    )

    def __init__(self, data: Any, *, tenants: QuerySet[Tenant], tenant: Tenant) -> None:
        """``tenants`` may be chosen; the choices of the other fields are those of ``tenant``."""
        sent = data if any(name in data for name in self.base_fields if name != "tenant") else None
        if sent is not None and "tenant" not in sent:
            sent = {**sent.dict(), "tenant": str(tenant.pk)}
        super().__init__(sent, initial={"tenant": tenant.pk})
        self.fields["tenant"].queryset = tenants
        if len(tenants[:2]) == 1:
            self.fields["tenant"].widget = forms.HiddenInput()
        codes = authority_codes([tenant.pk]).get(tenant.pk, [])
        self.fields["authority"].choices = [ANY_CHOICE, *((code, code) for code in codes)]
        skills = Skill.objects.filter(tenant=tenant).order_by("name").values_list("code", "name")
        self.fields["skill"].choices = [ANY_CHOICE, *skills]
        for name in ("risk", "route"):
            self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not cleaned.get("case") and not cleaned.get("domain") and "domain" not in self.errors:
            self.add_error("domain", ValidationError("Name a domain, or a case."))
        return cleaned


@dataclass(frozen=True)
class Answer:
    """What the page shows: the facts that were routed, where they lead, and the case that they came from."""

    facts: CaseFacts
    placement: Placement
    queue: Queue
    others: list[tuple[Queue, PassedOver]]
    unshown: int
    case: Case | None = None
    entry: Entry | None = None

    @property
    def due_words(self) -> str:
        due = self.facts.due_in
        if due is None:
            return "no deadline of the caller's"
        return f"in {duration_words(due)}" if due >= timedelta(0) else "already past"


def routing_view(request: HttpRequest, context: dict[str, Any], right: str) -> HttpResponse:
    """The page; ``context`` is the admin's and ``right`` what a tenant must grant for its queues to be shown."""
    tenants = rights_of(request).tenants(right).filter(is_active=True).order_by("slug")
    tenant = _chosen(request, tenants)
    form = answer = None
    problems: list[tuple[Queue, list[QueueWarning]]] = []
    if tenant is not None:
        form = FactsForm(request.GET, tenants=tenants, tenant=tenant)
        queues = list(routed_queues([tenant.pk]))
        if form.is_valid():
            answer = _answer(request, form, tenant, queues)
        found = warnings_of(queues)
        problems = [(queue, found[queue.pk]) for queue in queues if found.get(queue.pk)]
    context |= {"title": "Where would a case go?", "form": form, "answer": answer, "problems": problems}
    return TemplateResponse(request, "admin/queues/queue/routing.html", context)


def _chosen(request: HttpRequest, tenants: QuerySet[Tenant]) -> Tenant | None:
    """The tenant that the address names among one's own, else the first."""
    try:
        named = forms.UUIDField(required=False).clean(request.GET.get("tenant", ""))
    except ValidationError:
        named = None
    return (tenants.filter(pk=named).first() if named else None) or tenants.first()


def _answer(request: HttpRequest, form: FactsForm, tenant: Tenant, queues: list[Queue]) -> Answer | None:
    known = [queue_facts(queue) for queue in queues]
    sent, case, entry = form.cleaned_data, None, None
    if sent["case"]:
        case = _case(request, tenant, sent["case"])
        if case is None:
            form.add_error("case", "No case that you may see has this id.")
            return None
        entry = case.entries.select_related("queue").first()
        arrival = Arrival(case, case.current_draft)
        facts = case_facts(
            case,
            arrival.route,
            known,
            authority=authorities_of([case]).get(case.pk, ""),
            wanted_in=time_left(case.wanted_by, case.opened_at),
        )
    else:
        language, is_assumed = language_of(sent["language"], tenant.fallback_language)
        minutes = sent["due_minutes"]
        facts = CaseFacts(
            domain=sent["domain"],
            language=language,
            risk=sent["risk"] or Risk.MEDIUM,
            route=sent["route"] or Route.QUICK_REVIEW,
            authority_code=sent["authority"],
            skill=sent["skill"] if sent["skill"] in {one.skill for one in known} else "",
            due_in=None if minutes is None else timedelta(minutes=minutes),
            is_language_assumed=is_assumed,
        )
    try:
        placement = explain(facts, known)
    except NoQueue as error:
        form.add_error(None, error.message)
        return None
    rows = {queue.slug: queue for queue in queues}
    others = [(rows[other.queue.slug], other) for other in placement.others[:SHOWN]]
    unshown = len(placement.others) - len(others)
    return Answer(facts, placement, rows[placement.queue.slug], others, unshown, case, entry)


def _case(request: HttpRequest, tenant: Tenant, name: str) -> Case | None:
    cases = visible_to(request.user, Case.objects.select_related("tenant", "current_draft")).filter(tenant=tenant)
    key = from_wire(Case.PREFIX, name)
    return cases.filter(pk=key).first() if key else cases.filter(external_id=name).first()
