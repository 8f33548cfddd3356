"""Many cases in one request."""

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..models import Case, Tenant, User
from ..presentation import receipt_document, status_url
from ..services import bulk
from ..services.evaluating import evaluated
from ..services.intake import ExternalIdTaken, Receipt
from ..wire import examples
from ..wire.fields import StrictSerializer
from ..wire.idempotency import HEADER, idempotent
from ..wire.intake import Intake, IntakeSerializer
from ..wire.openapi import WireIdField
from .answers import ReceiptSerializer
from .doors import TenantAmbiguous, tenant_for, traced

MAX_CASES = 1000


class BulkSerializer(StrictSerializer):
    """Up to 1,000 cases, each as in ``POST cases/`` and of at most 1 MB; 8 MB for all."""

    cases = IntakeSerializer(many=True, allow_empty=False, max_length=MAX_CASES)


class BulkResultSerializer(serializers.Serializer):
    """What became of one of the cases. A duplicate has no receipt: ``status_url`` shows the case as it is now."""

    result = serializers.ChoiceField([("created", "Taken in"), ("duplicate", "Known already")])
    case_id = WireIdField(Case.PREFIX)
    external_id = serializers.CharField(allow_null=True)
    status_url = serializers.URLField()
    receipt = ReceiptSerializer(allow_null=True)


class BulkAnswerSerializer(serializers.Serializer):
    """One result for each case that was sent, in their order."""

    results = BulkResultSerializer(many=True)


EXAMPLES = [
    examples.sent("Two cases", {"cases": [examples.SMALLEST, examples.WHOLE]}),
    examples.answered(
        "One taken in, one known",
        {
            "results": [
                {
                    "result": "created",
                    "case_id": examples.CASE_ID,
                    "external_id": "conv-8812",
                    "status_url": examples.STATUS_URL,
                    "receipt": examples.RECEIPT,
                },
                {
                    "result": "duplicate",
                    "case_id": examples.CASE_ID,
                    "external_id": "conv-8812",
                    "status_url": examples.STATUS_URL,
                    "receipt": None,
                },
            ]
        },
        201,
    ),
]


class BulkView(APIView):
    """Take in up to 1,000 cases: all of them, or none."""

    max_body_bytes = settings.MAX_BULK_BYTES

    @extend_schema(
        summary="Take in many cases",
        description="All are stored, or none: 400 names each that is refused, as `/cases/3/domain`. An `external_id` "
        "that is known with the same body is a `duplicate`, also within one request; with another body it is refused.",
        request=BulkSerializer,
        parameters=[HEADER],
        examples=EXAMPLES,
        responses={201: BulkAnswerSerializer},
    )
    @idempotent(prepare=lambda view, request: _prepared(request))
    def post(self, request: Request, prepared: Sequence[tuple[Tenant, Intake]]) -> Response:
        try:
            receipts = bulk.submit(prepared, actor=request.user)
        except ExternalIdTaken as error:
            raise _refused(error.positions, "external_id", error.message, error.code) from None
        return Response({"results": [_result(receipt) for receipt in receipts]}, status=201)


def _prepared(request: Request) -> list[tuple[Tenant, Intake]]:
    """All of them parsed, their tenants found, and their signals evaluated."""
    intakes = [traced(intake, request) for intake in _parse(request)]
    tenants = _tenants(request.user, intakes)
    return list(zip(tenants, evaluated(intakes), strict=True))


def _parse(request: Request) -> list[Intake]:
    serializer = BulkSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    raws = request.data["cases"]
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_BODY_BYTES:
        _check_sizes(raws)
    return [Intake(raw, values) for raw, values in zip(raws, serializer.validated_data["cases"], strict=True)]


def _check_sizes(raws: Sequence[dict[str, Any]]) -> None:
    """No case is larger here than it may be by itself."""
    limit = settings.MAX_BODY_BYTES
    large = [
        position
        for position, raw in enumerate(raws)
        if len(json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()) > limit
    ]
    if large:
        raise _refused(large, None, f"This case is larger than {limit:,} bytes.", "body_too_large")


def _tenants(user: User, intakes: Sequence[Intake]) -> list[Tenant]:
    """The tenant of each; one that is not the caller's is as unknown here as everywhere."""
    found: dict[str | None, Tenant] = {}
    named = [intake.get("tenant_id") for intake in intakes]
    for slug in dict.fromkeys(named):
        try:
            found[slug] = tenant_for(user, slug)
        except TenantAmbiguous as error:
            unnamed = [position for position, other in enumerate(named) if other is None]
            raise _refused(unnamed, "tenant_id", error.message, error.code) from None
    return [found[slug] for slug in named]


def _refused(positions: Sequence[int], field: str | None, message: str, code: str) -> ValidationError:
    errors = [ErrorDetail(message, code=code)]
    return ValidationError({"cases": {position: {field: errors} if field else errors for position in positions}})


def _result(receipt: Receipt) -> dict[str, Any]:
    return {
        "result": "created" if receipt.is_new else "duplicate",
        "case_id": receipt.case.wire_id,
        "external_id": receipt.case.external_id or None,
        "status_url": status_url(receipt.case),
        "receipt": receipt_document(receipt) if receipt.is_new else None,
    }
