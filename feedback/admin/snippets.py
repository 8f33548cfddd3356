"""The tenant's text snippets: written by whoever keeps the queues, used on the review page."""

from django import forms
from django.contrib import admin

from cases.admin.forms import TrackedForm
from cases.admin.scoped import TrackedAdmin

from ..models import TextSnippet


class SnippetForm(TrackedForm):
    text = forms.CharField(
        max_length=5_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField"}),
        help_text="Put into the answer as it stands; the reviewer may change it before it is sent.",
    )


@admin.register(TextSnippet)
class TextSnippetAdmin(TrackedAdmin):
    view_right = "view_review"
    change_right = "change_queue"
    deletable = True
    form = SnippetForm
    fieldsets = (
        (None, {"fields": ("tenant", "key", "text")}),
        ("Where it is offered", {"fields": ("domain", "locale")}),
    )
    list_display = ("key", "domain", "locale", "text_start")
    search_fields = ("key", "domain", "locale")
    ordering = ("key", "domain", "locale")

    @admin.display(description="Text")
    def text_start(self, snippet: TextSnippet) -> str:
        return snippet.text[:120]
