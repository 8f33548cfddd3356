"""Drift: how each new release does beside what was before it, and what was told of it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin
from cases.models import Tenant
from cases.rights import rights_of
from cases.untrusted import shown

from ..drift.findings import WATCHED, Finding
from ..drift.wording import sentence
from ..metrics.definitions import BY_METRIC
from ..models import DriftAlert, DriftLook
from ..services import drifting
from .drift_content import content_of

VIEW = "view_metrics"
TENANTS, RELEASES = 100, 50


class DriftForm(forms.Form):
    """Which release, and what the picture shows. A value that is not offered counts as not chosen."""

    tenant = forms.ChoiceField(required=False)
    release = forms.ChoiceField(required=False)
    metric = forms.ChoiceField(choices=[(name, BY_METRIC[name].title) for name in WATCHED], label="Picture")

    def __init__(self, data: Any, *, tenants: list[Tenant], looks: list[DriftLook]) -> None:
        super().__init__(data, label_suffix="", use_required_attribute=False)
        self.fields["tenant"].choices = [(tenant.slug, tenant.name) for tenant in tenants]
        if len(tenants) == 1:
            self.fields["tenant"].widget = forms.HiddenInput()
        self.fields["release"].choices = [
            (str(look.pk), f"{look.release}, from {look.release.first_seen_at:%d %b %Y}") for look in looks
        ]


@admin.register(DriftAlert)
class DriftAlertAdmin(ReadOnlyAdmin):
    """The alerts, and the page of releases that each of them leads to."""

    view_right = VIEW
    list_display = ("at", "of_release", "metric", "words")
    list_filter = ("metric",)
    list_select_related = ("tenant", "release")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("at", "of_release", "metric", "words", "n_before", "n_after", "p")
    readonly_fields = ("of_release", "words")

    @admin.display(description="Release")
    def of_release(self, alert: DriftAlert) -> SafeString:
        return format_html('<a href="{}">{}</a>', drifting.page_of(alert.release), shown(str(alert.release)))

    @admin.display(description="What moved")
    def words(self, alert: DriftAlert) -> SafeString:
        return shown(sentence(Finding.from_json(alert.report)))

    def get_urls(self):
        page = path("releases/", self.admin_site.admin_view(self.releases_view), name="feedback_drift")
        return [page, *super().get_urls()]

    @method_decorator(require_safe)
    def releases_view(self, request: HttpRequest) -> HttpResponse:
        """One release beside what was before it, as it was last looked at."""
        if not self.has_view_permission(request):
            raise PermissionDenied("Supervisors, compliance staff and admins see how releases do.")
        tenants = list(rights_of(request).tenants(VIEW).order_by("slug")[:TENANTS])
        tenant, look = self._chosen(request, tenants)
        looks = drifting.looks_of(tenant, RELEASES) if tenant else []
        look = look or next(iter(looks), None)
        metric = request.GET.get("metric", "")
        metric = metric if metric in WATCHED else "override_rate"
        context = {
            **self.admin_site.each_context(request),
            "title": "Drift",
            "alerts_url": reverse("admin:feedback_driftalert_changelist"),
        }
        if tenant and look:
            offered = looks if look in looks else [*looks, look]
            chosen = {"tenant": tenant.slug, "release": str(look.pk), "metric": metric}
            context |= {"form": DriftForm(chosen, tenants=tenants, looks=offered)}
            context |= content_of(tenant, look, BY_METRIC[metric])
        return TemplateResponse(request, "admin/feedback/drift.html", context)

    def _chosen(self, request: HttpRequest, tenants: list[Tenant]) -> tuple[Tenant | None, DriftLook | None]:
        """The tenant, and the release where one is named: it must be one of the person's tenants'."""
        slug, named = request.GET.get("tenant", ""), request.GET.get("release", "")
        wanted = next((one for one in tenants if one.slug == slug), None)
        if named:
            try:
                key = forms.UUIDField().clean(named)
            except forms.ValidationError:
                raise Http404("No such release.") from None
            look = DriftLook.objects.filter(pk=key, tenant__in=tenants).select_related("release").first()
            if look is None:
                raise Http404("No such release.")
            if wanted is None or wanted.pk == look.tenant_id:
                return next(one for one in tenants if one.pk == look.tenant_id), look
        return wanted or next(iter(tenants), None), None
