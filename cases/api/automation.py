"""The switch over REST: may I call the AI, stop, resume."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..services import switch
from ..vocabulary import Depth
from ..wire import examples
from ..wire.etags import ETAG, IF_NONE_MATCH, NOT_MODIFIED, conditional
from ..wire.idempotency import HEADER, idempotent
from .answers import AutomationQuerySerializer, AutomationSerializer, SwitchSerializer
from .doors import tenant_for


def _answer(tenant, domain: str, action: str) -> Response:
    state = switch.read(tenant, domain=domain, action=action)
    return Response(
        {
            "ai_automation_enabled": state.allowed,
            "why": state.why,
            "tenant_id": tenant.slug,
            "domain": domain or None,
            "action": action or None,
        }
    )


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
        return _answer(tenant, values.get("domain", ""), values.get("action", ""))


class _MoveView(APIView):
    resumes: bool

    def move(self, request: Request) -> Response:
        sent = SwitchSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        tenant = tenant_for(request.user, values.get("tenant_id"))
        scope = switch.Scope(tenant, values.get("domain", ""), values.get("action", ""))
        if self.resumes:
            switch.resume(scope, actor=request.user, reason=values["reason"])
        else:
            depth = Depth[values.get("depth", "decisions").upper()]
            switch.stop(scope, actor=request.user, reason=values["reason"], depth=depth)
        return _answer(tenant, scope.domain, scope.action)


class StopView(_MoveView):
    """Stop automation. When this has answered, no automatic decision in the scope commits any more."""

    resumes = False

    @extend_schema(
        request=SwitchSerializer, parameters=[HEADER], responses=AutomationSerializer, examples=examples.SWITCH
    )
    @idempotent
    def post(self, request: Request) -> Response:
        return self.move(request)


class ResumeView(_MoveView):
    """Let automation run again in a scope."""

    resumes = True

    @extend_schema(
        request=SwitchSerializer, parameters=[HEADER], responses=AutomationSerializer, examples=examples.SWITCH
    )
    @idempotent
    def post(self, request: Request) -> Response:
        return self.move(request)
