"""Queues: what each takes and asks of people, with a warning where nobody can work."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cases.admin.fields import ChecksField, LinesField
from cases.admin.forms import TrackedForm
from cases.admin.scoped import TrackedAdmin
from cases.models.policies import DOMAIN_NAME
from cases.vocabulary import Risk, Route

from ..models import Queue
from ..routing import duration_words
from ..services.routing_trial import Trial, try_change
from ..services.setup import save_queue
from ..services.staffing import with_staff
from ..services.warnings import warnings_of
from .routing import REVIEWED, routing_view

TRY = "_try"  # The button that computes and saves nothing.


class QueueForm(TrackedForm):
    """Lists as lines and check boxes; what routing would refuse is said beside its field. ``TRY`` saves nothing."""

    domains = LinesField(required=False, rows=3, help_text="One a line. Empty: any.")
    languages = LinesField(required=False, rows=2, help_text="One a line, for example en or de-AT. Empty: any.")
    risks = ChecksField(choices=Risk.choices, help_text="None chosen: any.")
    routes = ChecksField(choices=REVIEWED, help_text="None chosen: any.")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.trial: Trial | None = None
        if TRY in self.data and "reason" in self.fields:
            self.fields["reason"].required = False  # Nothing is saved for a reason.

    def clean_domains(self) -> list[str]:
        for domain in self.cleaned_data["domains"]:
            DOMAIN_NAME(domain)
        return self.cleaned_data["domains"]

    def clean_is_fallback(self) -> bool:
        is_fallback = self.cleaned_data["is_fallback"]
        if not is_fallback and not self.instance._state.adding and self.initial.get("is_fallback"):
            raise ValidationError(
                "A tenant needs a fallback: make another queue the fallback, and this one steps back."
            )
        return is_fallback

    def clean_escalation_target(self) -> Queue | None:
        target = self.cleaned_data["escalation_target"]
        if target is not None and target.pk == self.instance.pk:
            raise ValidationError("A queue cannot escalate to itself.")
        return target

    def _post_clean(self) -> None:
        super()._post_clean()
        if TRY in self.data and not self.errors:
            self.trial = try_change(self.instance)
            self.add_error(None, ValidationError("Nothing was saved: this is a trial.", code="trial"))

    def _get_validation_exclusions(self) -> set[str]:
        # The service hands the place over; until then two rows would be the fallback.
        return super()._get_validation_exclusions() | {"is_fallback"}


class QueueList(ChangeList):
    """One look at what is wrong for the whole page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = warnings_of(self.result_list)
        for queue in self.result_list:
            queue.warnings = found.get(queue.pk, [])


@admin.register(Queue)
class QueueAdmin(TrackedAdmin):
    view_right = "view_queue"
    change_right = "change_queue"
    form = QueueForm
    list_display = (
        "name",
        "people",
        "problems",
        "takes",
        "sla_policy",
        "skill",
        "escalation_target",
        "position",
    )
    list_select_related = ("tenant", "sla_policy", "skill", "escalation_target")
    search_fields = ("name", "slug")
    ordering = ("tenant__slug", "position", "slug")
    change_form_template = "admin/queues/queue/change_form.html"
    change_list_template = "admin/queues/queue/change_list.html"
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug", ("position", "is_fallback"))}),
        (
            "What it takes",
            {
                "fields": (
                    ("domains", "languages"),
                    ("risks", "routes"),
                    ("authority_code", "due_within_minutes"),
                ),
                "description": "A case goes to the queue that fills most conditions; then the lower position decides.",
            },
        ),
        ("Who works it", {"fields": (("skill", "skill_level"),)}),
        ("Deadlines", {"fields": ("sla_policy", "escalation_target")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        return with_staff(super().get_queryset(request).select_related(*self.list_select_related))

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return QueueList

    def get_urls(self):
        sandbox = path("routing/", self.admin_site.admin_view(self.routing), name="queues_queue_routing")
        return [sandbox, *super().get_urls()]

    def routing(self, request: HttpRequest) -> HttpResponse:
        """The sandbox: where a case would go, and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return routing_view(request, context, self.view_right)

    def get_readonly_fields(self, request: HttpRequest, obj: Queue | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "slug") if obj else fixed

    @admin.display(description="Takes")
    def takes(self, queue: Queue) -> str:
        lists = (queue.domains, queue.languages, queue.risks, [Route(route).label.lower() for route in queue.routes])
        parts = [", ".join(values) for values in lists if values]
        if queue.authority_code:
            parts.append(f"authority {queue.authority_code}")
        if queue.due_within_minutes:
            parts.append(f"due within {duration_words(timedelta(minutes=queue.due_within_minutes))}")
        words = "; ".join(parts)
        if queue.is_fallback:
            return "whatever no other queue takes (fallback)"
        return words or "anything"

    @admin.display(description="People")
    def people(self, queue: Queue) -> SafeString | str:
        if queue.staff == 0:
            return format_html('<strong class="alarm">{}</strong>', "▲ nobody")
        return f"{queue.staff}, {queue.on_shift} on shift"

    @admin.display(description="Warnings")
    def problems(self, queue: Queue) -> SafeString | str:
        found = [(warning.short,) for warning in queue.warnings if warning.code != "nobody"]  # Stands under people.
        return format_html_join(", ", '<strong class="alarm">▲ {}</strong>', found) or "–"

    def store(self, request: HttpRequest, obj: Queue, reason: str) -> None:
        save_queue(obj, request.user, reason)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        queue, form = kwargs.get("obj"), context["adminform"].form
        context["trial"] = getattr(form, "trial", None)
        context["may_try"] = self.has_change_permission(request, queue)
        if context["trial"] is not None:
            context["errors"] = []  # The form was held back on purpose.
        if queue is not None:
            context["staffed"] = self.get_queryset(request).filter(pk=queue.pk).first()
            context["warnings"] = warnings_of([queue])[queue.pk]
        return super().render_change_form(request, context, **kwargs)
