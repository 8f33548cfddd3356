"""The weekly overrides over REST: which weeks went out, and their files."""

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.errors import NotFound
from cases.ids import from_wire
from cases.models import User
from cases.permissions import tenants_of
from cases.wire import examples
from cases.wire.fields import EnumField, StrictSerializer
from cases.wire.openapi import WireIdField
from cases.wire.pages import CursorPages
from cases.wire.queries import check_query

from .datasets.customers import CustomerFields
from .downloads import as_attachment
from .models import WeeklyExport
from .override_rows import FILES
from .services import weekly_downloads
from .states import WeeklyState


class WeeklyFileSerializer(serializers.Serializer):
    name = serializers.ChoiceField(FILES)
    bytes = serializers.IntegerField()
    rows = serializers.IntegerField(allow_null=True, help_text="Null for the manifest.")
    sha256 = serializers.CharField()


class WeeklyCountsSerializer(serializers.Serializer):
    overrides = serializers.IntegerField()
    late = serializers.IntegerField(help_text="Of them, decided in an earlier week.")
    corrections = serializers.IntegerField(help_text="Labels that changed since their override went out.")


class WeeklyExportSerializer(serializers.Serializer):
    export_id = WireIdField(WeeklyExport.PREFIX)
    tenant_id = serializers.CharField()
    week = serializers.CharField(help_text="ISO 8601, such as 2027-W18.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.ChoiceField(WeeklyState.choices)
    fixed_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    counts = WeeklyCountsSerializer()
    customer_fields = serializers.ChoiceField(CustomerFields.choices, help_text="What was done with customers' data.")
    files = WeeklyFileSerializer(many=True)


class DownloadQuery(StrictSerializer):
    file = EnumField(list(FILES), default=FILES[0])


class WeeklyPages(CursorPages):
    page_size = 20


ANSWER = {
    "export_id": "exp_01990a1b2c417a1b8c2d3e4f5a6b7c8f",
    "tenant_id": "acme",
    "week": "2027-W18",
    "starts_at": "2027-05-02T22:00:00Z",
    "ends_at": "2027-05-09T22:00:00Z",
    "state": "ready",
    "fixed_at": "2027-05-09T23:00:04.120000Z",
    "ready_at": "2027-05-09T23:00:05.310000Z",
    "counts": {"overrides": 212, "late": 1, "corrections": 9},
    "customer_fields": "mask",
    "files": [{"name": "overrides.jsonl", "bytes": 481_220, "rows": 212, "sha256": "9f86d081884c7d65" * 4}],
}


def weekly_document(export: WeeklyExport) -> dict[str, Any]:
    return {
        "export_id": export.wire_id,
        "tenant_id": export.tenant.slug,
        "week": str(export.iso_week),
        "starts_at": export.starts_at,
        "ends_at": export.ends_at,
        "state": export.state,
        "fixed_at": export.frozen_at,
        "ready_at": export.ready_at,
        "counts": export.counts,
        "customer_fields": export.customer_fields,
        "files": [{name: file.get(name) for name in ("name", "bytes", "rows", "sha256")} for file in export.files],
    }


def visible(user: User) -> QuerySet[WeeklyExport]:
    """Those of the tenants in which ``user`` may export."""
    return WeeklyExport.objects.filter(tenant__in=tenants_of(user, "export_data")).select_related("tenant")


def weekly_or_404(user: User, wire_id: str) -> WeeklyExport:
    key = from_wire(WeeklyExport.PREFIX, wire_id)
    export = visible(user).filter(pk=key).first() if key else None
    if export is None:
        raise NotFound
    return export


class WeeklyExportsView(APIView):
    """The weeks whose overrides went out."""

    pagination_class = WeeklyPages

    @extend_schema(
        operation_id="weekly_exports_list",
        summary="List weekly exports of overrides, newest first",
        responses={200: WeeklyExportSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        check_query(request)
        pages = WeeklyPages()
        rows = pages.paginate_queryset(visible(request.user), request, self)
        return pages.get_paginated_response([weekly_document(export) for export in rows])


class WeeklyExportView(APIView):
    """The overrides of one week."""

    @extend_schema(
        operation_id="weekly_exports_retrieve",
        summary="Read a weekly export",
        description="Its id stands in the webhook `export.ready` that names a `week`.",
        responses={200: WeeklyExportSerializer},
        examples=[examples.answered("Ready", ANSWER)],
    )
    def get(self, request: Request, weekly_id: str) -> Response:
        check_query(request, paged=False)
        return Response(weekly_document(weekly_or_404(request.user, weekly_id)))


class WeeklyDownloadView(APIView):
    """A file of one week."""

    also_refuses_with = (409,)  # Read by ``StrictAutoSchema``: no file yet, or no longer.

    @extend_schema(
        operation_id="weekly_exports_download",
        summary="Fetch a file of a weekly export",
        description="Who fetched it, and when, is kept. `corrections.…` are there only in weeks that have any: "
        "otherwise the answer is a 404.",
        parameters=[DownloadQuery],
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY)},
    )
    def get(self, request: Request, weekly_id: str) -> FileResponse:
        check_query(request, ("file",), paged=False)
        export = weekly_or_404(request.user, weekly_id)
        asked = DownloadQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        name = asked.validated_data["file"]
        file = weekly_downloads.download(export, name, actor=request.user)
        return as_attachment(file, weekly_downloads.file_name(export, name))
