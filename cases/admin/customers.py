"""Writing to customers: whether and when, the texts, and what became of each message."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..customer_texts import Occasion, Way, placeholders
from ..models import CustomerNotice, CustomerNoticeSettings, CustomerTemplate
from ..notice_ways import UrlRefused, checked
from ..presentation import masked
from ..services import customer_sending
from ..services.customer_notices import address_of
from ..veil import veiled
from .beside import CUSTOMERS, Beside
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin
from .sending import SendsAgain, SendsTests

A_NUMBER = "+15005550006"  # Twilio's own number for tests.


class SettingsForm(TrackedForm):
    """The service's URL is written and never shown again: it holds secrets."""

    new_sms_url = forms.CharField(
        label="Service for SMS",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(render_value=False, attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="As apprise writes it, with {phone} where the number stands: twilio://account:token@sender/{phone}. "
        "It is not shown again; leave it empty to keep the present one.",
    )

    def clean_new_sms_url(self) -> str:
        url = self.cleaned_data["new_sms_url"].strip()
        if url and url.count("{phone}") != 1:
            raise ValidationError("Put {phone} where the customer's number stands, once.")
        if url:
            try:
                checked(customer_sending.sms_address(url, A_NUMBER))
            except UrlRefused as error:
                raise ValidationError(str(error)) from error
        return url

    def clean(self) -> dict:
        cleaned = super().clean()
        if cleaned.get("new_sms_url"):
            self.instance.sms_url = cleaned["new_sms_url"]
        return cleaned


@admin.register(CustomerNoticeSettings)
class CustomerNoticeSettingsAdmin(Beside, TrackedAdmin):
    view_right = "view_policy"
    change_right = "change_policy"
    form = SettingsForm
    beside = CUSTOMERS
    about = (
        "Whether customers are written to at all, and when not. Without a row here, or with it switched off, nobody "
        "is: the caller hears by webhook and tells its customers itself."
    )
    list_display = ("__str__", "is_on", "quiet_from", "quiet_until", "has_sms")
    list_select_related = ("tenant",)
    readonly_fields = ("has_sms",)
    fieldsets = (
        (None, {"fields": ("tenant", "is_on")}),
        ("Quiet hours", {"fields": ("quiet_from", "quiet_until")}),
        ("When a promised time cannot be kept", {"fields": ("warn_minutes", "delay_minutes")}),
        ("SMS", {"fields": ("has_sms", "new_sms_url")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: CustomerNoticeSettings | None = None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, options | {"fields": tuple(name for name in options["fields"] if name != "new_sms_url")})
            for title, options in fieldsets
        ]

    @admin.display(description="SMS", boolean=True)
    def has_sms(self, rules: CustomerNoticeSettings) -> bool:
        return bool(rules.sms_url)


class TemplateForm(TrackedForm):
    text = forms.CharField(
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField"}),
        help_text="Plain text. Promise nothing that a person may decide otherwise.",
    )


@admin.register(CustomerTemplate)
class CustomerTemplateAdmin(Beside, SendsTests, TrackedAdmin):
    """The tenant's texts, each with a preview and a test to oneself. One that was used is switched off, not deleted."""

    view_right = "view_policy"
    change_right = "change_policy"
    form = TemplateForm
    beside = CUSTOMERS
    about = (
        "What customers read: that a person looks at it, what was decided, that it takes longer. For each occasion the "
        "text of the case's domain and language is taken, else the more general one; without a text nothing is sent."
    )
    list_display = ("__str__", "occasion", "way", "domain", "locale", "is_active")
    list_filter = ("occasion", "way", "is_active")
    search_fields = ("domain", "locale")
    ordering = ("tenant", "occasion", "domain", "locale")
    fieldsets = (
        (None, {"fields": ("tenant", "occasion", "way", "domain", "locale", "is_active")}),
        ("The text", {"fields": ("subject", "text", "text_without_answer", "is_urgent")}),
    )
    change_form_template = "admin/cases/customertemplate/change_form.html"

    def send_test(self, request: HttpRequest, key: UUID) -> str:
        return customer_sending.send_test(key, actor=request.user, phone=request.POST.get("phone", ""))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        template = kwargs.get("obj")
        context["preview"] = customer_sending.preview(template) if template else None
        context["placeholder_groups"] = [
            {
                "title": f"{occasion.label.partition(':')[0]}, {way.label}",
                "names": [(f"{{{name}}}", words) for name, words in placeholders(occasion, way).items()],
            }
            for occasion in Occasion
            for way in Way
        ]
        return super().render_change_form(request, context, **kwargs)


@admin.register(CustomerNotice)
class CustomerNoticeAdmin(Beside, SendsAgain, ReadOnlyAdmin):
    """What was or is to be sent. Addresses are masked; who sees customers unmasked sees them on the case."""

    view_right = "view_case"
    list_display = ("created_at", "case_link", "occasion", "way", "recipient", "state_words", "last_error")
    list_filter = ("state", "occasion", "way")
    list_select_related = ("tenant", "case__content")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("case_link", "occasion", "way", "recipient", "text_sent", "promised_by", "state_words")
    fields += ("attempts", "last_error", "created_at", "sent_at")
    readonly_fields = ("case_link", "recipient", "text_sent", "state_words")
    change_form_template = "admin/cases/customernotice/change_form.html"
    resend = staticmethod(customer_sending.resend)
    beside = CUSTOMERS
    about = (
        "Each message to a customer and what became of it. One that the mail server refuses is tried again for some "
        "nine hours; one that could not be sent at all can be sent again from its page."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomerNotice]:
        return super().get_queryset(request).exclude(veiled(request.user, "case"))

    @admin.display(description="Case")
    def case_link(self, notice: CustomerNotice) -> SafeString:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:cases_case_change", args=[notice.case_id]), notice.case
        )

    @admin.display(description="To")
    def recipient(self, notice: CustomerNotice) -> str:
        address = address_of(notice.case, notice.way)
        return masked(address) if address else "–"

    @admin.display(description="Text")
    def text_sent(self, notice: CustomerNotice) -> SafeString | str:
        if notice.template is None:
            return "–"
        url = reverse("admin:cases_customertemplate_history", args=[notice.template_id])
        version = f"version {notice.template_version}" if notice.template_version else "not sent yet"
        return format_html('<a href="{}">{}</a>, {}', url, notice.template, version)

    @admin.display(description="State")
    def state_words(self, notice: CustomerNotice) -> str:
        if notice.state != CustomerNotice.State.WAITING:
            return notice.get_state_display()
        when = f"{notice.next_attempt_at:%d %b %H:%M:%S} UTC"
        return f"Failed {notice.attempts} times, next at {when}" if notice.last_error else f"Waiting until {when}"
