"""Customers who want no more messages: found by what they are called, since only digests are kept."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import CustomerOptOut
from ..rights import rights_of
from ..services import opt_outs
from .beside import CUSTOMERS, Beside
from .lists import BoundedPaginator
from .scoped import ReadOnlyAdmin


@admin.register(CustomerOptOut)
class CustomerOptOutAdmin(Beside, ReadOnlyAdmin):
    """Written and taken back by the customer alone, on the page that each message links."""

    view_right = "view_customer"
    beside = CUSTOMERS
    heading = "Opt-outs"
    about = (
        "Who wants no more messages. Each message links the page on which its customer says so, and takes it back; "
        "nobody else can. Names and addresses are not kept here: look somebody up by theirs."
    )
    list_display = ("digest", "at")
    list_display_links = None
    ordering = ("tenant", "customer_key")  # As indexed. Digests are in no order that would tell anything.
    sortable_by = ()
    search_fields = ("customer_key",)
    search_help_text = "An e-mail address, a phone number or the caller's reference, whole."
    paginator = BoundedPaginator
    fields = ("digest", "at")
    readonly_fields = ("digest",)

    @admin.display(description="Customer's digest")
    def digest(self, row: CustomerOptOut) -> str:
        return bytes(row.customer_key).hex()[:16]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        """Those of exactly this customer, in each of the person's tenants."""
        term = search_term.strip()
        if not term:
            return queryset, False
        tenants = rights_of(request).tenants(self.view_right).values_list("pk", flat=True)
        return queryset.filter(customer_key__in=[key for pk in tenants for key in opt_outs.keys_for(pk, term)]), False
