"""What customers may be told meanwhile, per domain and language."""

from django import forms
from django.contrib import admin

from ..models import InterimTemplate
from .beside import CUSTOMERS, Beside
from .forms import TrackedForm
from .scoped import TrackedAdmin


class InterimForm(TrackedForm):
    text = forms.CharField(
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "vLargeTextField"}),
        help_text="Said to the customer as it stands. Promise nothing that a person may decide otherwise.",
    )


@admin.register(InterimTemplate)
class InterimTemplateAdmin(Beside, TrackedAdmin):
    view_right = "view_policy"
    change_right = "change_policy"
    deletable = True
    form = InterimForm
    beside = CUSTOMERS
    about = (
        "What callers may tell their customers at once, while a person still looks: it comes back from the intake as "
        "interim_answer, unless the caller sends a limited_answer of its own. Reviewers see what was said."
    )
    fields = ("tenant", "domain", "locale", "text")
    list_display = ("__str__", "text_start")
    search_fields = ("domain", "locale")
    ordering = ("tenant", "domain", "locale")

    @admin.display(description="Text")
    def text_start(self, template: InterimTemplate) -> str:
        return template.text[:120]
