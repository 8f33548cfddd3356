"""The record of the door, for compliance: of the people of the reader's tenants."""

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from ..models import AccessEvent, Membership
from ..rights import rights_of
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin, TenantScoped


@admin.register(AccessEvent)
class AccessEventAdmin(ReadOnlyAdmin):
    """A person has one door: whoever belongs to two tenants is seen at it by the compliance staff of both."""

    view_right = "view_audit"
    tenant_path = ""
    list_display = ("at", "user", "kind", "way", "address", "who", "reason")
    list_filter = ("kind",)
    list_select_related = ("user", "actor")
    fields = ("at", "user", "kind", "way", "address", "who", "reason", "request_id")
    readonly_fields = ("who",)
    search_fields = ("user__username", "request_id")
    search_help_text = "A user name, or a request id."
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator

    def get_list_filter(self, request: HttpRequest):
        return self.list_filter

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessEvent]:
        events = super(TenantScoped, self).get_queryset(request).select_related("user", "actor")
        rights = rights_of(request)
        if rights.is_superuser:
            return events
        places = Membership.objects.filter(user=OuterRef("user"), tenant__in=rights.tenant_ids(self.view_right))
        return events.filter(Exists(places), user__is_superuser=False)

    def tenant_id_of(self, obj: AccessEvent | None) -> None:
        """None: it belongs to a person."""

    def has_view_permission(self, request: HttpRequest, obj: AccessEvent | None = None) -> bool:
        """The rows are limited above; a page opens one of them."""
        return rights_of(request).has(self.view_right)

    @admin.display(description="Who")
    def who(self, event: AccessEvent) -> str:
        return "themselves" if event.actor_id == event.user_id else str(event.actor)
