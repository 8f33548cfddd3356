"""The history page: who changed what, when and why, for those who may see the object itself."""

from collections.abc import Sequence

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from simple_history.admin import SimpleHistoryAdmin

from ..models import User


class HistoryPages(SimpleHistoryAdmin):
    """simple-history's list under the object's own permissions; its form for old versions and its revert are left out.

    The library looks history up by key alone, so that another tenant's would be found: the object is asked for first.
    """

    object_history_list_template = "admin/cases/history_list.html"
    history_list_per_page = 30
    untold: Sequence[str] = ()  # Fields that the page does not speak of.

    def get_urls(self):
        return [pattern for pattern in super().get_urls() if not (pattern.name or "").endswith("_simple_history")]

    def history_view(self, request: HttpRequest, object_id: str, extra_context=None) -> HttpResponse:
        if self.get_object(request, unquote(object_id)) is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return super().history_view(request, object_id, extra_context)

    def get_history_queryset(self, request, history_manager, pk_name, object_id):
        rows = super().get_history_queryset(request, history_manager, pk_name, object_id)
        return rows.order_by("-history_id")

    def set_history_delta_changes(self, request, historical_records, foreign_keys_are_objs=False) -> None:
        """The changes of each row on the page against the row before it, and all their people in one query."""
        rows = list(historical_records)
        people = User.objects.in_bulk({row.history_user_id for row in rows if row.history_user_id})
        for row, before in zip(rows, [*rows[1:], None], strict=True):
            row.person = people.get(row.history_user_id)
            if before is not None:
                delta = row.diff_against(before, excluded_fields=self.untold, foreign_keys_are_objs=False)
                helper = self.get_historical_record_context_helper(request, row)
                row.history_delta_changes = helper.context_for_delta_changes(delta)

    def has_view_history_permission(self, request: HttpRequest, obj=None) -> bool:
        return self.has_view_permission(request, obj)

    def has_change_history_permission(self, request: HttpRequest, obj=None) -> bool:
        return False
