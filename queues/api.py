"""Queues over REST: claim the next case, keep it, give it back; the queues' health."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.answers import CaseSerializer
from cases.api.doors import case_or_404, tenant_for
from cases.models import Case
from cases.permissions import tenants_of
from cases.presentation import case_documents
from cases.wire import examples
from cases.wire.fields import StrictCharField, StrictIntegerField, StrictSerializer
from cases.wire.idempotency import HEADER, idempotent
from cases.wire.openapi import WireIdField
from cases.wire.queries import check_query

from .services import claims
from .services.health import queue_health


class ClaimRequestSerializer(StrictSerializer):
    queue = StrictCharField(max_length=50, required=False)
    tenant_id = StrictCharField(max_length=50, required=False)


class GenerationSerializer(StrictSerializer):
    generation = StrictIntegerField(min_value=1)


class ClaimSerializer(serializers.Serializer):
    case_id = WireIdField(Case.PREFIX)
    generation = serializers.IntegerField(min_value=1)
    lease_expires_at = serializers.DateTimeField()
    case = CaseSerializer()


class LeaseSerializer(serializers.Serializer):
    lease_expires_at = serializers.DateTimeField()


class QueueHealthSerializer(serializers.Serializer):
    queue = serializers.CharField()
    name = serializers.CharField()
    tenant_id = serializers.CharField()
    waiting = serializers.IntegerField(help_text="Free to be claimed.")
    held = serializers.IntegerField(help_text="Under somebody's claim.")
    kept = serializers.IntegerField(
        help_text="Nobody holds them, and only one person is offered them: snoozed, or given."
    )
    paused = serializers.IntegerField(help_text="Their clock stands: they wait for a new draft, or for a colleague.")
    due_soon = serializers.IntegerField()
    breached = serializers.IntegerField()
    oldest_at = serializers.DateTimeField(allow_null=True)


class QueueListSerializer(serializers.Serializer):
    results = QueueHealthSerializer(many=True)


class ClaimView(APIView):
    """The next case for the calling person; 204 when nothing waits for them."""

    @extend_schema(
        request=ClaimRequestSerializer,
        parameters=[HEADER],
        examples=examples.CLAIM,
        responses={200: ClaimSerializer, 204: OpenApiResponse(description="Nothing waits for you")},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        sent = ClaimRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        slug = sent.validated_data.get("tenant_id")
        tenant = tenant_for(request.user, slug) if slug else None
        entry = claims.claim_next(request.user, tenant=tenant, queue_slug=sent.validated_data.get("queue", ""))
        if entry is None:
            return Response(status=204)
        case = Case.objects.with_text().get(pk=entry.case_id)
        return Response(
            {
                "case_id": case.wire_id,
                "generation": entry.generation,
                "lease_expires_at": entry.lease_expires_at,
                "case": case_documents([case], request.user)[0],
            }
        )


class QueueListView(APIView):
    """Depth, oldest, due soon (within half an hour) and breached of each queue that you may see."""

    @extend_schema(operation_id="queues_list", responses=QueueListSerializer)
    def get(self, request: Request) -> Response:
        check_query(request, paged=False)
        return Response(
            {"results": queue_health(tenants_of(request.user, "view_queue"), for_people=not request.user.is_service)}
        )


class HeartbeatView(APIView):
    """Renew the lease on a case that you hold."""

    @extend_schema(request=GenerationSerializer, responses=LeaseSerializer)
    def post(self, request: Request, case_id: str) -> Response:
        return Response({"lease_expires_at": claims.heartbeat(*_held(request, case_id))})


def _held(request: Request, case_id: str):
    case = case_or_404(request, case_id)
    sent = GenerationSerializer(data=request.data)
    sent.is_valid(raise_exception=True)
    return case.pk, request.user, sent.validated_data["generation"]
