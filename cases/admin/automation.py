"""The automation page: what runs, the button that stops it, the way back in stages, and recalls."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..models import AutomationSwitch, BreakerAlarm, RecallRun, ResumeRequest, SelfTest, Tenant
from ..models.policies import CODE, DOMAIN_NAME
from ..rights import HeldRights, rights_of
from ..services import breakers, recalls, switch
from ..services.impact import counted, impact_of
from ..vocabulary import Depth, Stage
from .history import HistoryPages
from .scoped import ReadOnlyAdmin, refuse

EVERYWHERE = "everywhere"
PAGE = "admin:cases_automationswitch_changelist"
RECALLS_SHOWN, REQUESTS_SHOWN, ALARMS_SHOWN = 10, 20, 20


def reason_field() -> forms.CharField:
    return forms.CharField(
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Shown to everybody whose work changes.",
    )


class ScopeForm(forms.Form):
    """Where something is to stop or to run. The service asks for the right to it."""

    where = forms.ChoiceField(label="For")
    domain = forms.CharField(required=False, max_length=50, validators=[DOMAIN_NAME], help_text="Empty: every domain.")
    action = forms.CharField(required=False, max_length=50, validators=[CODE], help_text="Empty: every action.")

    def __init__(self, *args, rights: HeldRights, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.tenants = {str(tenant.pk): tenant for tenant in rights.places_of("stop_automation")}
        everywhere = [(EVERYWHERE, "Every tenant")] if rights.is_superuser else []
        self.fields["where"].choices = [(key, tenant.name) for key, tenant in self.tenants.items()] + everywhere

    def scope(self) -> switch.Scope:
        tenant = self.tenants.get(self.cleaned_data["where"])  # None for every tenant.
        return switch.Scope(tenant, self.cleaned_data["domain"], self.cleaned_data["action"])


class StopForm(ScopeForm):
    depth = forms.TypedChoiceField(
        label="How deep it cuts", choices=Depth.choices, coerce=int, initial=Depth.DECISIONS, widget=forms.RadioSelect
    )
    reason = reason_field()


class ResumeForm(ScopeForm):
    stage = forms.TypedChoiceField(
        label="How far",
        choices=Stage.choices,
        coerce=int,
        empty_value=Stage.PEOPLE,
        initial=Stage.TENTH,
        required=False,
        widget=forms.RadioSelect,
    )
    reason = reason_field()


class RecallForm(forms.Form):
    """Since when, and where, automatic approvals go back to people."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), empty_label=None)
    domain = forms.CharField(required=False, max_length=50, validators=[DOMAIN_NAME], help_text="Empty: every domain.")
    since = forms.DateTimeField(
        help_text="UTC, such as 2027-05-09 14:30. What was approved automatically since then goes back.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        input_formats=["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
    reason = reason_field()

    def __init__(self, *args, rights: HeldRights, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = rights.tenants("reopen_case")


@admin.register(AutomationSwitch)
class AutomationSwitchAdmin(ReadOnlyAdmin, HistoryPages):
    """No plain form: a switch moves by its service, which takes the lock and writes the event."""

    view_right = "view_automation"
    fields = ("tenant", "domain", "action", "is_enabled", "share", "depth", "reason", "who", "changed_at")
    readonly_fields = ("who",)

    def get_urls(self):
        own = [
            path("recall/", self.admin_site.admin_view(self.recall), name="cases_automationswitch_recall"),
            path(
                "requests/<int:request_id>/",
                self.admin_site.admin_view(self.answer),
                name="cases_automationswitch_answer",
            ),
        ]
        return own + super().get_urls()

    @admin.display(description="Changed by")
    def who(self, row: AutomationSwitch) -> str:
        return str(row.changed_by)

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        """The state of every scope that the person sees, and the forms for those that they may move."""
        rights = rights_of(request)
        stop_form, resume_form = self._forms(request, rights)
        for form, move in ((stop_form, self._stop), (resume_form, self._resume)):
            if form.is_bound and form.is_valid():
                return move(request, form)
        context = {
            **self.admin_site.each_context(request),
            **_state(request, rights, self.view_right),
            "opts": self.opts,
            "title": "Automation",
            "stop_form": stop_form,
            "resume_form": resume_form,
            "may_stop": rights.has("stop_automation"),
            "may_resume": rights.has("resume_automation"),
            "may_see_shadows": rights.has("view_policy"),
            "may_recall": rights.has("reopen_case"),
            "impact": _impact(request, rights),
        }
        return TemplateResponse(request, "admin/cases/automationswitch/change_list.html", context)

    def _forms(self, request: HttpRequest, rights: HeldRights) -> tuple[StopForm, ResumeForm]:
        """The one that was sent is bound; what the preview asked for is filled in again."""
        sent, asked = request.POST, _asked(request)
        where = {name: asked[name] for name in asked if name in ScopeForm.base_fields}
        return (
            StopForm(sent if "stop" in sent else None, rights=rights, initial=asked, auto_id="stop_%s"),
            ResumeForm(sent if "resume" in sent else None, rights=rights, initial=where, auto_id="resume_%s"),
        )

    def _stop(self, request: HttpRequest, form: StopForm) -> HttpResponse:
        depth = Depth(form.cleaned_data["depth"])
        try:
            switch.stop(form.scope(), actor=request.user, reason=form.cleaned_data["reason"], depth=depth)
        except CountersignError as error:
            return refuse(request, error)
        held = " Nothing that people approve is dispatched either." if depth == Depth.DISPATCH else ""
        messages.success(request, f"Stopped. No automatic decision commits here any more.{held}")
        return redirect(PAGE)

    def _resume(self, request: HttpRequest, form: ResumeForm) -> HttpResponse:
        stage, reason = Stage(form.cleaned_data["stage"]), form.cleaned_data["reason"]
        try:
            resumed = switch.resume(form.scope(), actor=request.user, reason=reason, stage=stage)
        except CountersignError as error:
            return refuse(request, error)
        if resumed.request:
            messages.warning(request, "Nothing has changed yet: another person has to confirm this, within a day.")
        else:
            messages.success(request, f"{stage.label}. A wider stop still stops it.")
        return redirect(PAGE)

    def answer(self, request: HttpRequest, request_id: int) -> HttpResponse:
        """A second person confirms a wish to resume, or somebody refuses it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        waiting = rights_of(request).within(ResumeRequest.objects.all(), "resume_automation")
        if not waiting.filter(pk=request_id).exists():
            messages.error(request, "There is no such request. Nothing was changed.")
            return redirect(PAGE)
        try:
            if "confirm" in request.POST:
                switch.confirm(request_id, actor=request.user)
                messages.success(request, "Confirmed. Automation has moved to this stage.")
            else:
                switch.refuse(request_id, actor=request.user)
                messages.success(request, "Refused. Nothing was changed.")
        except CountersignError as error:
            messages.error(request, error.message)
        return redirect(PAGE)

    def recall(self, request: HttpRequest) -> HttpResponse:
        """First how many it would be, then the confirmation."""
        rights = rights_of(request)
        if not rights.has("reopen_case"):
            return self._refuse_recall(request)
        form = RecallForm(request.POST or None, rights=rights)
        found = None
        if request.method == "POST" and form.is_valid():
            asked = {name: form.cleaned_data[name] for name in ("since", "domain")} | {"actor": request.user}
            tenant = form.cleaned_data["tenant"]
            try:
                if "confirm" in request.POST:
                    recalls.ask(tenant, reason=form.cleaned_data["reason"], **asked)
                    messages.success(request, "The recall has begun. This page shows how far it is.")
                    return redirect(PAGE)
                found = recalls.preview(tenant, **asked)
            except CountersignError as error:
                form.add_error(None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Recall automatic approvals",
            "form": form,
            "found": None if found is None else counted(found),
            "is_none": found == 0,
            "runs_on": found is not None and _runs(form),
        }
        return TemplateResponse(request, "admin/cases/automationswitch/recall.html", context)

    @staticmethod
    def _refuse_recall(request: HttpRequest) -> HttpResponse:
        messages.error(request, "You may not recall cases. Ask a supervisor.")
        return redirect(PAGE)


def _runs(form: RecallForm) -> bool:
    return switch.read(form.cleaned_data["tenant"], domain=form.cleaned_data["domain"]).allowed


def _asked(request: HttpRequest) -> dict[str, str]:
    """What the preview is asked of: by its button, with everything else that was filled in, or by the address."""
    sent = request.POST if "preview" in request.POST else request.GET
    return {name: sent[name] for name in ("where", "domain", "action", "depth", "reason") if sent.get(name)}


def _impact(request: HttpRequest, rights: HeldRights) -> dict[str, Any] | None:
    """What a stop of the asked scope would hit; of the person's first tenant where none is asked."""
    asked = _asked(request)
    form = ScopeForm(asked, rights=rights)
    if not form.fields["where"].choices:
        return None
    if "where" not in asked:
        form = ScopeForm(asked | {"where": form.fields["where"].choices[0][0]}, rights=rights)
    if not form.is_valid():
        return None
    scope = form.scope()
    return {"scope": scope, "rows": impact_of(scope)}


def _state(request: HttpRequest, rights: HeldRights, view_right: str) -> dict[str, Any]:
    seen = [row for row in rights.switches if row.tenant_id is None or rights.has(view_right, row.tenant_id)]
    rows = sorted(
        seen, key=lambda row: (row.tenant is None, row.tenant.name if row.tenant else "", row.domain, row.action)
    )
    whole = {row.tenant_id: row for row in rows if not row.domain and not row.action}
    waiting = rights.within(ResumeRequest.objects.filter(state=ResumeRequest.State.WAITING), view_right)
    runs = rights.within(RecallRun.objects.all(), view_right)
    return {
        "everywhere": whole.get(None),
        "tenants": [(tenant, whole.get(tenant.pk)) for tenant in rights.places_of(view_right)],
        "narrower": [row for row in rows if row.domain or row.action],
        "requests": waiting.filter(asked_at__gt=timezone.now() - switch.REQUEST_LIFE)
        .select_related("tenant", "asked_by")
        .order_by("pk")[:REQUESTS_SHOWN],
        "recalls": runs.select_related("tenant", "asked_by").order_by("-id")[:RECALLS_SHOWN],
        "alarms": breakers.open_alarms(rights.within(BreakerAlarm.objects.all(), view_right))[:ALARMS_SHOWN],
        "self_test": SelfTest.objects.order_by("-id").first(),
        "now": rights.now,
    }
