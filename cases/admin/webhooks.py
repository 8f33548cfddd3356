"""Where events are sent, and what became of each sending."""

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..errors import CountersignError
from ..models import CaseEvent, Delivery, WebhookEndpoint
from ..outbound import OutboundRefused, checked_url
from ..services.deliveries import new_secret, resend
from .fields import ChecksField
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin, refuse

SENT = [(kind.value, f"{kind.value}: {kind.label}") for kind in CaseEvent.Kind if kind not in CaseEvent.INTERNAL]


class EndpointForm(TrackedForm):
    url = forms.URLField(
        label="URL",
        max_length=500,
        assume_scheme="https",
        widget=AdminURLFieldWidget,
        help_text="HTTPS and public. No redirect is followed.",
    )
    kinds = ChecksField(choices=SENT, help_text="None chosen: all of them.")

    def clean_url(self) -> str:
        url = self.cleaned_data["url"]
        try:
            checked_url(url, allow_loopback=settings.OUTBOUND_ALLOW_LOOPBACK)
        except OutboundRefused as error:
            raise ValidationError(str(error)) from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TrackedAdmin):
    """The secret is made here, shown once and never again; a change of secret lets the one before sign along."""

    view_right = "view_webhook"
    change_right = "change_webhook"
    form = EndpointForm
    list_display = ("url", "description", "events", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "url", "description", "is_active")}),
        ("What is sent", {"fields": ("kinds",)}),
    )
    change_form_template = "admin/cases/webhookendpoint/change_form.html"

    @admin.display(description="Events")
    def events(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.kinds) or "all"

    def store(self, request: HttpRequest, obj: WebhookEndpoint, reason: str) -> None:
        is_new = obj._state.adding
        if is_new:
            obj.secret = new_secret()
        super().store(request, obj, reason)
        if is_new:
            _show_once(request, obj.secret)

    def get_urls(self):
        route = path(
            "<uuid:endpoint_id>/new-secret/",
            self.admin_site.admin_view(self.new_secret_view),
            name="cases_webhookendpoint_new_secret",
        )
        return [route, *super().get_urls()]

    def new_secret_view(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Put a new secret in force; the one before signs too, until the next change."""
        endpoint = self.get_object(request, str(endpoint_id))
        if endpoint is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(endpoint_id))
        if request.method != "POST" or not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        endpoint.previous_secret, endpoint.secret = endpoint.secret, new_secret()
        endpoint.save_as(request.user, "new secret")
        _show_once(request, endpoint.secret)
        return redirect("admin:cases_webhookendpoint_change", endpoint.pk)


def _show_once(request: HttpRequest, secret: str) -> None:
    words = "The signing secret is <code>{}</code>. Copy it now: it is not shown again."
    messages.warning(request, format_html(words, secret))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    view_right = "view_webhook"
    tenant_path = "endpoint__tenant"
    list_display = ("of_event", "of_case", "to", "state", "is_held", "attempts", "next_attempt_at", "last_error")
    list_filter = ("state", "is_held")
    list_select_related = ("event__case", "endpoint__tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = (
        "of_event",
        "of_case",
        "to",
        "state",
        "is_held",
        "attempts",
        "next_attempt_at",
        "last_status",
        "last_error",
        "delivered_at",
    )
    readonly_fields = ("of_event", "of_case", "to")
    change_form_template = "admin/cases/delivery/change_form.html"

    @admin.display(description="Event")
    def of_event(self, delivery: Delivery) -> str:
        return delivery.event.get_kind_display()

    @admin.display(description="Case")
    def of_case(self, delivery: Delivery) -> SafeString | str:
        case = delivery.event.case
        return (
            format_html('<a href="{}">{}</a>', reverse("admin:cases_case_change", args=[case.pk]), case)
            if case
            else "–"
        )

    @admin.display(description="Endpoint")
    def to(self, delivery: Delivery) -> str:
        return delivery.endpoint.url

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        delivery = kwargs.get("obj")
        may = delivery is not None and self._may(request, "change_webhook", delivery)
        context["may_resend"] = may and delivery.state == Delivery.State.DEAD
        return super().render_change_form(request, context, **kwargs)

    def get_urls(self):
        route = path(
            "<uuid:delivery_id>/resend/", self.admin_site.admin_view(self.resend_view), name="cases_delivery_resend"
        )
        return [route, *super().get_urls()]

    def resend_view(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Send a delivery that was given up once more, under the same id."""
        delivery = self.get_object(request, str(delivery_id))
        if delivery is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(delivery_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            resend(delivery.pk, actor=request.user)
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.success(request, "It will be sent again within seconds, under the same id.")
        return redirect("admin:cases_delivery_change", delivery.pk)
