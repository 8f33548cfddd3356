"""Lists that belong together lead to one another, and each says what it is for."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from .scoped import TenantScoped

# What customers hear of, and what automation is watched and tried by: (model's label, words).
CUSTOMERS = (
    ("cases.customertemplate", "Texts"),
    ("cases.customernoticesettings", "When and how"),
    ("cases.interimtemplate", "Interim answers"),
    ("cases.customernotice", "Messages"),
    ("cases.customeroptout", "Opt-outs"),
)
AUTOMATION = (
    ("cases.automationswitch", "Automation"),
    ("cases.breakerrule", "Breakers"),
    ("cases.breakeralarm", "Alarms"),
    ("feedback.shadowpolicy", "Shadow policies"),
    ("cases.policy", "Policies"),
)


class Beside(TenantScoped):
    """``beside`` are the lists that are linked, for whoever may open them; ``about`` is what stands above this one, and
    ``heading`` what it is called, where that is not its model's name."""

    beside: Sequence[tuple[str, str]] = ()
    about = ""
    heading = ""
    change_list_template = "admin/cases/beside.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"beside": self._links(request), "about": self.about} | ({"title": self.heading} if self.heading else {})
        return super().changelist_view(request, own | (extra_context or {}))

    def _links(self, request: HttpRequest) -> list[dict[str, Any]]:
        words, links = dict(self.beside), []
        for model, page in self.admin_site._registry.items():
            if model._meta.label_lower in words and page.has_view_permission(request):
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
                links.append((model._meta.label_lower, reverse(name), model is self.model))
        order = list(words)
        links.sort(key=lambda link: order.index(link[0]))
        return [{"words": words[label], "url": url, "is_here": is_here} for label, url, is_here in links]
