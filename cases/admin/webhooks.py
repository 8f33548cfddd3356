"""Where events are sent, and what became of each sending."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..clock import db_now
from ..errors import CountersignError
from ..event_bodies import event_body
from ..models import Case, CaseEvent, Delivery, User, WebhookEndpoint
from ..outbound import OutboundRefused
from ..rights import rights_of
from ..services import webhooks
from ..services.deliveries import RETRY_DELAYS, resend
from ..signing import new_secret
from ..veil import veiled
from .fields import ChecksField
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin, refuse

SENT = [(kind.value, f"{kind.value}: {kind.label}") for kind in CaseEvent.Kind if kind not in CaseEvent.INTERNAL]
COUNTED = 1_000
ENDPOINTS = 200  # in the filter
WITHHELD = "(told to its caller only)"


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
            webhooks.check_address(url)
        except OutboundRefused as error:
            raise ValidationError(str(error)) from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(TrackedAdmin):
    """The secret is made here and shown in one answer; a change of secret lets the one before sign along."""

    view_right = "view_webhook"
    change_right = "change_webhook"
    form = EndpointForm
    list_display = ("url", "description", "events", "is_active", "standing")
    list_filter = ("is_active",)
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "url", "description", "is_active")}),
        ("What is sent", {"fields": ("kinds",)}),
    )
    change_form_template = "admin/cases/webhookendpoint/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return webhooks.with_switch_off(super().get_queryset(request))

    @admin.display(description="Events")
    def events(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.kinds) or "all"

    @admin.display(description="Switched off because")
    def standing(self, endpoint: WebhookEndpoint) -> str:
        return "–" if endpoint.is_active else endpoint.off_reason or "–"

    def store(self, request: HttpRequest, obj: WebhookEndpoint, reason: str) -> None:
        if obj._state.adding:
            obj.secret = new_secret()
        super().store(request, obj, reason)

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue=None) -> HttpResponse:
        return self._show_once(request, obj, obj.secret)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        endpoint = kwargs.get("obj")
        if endpoint is not None:
            states, sent = Delivery.State, Delivery.objects.filter(endpoint=endpoint)
            context["waiting"] = sent.filter(state=states.PENDING)[: COUNTED + 1].count()
            context["given_up"] = sent.filter(state=states.DEAD)[: COUNTED + 1].count()
            context["off_by"] = User.objects.filter(pk=endpoint.off_by).first() if endpoint.off_by else None
            context["deliveries_url"] = f"{reverse('admin:cases_delivery_changelist')}?endpoint={endpoint.pk}"
        return super().render_change_form(request, context, **kwargs)

    # --- what its buttons do ---------------------------------------------------------------------------------------

    def get_urls(self):
        views = {
            "test": self.test_view,
            "new-secret": self.new_secret_view,
            "remove-previous": self.remove_previous_view,
            "resend": self.resend_view,
        }
        return [
            path(
                f"<uuid:endpoint_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"cases_webhookendpoint_{name.replace('-', '_')}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def test_view(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        """Send a ping and show what came of it."""
        return self._do(request, endpoint_id, webhooks.send_test, self._show_test)

    def new_secret_view(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._do(request, endpoint_id, webhooks.rotate_secret, self._show_once)

    def remove_previous_view(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._do(request, endpoint_id, webhooks.remove_previous_secret, self._say_removed)

    def resend_view(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
        return self._do(request, endpoint_id, webhooks.resend_given_up, self._say_resent)

    def _do(
        self, request: HttpRequest, endpoint_id: UUID, service: Callable[..., Any], show: Callable[..., Any]
    ) -> HttpResponse:
        """POST only: call ``service`` and ``show`` what it returns; without an answer of its own, the page again."""
        endpoint = self.get_queryset(request).filter(pk=endpoint_id).first()
        if endpoint is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(endpoint_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            done = service(endpoint.pk, actor=request.user)
        except CountersignError as error:
            refuse(request, error)
        else:
            if answer := show(request, endpoint, done):
                return answer
        return redirect("admin:cases_webhookendpoint_change", endpoint.pk)

    def _say_removed(self, request: HttpRequest, endpoint: WebhookEndpoint, done: None) -> None:
        messages.success(request, "Removed. Only the present secret signs now.")

    def _say_resent(self, request: HttpRequest, endpoint: WebhookEndpoint, count: int) -> None:
        messages.success(request, f"{count} will be sent again within minutes, each under its own id.")

    def _show_once(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        """In this answer and nowhere else: a message would leave it in a cookie."""
        return self._page(request, "secret", endpoint, title="Signing secret", secret=secret)

    def _show_test(self, request: HttpRequest, endpoint: WebhookEndpoint, sent: webhooks.TestSent) -> HttpResponse:
        return self._page(request, "test", endpoint, title="Test", sent=sent)

    def _page(self, request: HttpRequest, name: str, endpoint: WebhookEndpoint, **context: Any) -> HttpResponse:
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "endpoint": endpoint}
        return TemplateResponse(request, f"admin/cases/webhookendpoint/{name}.html", context)


class EndpointFilter(admin.SimpleListFilter):
    """The endpoints of one's own tenants."""

    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: "DeliveryAdmin"):
        own = rights_of(request).within(WebhookEndpoint.objects.order_by("url"), model_admin.view_right)
        return [(str(pk), url) for pk, url in own.values_list("pk", "url")[:ENDPOINTS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value() if self.value() in dict(self.lookup_choices) else None
        return queryset.filter(endpoint=chosen) if chosen else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    view_right = "view_webhook"
    tenant_path = "endpoint__tenant"
    list_display = ("of_event", "of_case", "to", "state_words", "attempts", "next_attempt", "last_error")
    list_filter = ("state", EndpointFilter, "is_held")
    list_select_related = ("event__case", "endpoint__tenant")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("of_event", "of_case", "to", "state", "attempts", "last_status", "last_error", "delivered_at")
    readonly_fields = ("of_event", "of_case", "to")
    change_form_template = "admin/cases/delivery/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).exclude(veiled(request.user, "event__case"))

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

    @admin.display(description="State")
    def state_words(self, delivery: Delivery) -> str:
        if delivery.state != Delivery.State.PENDING:
            return delivery.get_state_display()
        if not delivery.endpoint.is_active:
            return "Waiting: endpoint switched off"
        return "Waiting for an action to end" if delivery.is_held else "Waiting"

    @admin.display(description="Next attempt (UTC)")
    def next_attempt(self, delivery: Delivery) -> str:
        waits = delivery.state == Delivery.State.PENDING and not delivery.is_held and delivery.endpoint.is_active
        return f"{delivery.next_attempt_at:%d %b %H:%M:%S}" if waits else "–"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        delivery = kwargs.get("obj")
        if delivery is not None:
            may = self._may(request, "change_webhook", delivery)
            context["may_resend"] = may and delivery.state == Delivery.State.DEAD
            context["standing"] = _standing(delivery)
            if rights_of(request).has("view_case", delivery.endpoint.tenant_id):
                context["body"] = _body(delivery)
        return super().render_change_form(request, context, **kwargs)

    def get_urls(self):
        route = path(
            "<uuid:delivery_id>/resend/", self.admin_site.admin_view(self.resend_view), name="cases_delivery_resend"
        )
        return [route, *super().get_urls()]

    def resend_view(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Send a delivery that was given up once more, under the same id."""
        delivery = self.get_queryset(request).filter(pk=delivery_id).first()
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


def _standing(delivery: Delivery) -> str:
    """What happens next with ``delivery``, and why."""
    states, made, most = Delivery.State, delivery.attempts, len(RETRY_DELAYS) + 1
    if delivery.state == states.DELIVERED:
        return "The receiver has it. Nothing more is sent."
    if delivery.state == states.CANCELLED:
        return "It was taken back before it was final. It is never sent."
    if delivery.state == states.DEAD:
        return f"Given up after {made} of {most} attempts. It is not sent again by itself."
    if not delivery.endpoint.is_active:
        return "The endpoint is switched off. It is sent when that is switched on again."
    if delivery.is_held:
        return "It waits until the case's actions have ended: then the outcome is final."
    when = f"{delivery.next_attempt_at:%d %b %H:%M:%S} UTC"
    if made:
        return f"{made} of {most} attempts failed. The next is due at {when}."
    return f"Not tried yet. Due at {when}, after those of the same case that come before it."


def _body(delivery: Delivery) -> str:
    """What a sending at this moment would carry, for the eye. The caller's own ``resume_token`` is left out."""
    event = delivery.event
    if event.case_id:
        event.case = Case.objects.with_text().get(pk=event.case_id)
    body = event_body(event, now=db_now())
    if body["data"].get("resume_token"):
        body["data"]["resume_token"] = WITHHELD
    return json.dumps(body, ensure_ascii=False, indent=2, default=str)
