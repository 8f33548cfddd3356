"""Queues: what each takes and asks of people, with a warning where nobody can work."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cases.admin.fields import ChecksField, LinesField
from cases.admin.forms import TrackedForm
from cases.admin.scoped import TrackedAdmin
from cases.models.policies import DOMAIN_NAME
from cases.vocabulary import Risk, Route

from ..models import Queue
from ..services.setup import save_queue
from ..services.staffing import with_staff

REVIEWED = [choice for choice in Route.choices if choice[0] != Route.AUTO_APPROVE]


class QueueForm(TrackedForm):
    """Lists as lines and check boxes; what routing would refuse is said beside its field."""

    domains = LinesField(required=False, rows=3, help_text="One a line. Empty: any.")
    languages = LinesField(required=False, rows=2, help_text="One a line, for example en or de-AT. Empty: any.")
    risks = ChecksField(choices=Risk.choices, help_text="None chosen: any.")
    routes = ChecksField(choices=REVIEWED, help_text="None chosen: any.")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "sla_policy" in self.fields:
            self.fields["sla_policy"].label = "SLA policy"

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

    def _get_validation_exclusions(self) -> set[str]:
        # The service hands the place over; until then two rows would be the fallback.
        return super()._get_validation_exclusions() | {"is_fallback"}


@admin.register(Queue)
class QueueAdmin(TrackedAdmin):
    view_right = "view_queue"
    change_right = "change_queue"
    form = QueueForm
    list_display = (
        "name",
        "takes",
        "sla_policy",
        "skill",
        "escalation_target",
        "people",
        "position",
    )
    list_select_related = ("tenant", "sla_policy", "skill", "escalation_target")
    search_fields = ("name", "slug")
    ordering = ("tenant__slug", "position", "slug")
    change_form_template = "admin/queues/queue/change_form.html"
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug", ("position", "is_fallback"))}),
        (
            "What it takes",
            {
                "fields": (("domains", "languages"), ("risks", "routes")),
                "description": "A case goes to the queue that fills most conditions; then the lower position decides.",
            },
        ),
        ("Who works it", {"fields": (("skill", "skill_level"),)}),
        ("Deadlines", {"fields": ("sla_policy", "escalation_target")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Queue]:
        return with_staff(super().get_queryset(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Queue | None = None):
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "slug") if obj else fixed

    @admin.display(description="Takes")
    def takes(self, queue: Queue) -> str:
        lists = (queue.domains, queue.languages, queue.risks, [Route(route).label.lower() for route in queue.routes])
        words = "; ".join(", ".join(values) for values in lists if values)
        if queue.is_fallback:
            return "whatever no other queue takes (fallback)"
        return words or "anything"

    @admin.display(description="People")
    def people(self, queue: Queue) -> SafeString | str:
        if queue.staff == 0:
            return format_html('<strong class="alarm">{}</strong>', "▲ nobody")
        return f"{queue.staff}, {queue.on_shift} on shift"

    def store(self, request: HttpRequest, obj: Queue, reason: str) -> None:
        save_queue(obj, request.user, reason)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs) -> HttpResponse:
        queue = kwargs.get("obj")
        if queue is not None:
            context["staffed"] = self.get_queryset(request).filter(pk=queue.pk).first()
        return super().render_change_form(request, context, **kwargs)
