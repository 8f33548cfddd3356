"""What keeps lists quick at a million rows: bounded counts, and filters that look at recent rows only."""

from functools import cached_property

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

COUNTED = 5_000  # rows; past them the list says "more than", and a filter or a search finds what no page would
RECENT = 2_000


class BoundedPaginator(Paginator):
    """Counts up to ``COUNTED`` and offers that many: `count(*)` and far pages read every row before them."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED)

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: COUNTED + 1].count()

    @property
    def is_cut(self) -> bool:
        return self._counted > COUNTED


class RecentValuesFilter(admin.SimpleListFilter):
    """The values of one column among the newest rows; a value that is older still filters when the address names it."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin):
        newest = model_admin.get_queryset(request).order_by("-pk").values_list(self.column, flat=True)[:RECENT]
        return [(value, value) for value in sorted({value for value in newest if value})]

    def has_output(self) -> bool:
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def recent_values(name: str, title: str) -> type[RecentValuesFilter]:
    """A ``RecentValuesFilter`` over the column ``name``."""
    return type(
        f"Recent{name.title()}Filter", (RecentValuesFilter,), {"column": name, "parameter_name": name, "title": title}
    )
