"""The weekly exports that were made, for those who may export."""

from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from cases.admin.lists import BoundedPaginator
from cases.admin.scoped import ReadOnlyAdmin, refuse
from cases.errors import CountersignError, NotFound
from cases.permissions import Denied

from ..downloads import as_attachment
from ..models import WeeklyExport
from ..services import weekly_downloads


@admin.register(WeeklyExport)
class WeeklyExportAdmin(ReadOnlyAdmin):
    """What went out, when, and how to tell that a file is whole; its files."""

    view_right = "export_data"
    list_display = ("name", "state", "overrides", "late", "corrections", "ready_at")
    list_filter = ("state",)
    list_select_related = ("tenant",)
    ordering = ("-id",)
    sortable_by = ()
    paginator = BoundedPaginator
    change_list_template = "admin/feedback/weeklyexport/change_list.html"
    fieldsets = (
        (None, {"fields": ("tenant", "name", "state", "overrides", "late", "corrections", "in_files")}),
        (
            "What they hold",
            {"fields": ("starts_at", "ends_at", "frozen_at", "ready_at", "customer_fields", "watermark")},
        ),
    )
    readonly_fields = ("name", "overrides", "late", "corrections", "in_files")

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
        lines = [
            (
                reverse("admin:feedback_weeklyexport_download", args=[export.pk, file["name"]]),
                file["name"],
                filesizeformat(file["bytes"]),
                file["sha256"],
            )
            for file in export.files
        ]
        line = '<p><a href="{}" download>{}</a> ({})<br><span class="quiet">SHA-256 <code>{}</code></span></p>'
        return format_html_join("", line, lines) or "being written"

    # --- fetching ----------------------------------------------------------------------------------------------------

    def get_urls(self):
        view = self.admin_site.admin_view(self.download_view)
        return [
            path("<uuid:export_id>/files/<str:name>/", view, name="feedback_weeklyexport_download"),
            *super().get_urls(),
        ]

    def download_view(self, request: HttpRequest, export_id: UUID, name: str) -> HttpResponse:
        export = self.get_queryset(request).select_related("tenant").filter(pk=export_id).first()
        if export is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(export_id))
        try:
            file = weekly_downloads.download(export, name, actor=request.user)
        except Denied as error:
            return refuse(request, error)
        except NotFound:
            messages.error(request, "This week has no such file.")
        except CountersignError as error:
            messages.error(request, error.message)
        else:
            return as_attachment(file, weekly_downloads.file_name(export, name))
        return redirect("admin:feedback_weeklyexport_change", export.pk)
