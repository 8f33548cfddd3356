"""The weekly exports that were made, for those who may export."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin

from ..models import WeeklyExport


@admin.register(WeeklyExport)
class WeeklyExportAdmin(ReadOnlyAdmin):
    """What went out, when, and how to tell that a file is whole."""

    view_right = "export_data"
    list_display = ("name", "state", "overrides", "late", "corrections", "ready_at")
    list_filter = ("state",)
    list_select_related = ("tenant",)
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("tenant", "name", "state", "starts_at", "ends_at", "frozen_at", "ready_at", "watermark", "in_files")
    readonly_fields = ("name", "in_files")

    @admin.display(description="Week")
    def name(self, export: WeeklyExport) -> str:
        return str(export.iso_week)

    @admin.display(description="Overrides")
    def overrides(self, export: WeeklyExport) -> int:
        return export.counts.get("overrides", 0)

    @admin.display(description="Late")
    def late(self, export: WeeklyExport) -> int:
        return export.counts.get("late", 0)

    @admin.display(description="Corrected labels")
    def corrections(self, export: WeeklyExport) -> int:
        return export.counts.get("corrections", 0)

    @admin.display(description="Files")
    def in_files(self, export: WeeklyExport) -> SafeString | str:
        lines = [(file["key"], file["bytes"], file.get("sha256", "")) for file in export.files]
        return format_html_join("", "<p>{}, {} bytes<br><code>{}</code></p>", lines) or "–"
