"""Exports over REST: ask for one, watch it, fetch its file, cancel it."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import tenant_for
from cases.errors import NotFound
from cases.ids import from_wire
from cases.models import User
from cases.models.drafts import RELEASE_PARTS
from cases.permissions import tenants_of
from cases.wire import examples
from cases.wire.fields import AwareDateTimeField, EnumField, StrictCharField, StrictSerializer
from cases.wire.idempotency import HEADER, idempotent
from cases.wire.openapi import WireIdField
from cases.wire.pages import CursorPages
from cases.wire.queries import check_query

from .datasets.filters import Agreement, Filters
from .datasets.splits import Split
from .downloads import as_attachment
from .formats import FORMATS
from .kinds import Kind
from .labels import Label
from .models import Dataset, DatasetVersion, Export
from .services import exports
from .states import ExportState

EXPORT_ID = "exp_01990a1b2c417a1b8c2d3e4f5a6b7c8d"


class ReleaseFilterSerializer(StrictSerializer):
    """The parts of a release that must be so."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {part: StrictCharField(max_length=100, required=False) for part in RELEASE_PARTS}


class CorrectionFiltersSerializer(StrictSerializer):
    """What is left out narrows nothing. The window is over the time of the review."""

    domain = StrictCharField(max_length=50, required=False)
    release = ReleaseFilterSerializer(required=False)
    since = AwareDateTimeField(required=False, help_text="Reviews from this instant on.")
    until = AwareDateTimeField(required=False, help_text="Reviews before this instant.")
    label = EnumField(Label, required=False)
    agreement = EnumField(Agreement, required=False)
    split = EnumField(Split, required=False, help_text="By the case: the same one in every version.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("since") and attrs.get("until") and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": "Send an instant after since."}, code="window")
        return attrs


class ExportRequestSerializer(StrictSerializer):
    kind = EnumField(Kind)
    format = EnumField(list(FORMATS))
    filters = CorrectionFiltersSerializer(required=False)
    dataset = StrictCharField(max_length=100, required=False, help_text="Its name; by default the kind's.")
    tenant_id = StrictCharField(max_length=50, required=False, help_text="Needed only by members of several tenants.")


class ExportSerializer(serializers.Serializer):
    export_id = WireIdField(Export.PREFIX)
    tenant_id = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    format = serializers.ChoiceField(list(FORMATS))
    filters = serializers.DictField(help_text="As they were asked for.")
    dataset = serializers.CharField()
    dataset_id = WireIdField(Dataset.PREFIX)
    state = serializers.ChoiceField(ExportState.choices)
    progress = serializers.FloatField(min_value=0, max_value=1)
    rows_read = serializers.IntegerField(help_text="Corrections looked at so far.")
    rows_written = serializers.IntegerField(help_text="Lines written so far.")
    error = serializers.CharField(allow_null=True)
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When the file is removed.")
    version_id = WireIdField(DatasetVersion.PREFIX, allow_null=True)
    manifest = serializers.DictField(
        allow_null=True, help_text="Filters, watermark, counts and the SHA-256 of the file: what makes it again."
    )


class ExportPages(CursorPages):
    page_size = 20


ASKED = {
    "kind": "preference_pairs",
    "format": "trl_prompt_chosen_rejected",
    "filters": {"domain": "billing", "since": "2027-05-01T00:00:00Z", "split": "train"},
}
ANSWER = {
    "export_id": EXPORT_ID,
    "tenant_id": "acme",
    **ASKED,
    "dataset": "preference_pairs",
    "dataset_id": "ds_01990a1b2c417a1b8c2d3e4f5a6b7c8e",
    "state": "queued",
    "progress": 0.0,
    "rows_read": 0,
    "rows_written": 0,
    "error": None,
    "requested_at": "2027-05-09T15:12:30.120000Z",
    "finished_at": None,
    "expires_at": None,
    "version_id": None,
    "manifest": None,
}
EXAMPLES = [
    examples.sent("Preference pairs for TRL", ASKED),
    examples.answered("Queued", ANSWER, 202),
]


