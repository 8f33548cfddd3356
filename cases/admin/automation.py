"""The automation switch: what runs, who said so and why, and the button that stops it."""

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from ..errors import CountersignError
from ..history import REASON_LENGTH
from ..models import AutomationSwitch, Tenant
from ..models.policies import CODE, DOMAIN_NAME
from ..rights import HeldRights, rights_of
from ..services import switch
from ..vocabulary import Depth
from .history import HistoryPages
from .scoped import ReadOnlyAdmin, refuse

EVERYWHERE = "everywhere"


class SwitchForm(forms.Form):
    """A stop or a resumption of one scope. The service asks for the right to it."""

    where = forms.ChoiceField(label="For")
    domain = forms.CharField(required=False, max_length=50, validators=[DOMAIN_NAME], help_text="Empty: every domain.")
    action = forms.CharField(required=False, max_length=50, validators=[CODE], help_text="Empty: every action.")
    depth = forms.TypedChoiceField(
        label="How deep a stop cuts",
        choices=Depth.choices,
        coerce=int,
        initial=Depth.DECISIONS,
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Shown to everybody whose work changes.",
    )

    def __init__(self, *args, rights: HeldRights, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        tenants = [(str(tenant.pk), tenant.name) for tenant in rights.tenants("stop_automation")]
        self.fields["where"].choices = tenants + ([(EVERYWHERE, "Every tenant")] if rights.is_superuser else [])

    def scope(self) -> switch.Scope:
        where = self.cleaned_data["where"]
        tenant = None if where == EVERYWHERE else Tenant.objects.get(pk=where)
        return switch.Scope(tenant, self.cleaned_data["domain"], self.cleaned_data["action"])


@admin.register(AutomationSwitch)
class AutomationSwitchAdmin(ReadOnlyAdmin, HistoryPages):
    """No plain form: a switch moves by its service, which takes the lock and writes the event."""

    view_right = "view_automation"
    fields = ("tenant", "domain", "action", "is_enabled", "depth", "reason", "who", "changed_at")
    readonly_fields = ("who",)

    @admin.display(description="Changed by")
    def who(self, row: AutomationSwitch) -> str:
        return str(row.changed_by)

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        """The state of every scope that the person sees, and the form for those that they may move."""
        rights = rights_of(request)
        form = SwitchForm(request.POST or None, rights=rights)
        if request.method == "POST" and form.is_valid():
            return self._move(request, form)
        own = rights.within(AutomationSwitch.objects.all(), self.view_right)
        rows = own if rights.is_superuser else own | AutomationSwitch.objects.filter(tenant=None)
        rows = list(rows.select_related("tenant", "changed_by").order_by("tenant__name", "domain", "action"))
        whole = {row.tenant_id: row for row in rows if not row.domain and not row.action}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Automation",
            "form": form,
            "everywhere": whole.get(None),
            "tenants": [(tenant, whole.get(tenant.pk)) for tenant in rights.tenants(self.view_right)],
            "narrower": [row for row in rows if row.domain or row.action],
            "may_stop": rights.has("stop_automation"),
            "may_resume": rights.has("resume_automation"),
        }
        return TemplateResponse(request, "admin/cases/automationswitch/change_list.html", context)

    def _move(self, request: HttpRequest, form: SwitchForm) -> HttpResponse:
        scope, reason = form.scope(), form.cleaned_data["reason"]
        try:
            if "resume" in request.POST:
                switch.resume(scope, actor=request.user, reason=reason)
                messages.success(request, "Automation may run again here. A wider stop still stops it.")
            else:
                switch.stop(scope, actor=request.user, reason=reason, depth=Depth(form.cleaned_data["depth"]))
                messages.success(request, "Stopped. No automatic decision commits here any more.")
        except CountersignError as error:
            return refuse(request, error)
        return redirect("admin:cases_automationswitch_changelist")
