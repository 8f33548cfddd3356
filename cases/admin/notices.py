"""Where people are told, and what became of each message."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..errors import CountersignError
from ..models import Notice, NoticeChannel
from ..notice_ways import UrlRefused, checked
from ..services import notices
from .fields import LinesField
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin, refuse

KIND_LENGTH = 24


class ChannelForm(TrackedForm):
    """The URL is written and never shown again: it holds the service's secrets."""

    new_url = forms.CharField(
        label="Service URL",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(render_value=False, attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="As apprise writes it, for example slack://token/token/token/#channel. It is not shown again; "
        "leave it empty to keep the present one.",
    )
    hears = LinesField(
        required=False,
        rows=3,
        help_text="Kinds of notices, one a line: sla.warn, sla.notify, sla.escalate, audit.head. Empty: all.",
    )

    def clean_new_url(self) -> str:
        url = self.cleaned_data["new_url"].strip()
        if url:
            try:
                checked(url)
            except UrlRefused as error:
                raise ValidationError(str(error)) from error
        return url

    def clean_hears(self) -> list[str]:
        if any(len(kind) > KIND_LENGTH for kind in self.cleaned_data["hears"]):
            raise ValidationError("No kind is as long as that.")
        return self.cleaned_data["hears"]

    def clean(self) -> dict:
        cleaned = super().clean()
        if cleaned.get("new_url"):
            self.instance.url = cleaned["new_url"]
        if cleaned.get("way") == NoticeChannel.Way.SERVICE and not self.instance.url and "new_url" not in self.errors:
            self.add_error("new_url", "Give the service's URL.")
        return cleaned


@admin.register(NoticeChannel)
class NoticeChannelAdmin(TrackedAdmin):
    """A tenant's channels: the team's and each person's."""

    view_right = "view_people"
    change_right = "change_queue"
    form = ChannelForm
    list_display = ("name", "whose", "way", "leads_to", "is_active")
    list_filter = ("way", "is_active")
    list_select_related = ("tenant", "user")
    search_fields = ("name", "user__username")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "user", "is_active")}),
        ("Where it leads", {"fields": ("way", "email", "new_url")}),
        ("What it hears", {"fields": ("hears",)}),
    )
    change_form_template = "admin/cases/noticechannel/change_form.html"

    def get_fieldsets(self, request: HttpRequest, obj: NoticeChannel | None = None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        shown = {"new_url": "leads_to", "email": None}  # What only a form can show is said in words to who looks on.
        return [
            (title, options | {"fields": tuple(filter(None, (shown.get(name, name) for name in options["fields"])))})
            for title, options in fieldsets
        ]

    @admin.display(description="Whose")
    def whose(self, channel: NoticeChannel) -> str:
        return str(channel.user) if channel.user_id else "the team's"

    @admin.display(description="Leads to")
    def leads_to(self, channel: NoticeChannel) -> str:
        return channel.address

    def get_urls(self):
        route = path(
            "<uuid:channel_id>/test/", self.admin_site.admin_view(self.test_view), name="cases_noticechannel_test"
        )
        return [route, *super().get_urls()]

    def test_view(self, request: HttpRequest, channel_id: UUID) -> HttpResponse:
        """Send a test now and say what came of it."""
        channel = self.get_queryset(request).filter(pk=channel_id).first()
        if channel is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(channel_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            error = notices.send_test(channel.pk, actor=request.user)
        except CountersignError as refused:
            refuse(request, refused)
        else:
            if error:
                messages.error(request, f"The test did not go out. {error}")
            else:
                messages.success(request, "The test went out. Look whether it has arrived.")
        return redirect("admin:cases_noticechannel_change", channel.pk)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    view_right = "view_people"
    list_display = ("created_at", "kind", "recipient", "text", "state_words", "last_error")
    list_filter = ("state",)
    list_select_related = ("tenant", "user", "channel")
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("kind", "recipient", "text", "page", "state_words", "attempts", "last_error", "created_at", "sent_at")
    readonly_fields = ("recipient", "page", "state_words")
    change_form_template = "admin/cases/notice/change_form.html"

    @admin.display(description="To")
    def recipient(self, notice: Notice) -> str:
        if notice.channel_id and notice.user_id:
            return f"{notice.user} by {notice.channel}"
        return str(notice.channel or notice.user)

    @admin.display(description="About")
    def page(self, notice: Notice) -> SafeString | str:
        return format_html('<a href="{}">{}</a>', notice.path, notice.subject or notice.path) if notice.path else "–"

    @admin.display(description="State")
    def state_words(self, notice: Notice) -> str:
        if notice.state != Notice.State.WAITING or not notice.attempts:
            return notice.get_state_display()
        return f"Failed {notice.attempts} times, next at {notice.next_attempt_at:%d %b %H:%M:%S} UTC"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        notice = kwargs.get("obj")
        if notice is not None:
            may = self._may(request, "change_queue", notice)
            context["may_resend"] = may and notice.state == Notice.State.FAILED
        return super().render_change_form(request, context, **kwargs)

    def get_urls(self):
        route = path(
            "<uuid:notice_id>/resend/", self.admin_site.admin_view(self.resend_view), name="cases_notice_resend"
        )
        return [route, *super().get_urls()]

    def resend_view(self, request: HttpRequest, notice_id: UUID) -> HttpResponse:
        """Give a notice that could not be sent another set of attempts."""
        notice = self.get_queryset(request).filter(pk=notice_id).first()
        if notice is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(notice_id))
        if request.method != "POST":
            raise PermissionDenied
        try:
            notices.resend(notice.pk, actor=request.user)
        except CountersignError as error:
            refuse(request, error)
        else:
            messages.success(request, "It will be sent again within seconds.")
        return redirect(reverse("admin:cases_notice_change", args=[notice.pk]))