def export_document(export: Export) -> dict[str, Any]:
    version = export.version
    return {
        "export_id": export.wire_id,
        "tenant_id": export.tenant.slug,
        "kind": export.dataset.kind,
        "format": export.format,
        "filters": export.filters,
        "dataset": export.dataset.name,
        "dataset_id": export.dataset.wire_id,
        "state": export.state,
        "progress": round(export.share_done, 4),
        "rows_read": export.rows_read,
        "rows_written": export.rows_written,
        "error": export.error or None,
        "requested_at": export.requested_at,
        "finished_at": export.finished_at,
        "expires_at": export.expires_at,
        "version_id": version.wire_id if version else None,
        "manifest": version.document if version else None,
    }


def visible(user: User):
    """The exports of the tenants in which ``user`` may export."""
    rows = Export.objects.filter(tenant__in=tenants_of(user, "export_data"))
    return rows.select_related("tenant", "dataset", "version")


def export_or_404(user: User, wire_id: str) -> Export:
    key = from_wire(Export.PREFIX, wire_id)
    export = visible(user).filter(pk=key).first() if key else None
    if export is None:
        raise NotFound
    return export


class ExportsView(APIView):
    """Exports of corrections for training, evaluation and retrieval."""

    pagination_class = ExportPages

    @extend_schema(
        operation_id="exports_list",
        summary="List exports, newest first",
        responses={200: ExportSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        check_query(request)
        pages = ExportPages()
        rows = pages.paginate_queryset(visible(request.user), request, self)
        return pages.get_paginated_response([export_document(export) for export in rows])

    @extend_schema(
        operation_id="exports_create",
        summary="Ask for an export",
        description="It holds everything that has committed by now. A worker makes the file: look again, or wait for "
        "the webhook `export.ready`. Each kind goes into some formats only; others are a 400 that names those.",
        request=ExportRequestSerializer,
        parameters=[HEADER],
        responses={202: ExportSerializer},
        examples=EXAMPLES,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        sent = ExportRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        export = exports.request(
            tenant_for(request.user, values.get("tenant_id"), "export_data"),
            kind=values["kind"],
            format=values["format"],
            filters=Filters(**values.get("filters", {})),
            name=values.get("dataset", ""),
            actor=request.user,
        )
        return Response(export_document(export), status=202)


class ExportView(APIView):
    """One export."""

    @extend_schema(
        operation_id="exports_retrieve",
        summary="Read an export",
        responses={200: ExportSerializer},
        examples=[examples.answered("Queued", ANSWER)],
    )
    def get(self, request: Request, export_id: str) -> Response:
        check_query(request, paged=False)
        return Response(export_document(export_or_404(request.user, export_id)))


class CancelExportView(APIView):
    """Stop an export that waits or runs."""

    @extend_schema(
        summary="Cancel an export",
        request=None,
        parameters=[HEADER],
        responses={200: ExportSerializer},
        examples=[examples.answered("Cancelled", ANSWER | {"state": "cancelled"})],
    )
    @idempotent
    def post(self, request: Request, export_id: str) -> Response:
        export = exports.cancel(export_or_404(request.user, export_id).pk, actor=request.user)
        return Response(export_document(export))


class DownloadView(APIView):
    """The file of an export that is ready."""

    also_refuses_with = (409,)  # Read by ``StrictAutoSchema``: no file yet, or no longer.

    @extend_schema(
        operation_id="exports_download",
        summary="Fetch the file",
        description="Who fetched it, and when, is kept. The SHA-256 stands in the manifest.",
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY)},
    )
    def get(self, request: Request, export_id: str) -> FileResponse:
        check_query(request, paged=False)
        export = export_or_404(request.user, export_id)
        return as_attachment(exports.download(export, actor=request.user), export.file_name)
