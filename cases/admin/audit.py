"""What was refused."""

from django.contrib import admin

from ..models import Denial
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin


@admin.register(Denial)
class DenialAdmin(ReadOnlyAdmin):
    view_right = "view_audit"
    list_display = ("at", "who", "permission", "subject", "request_id")
    list_select_related = ("actor", "tenant")
    fields = ("at", "who", "tenant", "permission", "subject", "request_id")
    search_fields = ("request_id", "subject")
    search_help_text = "A request id, or part of what it was about."
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    readonly_fields = ("who",)

    @admin.display(description="Who")
    def who(self, denial: Denial) -> str:
        return str(denial.actor)
