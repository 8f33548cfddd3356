"""Setting a case aside over REST: skip, snooze, escalate, decline it, give it back, ask a colleague, answer one."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import case_or_404
from cases.clock import db_now
from cases.models import Case
from cases.permissions import tenants_of
from cases.wire.fields import AwareDateTimeField, StrictCharField, StrictIntegerField, StrictSerializer
from cases.wire.idempotency import HEADER, idempotent
from cases.wire.openapi import WireIdField
from cases.wire.queries import check_query

from .api import GenerationSerializer
from .models import Consultation
from .services import asides, consults, handing_up

DONE = OpenApiResponse(description="Done: the case is no longer yours to decide")
SHOWN = 100


class ReasonedSerializer(GenerationSerializer):
    reason = StrictCharField(max_length=asides.REASON_LENGTH)


class SnoozeSerializer(GenerationSerializer):
    until = AwareDateTimeField()
    reason = StrictCharField(max_length=asides.REASON_LENGTH, required=False)


class ConsultSerializer(GenerationSerializer):
    colleague = StrictCharField(max_length=150, help_text="The colleague's user name.")
    question = StrictCharField(max_length=asides.REASON_LENGTH)
    hours = StrictIntegerField(min_value=1, max_value=consults.MOST_HOURS, required=False)


class GivenBackSerializer(GenerationSerializer):
    reason = StrictCharField(max_length=asides.REASON_LENGTH, required=False, allow_blank=True)


class AnswerSerializer(StrictSerializer):
    answer = StrictCharField(max_length=asides.REASON_LENGTH)


class ConsultationSerializer(serializers.Serializer):
    case_id = WireIdField(Case.PREFIX)
    asker = serializers.CharField(help_text="Who asks: a user name.")
    colleague = serializers.CharField(help_text="Who was asked: a user name.")
    question = serializers.CharField(allow_null=True, help_text="Null after an erasure.")
    asked_at = serializers.DateTimeField()
    answer_by = serializers.DateTimeField(help_text="The case's clock stands until then at most.")


class ConsultationListSerializer(serializers.Serializer):
    results = ConsultationSerializer(many=True)


def _sent(kind: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    sent = kind(data=request.data)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


class SkipView(APIView):
    """Return a case that you hold, for somebody else; the reason is kept."""

    @extend_schema(request=ReasonedSerializer, parameters=[HEADER], responses={204: DONE})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        asides.skip(case.pk, request.user, **_sent(ReasonedSerializer, request))
        return Response(status=204)


class DeclineView(APIView):
    """Hand back a case that you hold, for a conflict of interest: it is never given to you again."""

    @extend_schema(request=ReasonedSerializer, parameters=[HEADER], responses={204: DONE})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        asides.decline(case.pk, request.user, **_sent(ReasonedSerializer, request))
        return Response(status=204)


class HandUpView(APIView):
    """Escalate a case that you hold: to where its queue escalates to, or else to a supervisor."""

    @extend_schema(request=ReasonedSerializer, parameters=[HEADER], responses={204: DONE})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        handing_up.hand_up(case.pk, request.user, **_sent(ReasonedSerializer, request))
        return Response(status=204)


class ReleaseView(APIView):
    """Give a case that you hold back to its queue, in its old place; a reason, if you give one, is kept."""

    @extend_schema(
        request=GivenBackSerializer, parameters=[HEADER], responses={204: OpenApiResponse(description="Given back")}
    )
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        asides.give_back(case.pk, request.user, **_sent(GivenBackSerializer, request))
        return Response(status=204)


class SnoozeView(APIView):
    """Put off a case that you hold, for at most 24 hours and not past its deadline, which goes on running."""

    @extend_schema(request=SnoozeSerializer, parameters=[HEADER], responses={204: DONE})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        asides.snooze(case.pk, request.user, **_sent(SnoozeSerializer, request))
        return Response(status=204)


class ConsultView(APIView):
    """Ask a colleague about a case that you hold; its clock stands until they answer, for `hours` (4) at most."""

    @extend_schema(request=ConsultSerializer, parameters=[HEADER], responses={201: ConsultationSerializer})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        values = _sent(ConsultSerializer, request)
        return Response(_document(consults.ask(case.pk, request.user, **values)), status=201)


class AnswerView(APIView):
    """Answer the question that somebody asked you, or whom you stand in for, about a case."""

    @extend_schema(
        request=AnswerSerializer,
        parameters=[HEADER],
        responses={204: OpenApiResponse(description="Answered: the case is its asker's again")},
    )
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        consults.answer(case.pk, request.user, text=_sent(AnswerSerializer, request)["answer"])
        return Response(status=204)


class StopWaitingView(APIView):
    """Go on without the answer: the clock runs, and the case is kept for you to claim."""

    @extend_schema(
        request=None, parameters=[HEADER], responses={204: OpenApiResponse(description="The case is kept for you")}
    )
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        consults.stop_waiting(case.pk, request.user)
        return Response(status=204)


class QuestionsView(APIView):
    """The open questions that wait for your answer, the most urgent first; at most a hundred."""

    @extend_schema(operation_id="questions_list", responses=ConsultationListSerializer)
    def get(self, request: Request) -> Response:
        check_query(request, paged=False)
        asked = consults.questions_to(request.user, tenants_of(request.user), db_now())
        return Response({"results": [_document(one) for one in asked.select_related("colleague")[:SHOWN]]})


def _document(consultation: Consultation) -> dict[str, Any]:
    return {
        "case_id": consultation.case.wire_id,
        "asker": consultation.asker.username,
        "colleague": consultation.colleague.username,
        "question": consultation.question.text.get("note"),
        "asked_at": consultation.asked_at,
        "answer_by": consultation.answer_by,
    }
