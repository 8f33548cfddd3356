"""Where people are told, and what became of each message."""

from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..models import Notice, NoticeChannel
from ..notice_ways import UrlRefused, checked
from ..services import notices
from .fields import LinesField
from .forms import TrackedForm
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TrackedAdmin
from .sending import SendsAgain, SendsTests

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
class NoticeChannelAdmin(SendsTests, TrackedAdmin):
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

    def send_test(self, request: HttpRequest, key: UUID) -> str:
        return notices.send_test(key, actor=request.user)


@admin.register(Notice)
class NoticeAdmin(SendsAgain, ReadOnlyAdmin):
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
    resend = staticmethod(notices.resend)

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
