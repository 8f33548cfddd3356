"""The switch over REST: may I call the AI, stop, resume."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..clock import db_now
from ..models import RecallRun, Tenant
from ..permissions import tenants_of
from ..services import recalls, switch
from ..triage import Automation
from ..vocabulary import Depth, Stage
from ..wire import examples
from ..wire.etags import ETAG, IF_NONE_MATCH, NOT_MODIFIED, conditional
from ..wire.idempotency import HEADER, idempotent
from .answers import (
    AutomationQuerySerializer,
    AutomationSerializer,
    MovedSerializer,
    RecallAnswerSerializer,
    RecallListSerializer,
    RecallSerializer,
    ResumeSerializer,
    StopSerializer,
    SwitchSerializer,
)
from .doors import tenant_for

RECALLS = 20


def _document(state: Automation, tenant: Tenant | None, domain: str, action: str) -> dict[str, Any]:
    return {
        "ai_automation_enabled": state.allowed,
        "why": state.why,
        "share": state.share if state.allowed else 0,
        "tenant_id": tenant.slug if tenant else None,
        "domain": domain or None,
        "action": action or None,
    }


class AutomationView(APIView):
    """Whether automation is on for a tenant, domain and action. Take no answer for a no."""

    @extend_schema(
        summary="May I call the AI?",
        parameters=[AutomationQuerySerializer, IF_NONE_MATCH, ETAG],
        responses={200: AutomationSerializer, 304: NOT_MODIFIED},
        examples=examples.AUTOMATION,
    )
    @conditional
    def get(self, request: Request) -> Response:
        asked = AutomationQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        # The right that finds the tenant is the right that is needed: this is asked before each call of an AI.
        tenant = tenant_for(request.user, values.get("tenant_id"), "view_automation")
        domain, action = values.get("domain", ""), values.get("action", "")
        return Response(_document(switch.read(tenant, domain=domain, action=action), tenant, domain, action))


class StopView(APIView):
    """Stop automation. When this has answered, no automatic decision in the scope commits any more."""

    @extend_schema(request=StopSerializer, parameters=[HEADER], responses=MovedSerializer, examples=examples.SWITCH)
    @idempotent
    def post(self, request: Request) -> Response:
        scope, values = _asked(request, StopSerializer)
        depth = Depth[values.get("depth", "decisions").upper()]
        switch.stop(scope, actor=request.user, reason=values["reason"], depth=depth)
        return _moved(scope)


class ResumeView(APIView):
    """Let automation run again in a scope, up to a stage. Where two people have to agree, the first one's wish waits
    for a day, and the same request by another person confirms it."""

    @extend_schema(
        request=ResumeSerializer,
        parameters=[HEADER],
        responses={200: MovedSerializer, 202: OpenApiResponse(MovedSerializer, "Waits for a second person")},
        examples=examples.RESUME,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        scope, values = _asked(request, ResumeSerializer)
        stage = values.get("share", Stage.ALL)
        resumed = switch.resume(scope, actor=request.user, reason=values["reason"], stage=stage)
        return _moved(scope, waits=resumed.request is not None)


def _asked(request: Request, serializer: type[SwitchSerializer]) -> tuple[switch.Scope, dict[str, Any]]:
    """The scope that a stop or a resumption names, and everything it says."""
    sent = serializer(data=request.data)
    sent.is_valid(raise_exception=True)
    values = sent.validated_data
    tenant = None if values.get("everywhere") else tenant_for(request.user, values.get("tenant_id"))
    return switch.Scope(tenant, values.get("domain", ""), values.get("action", "")), values


def _moved(scope: switch.Scope, *, waits: bool = False) -> Response:
    """How the scope stands now; ``waits`` where nothing has moved before a second person agrees."""
    document = _document(switch.state_of(scope), scope.tenant, scope.domain, scope.action)
    return Response(document | {"waits_for_second_person": waits}, status=202 if waits else 200)


class RecallView(APIView):
    """Take automatic approvals back to people, many at once."""

    @extend_schema(
        summary="Recalls and how far they are",
        description="Those of your tenants, newest first, at most 20.",
        responses=RecallListSerializer,
    )
    def get(self, request: Request) -> Response:
        tenants = tenants_of(request.user, "view_automation")
        runs = RecallRun.objects.filter(tenant__in=tenants).select_related("tenant").order_by("-id")
        return Response({"results": [_recall(run) for run in runs[:RECALLS]]})

    @extend_schema(
        summary="Recall automatic approvals since a moment",
        description="Workers carry it out; each case that comes back is told by `case.recalled`. With `preview` it is "
        "only counted.",
        request=RecallSerializer,
        parameters=[HEADER],
        responses={200: OpenApiResponse(RecallAnswerSerializer, "A preview"), 202: RecallAnswerSerializer},
        examples=examples.RECALL,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        sent = RecallSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        tenant = tenant_for(request.user, values.get("tenant_id"))
        since, domain = values["since"], values.get("domain", "")
        if values.get("preview"):
            found = recalls.preview(tenant, since=since, domain=domain, actor=request.user)
            counted = RecallRun(tenant=tenant, domain=domain, since=since, until=db_now(), found=found)
            return Response(_recall(counted) | {"recall_id": None})
        run = recalls.ask(tenant, since=since, domain=domain, reason=values["reason"], actor=request.user)
        return Response(_recall(run), status=202)


def _recall(run: RecallRun) -> dict[str, Any]:
    return {
        "recall_id": run.wire_id,
        "tenant_id": run.tenant.slug,
        "domain": run.domain or None,
        "since": run.since,
        "until": run.until,
        "found": run.found,
        "recalled": run.recalled,
        "finished_at": run.finished_at,
    }
