"""Cases over REST: intake, lists, one case, its timeline, new drafts, withdrawal, a wish for a person."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..clock import db_now
from ..errors import NotFound
from ..models import Case, CaseEvent, DataView, Tenant
from ..outcome import events_for_callers, in_public_state
from ..permissions import fields_visible_to, visible_to
from ..presentation import case_documents, event_document, receipt_document
from ..services import intake, lifecycle
from ..services.data_views import keep_api_view
from ..services.evaluating import evaluated
from ..states import State
from ..veil import before_outcome, veiled, veiled_among
from ..vocabulary import Risk
from ..wire import examples
from ..wire.etags import ETAG, IF_NONE_MATCH, NOT_MODIFIED, conditional
from ..wire.idempotency import HEADER, idempotent
from ..wire.intake import DraftSerializer, Intake, IntakeSerializer, parse_draft, parse_intake
from ..wire.queries import InstantFilter, check_query
from .answers import CaseSerializer, NoteSerializer, ReceiptSerializer, TimelineSerializer
from .doors import case_or_404, tenant_for, traced

TIMELINE_AT_MOST = 500


def _one_of(words: list[str]) -> dict[str, str]:
    """Instead of Django's message, which repeats what was sent."""
    return {"invalid_choice": f"Send one of: {', '.join(words)}."}


class CaseFilter(filters.FilterSet):
    """The list's filters. A parameter that is not known is refused, so that a typo does not list everything."""

    external_id = filters.CharFilter()
    state = filters.ChoiceFilter(choices=State.choices, method="in_state", error_messages=_one_of(State.values))
    domain = filters.CharFilter()
    risk = filters.ChoiceFilter(choices=Risk.choices, error_messages=_one_of(Risk.values))
    tag = filters.CharFilter(field_name="tags", lookup_expr="contains", method="with_tag")
    queue = filters.CharFilter(field_name="entries__queue__slug")
    release = filters.CharFilter(field_name="current_draft__release__version")
    opened_after = InstantFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = InstantFilter(field_name="opened_at", lookup_expr="lt")
    due_after = InstantFilter(field_name="entries__due_at", lookup_expr="gte")
    due_before = InstantFilter(field_name="entries__due_at", lookup_expr="lt")

    class Meta:
        model = Case
        fields = ()

    def in_state(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        hidden = veiled(self.request.user)
        found = in_public_state(queryset.exclude(hidden), value, db_now())
        return found | queryset.filter(hidden) if value == State.PENDING_REVIEW else found

    def with_tag(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(tags__contains=[value])


class CaseListView(GenericAPIView):
    """Take a case in, or list the cases that you may see, newest first."""

    queryset = Case.objects.none()
    serializer_class = CaseSerializer
    filterset_class = CaseFilter
    filter_backends = (filters.DjangoFilterBackend,)

    def get_queryset(self) -> QuerySet[Case]:
        if getattr(self, "swagger_fake_view", False):  # The schema's generator asks without a caller.
            return self.queryset
        return visible_to(self.request.user, Case.objects.with_text())

    @extend_schema(
        summary="List cases",
        description="The cases that you may see, newest first. Several filters narrow each other.",
        responses=CaseSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        check_query(request, CaseFilter.base_filters)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(case_documents(page, request.user))

    @extend_schema(
        summary="Take a case in",
        description="The answer is its triage: approved automatically, or waiting for a person, and why. The same "
        "`external_id` and body again answer 200 with the case as it is now; with another body, 409.",
        request=IntakeSerializer,
        parameters=[HEADER],
        examples=[*examples.INTAKE, examples.TAKEN_IN, examples.KNOWN],
        responses={
            201: ReceiptSerializer,
            200: OpenApiResponse(CaseSerializer, "Known already: the case as it is now"),
        },
    )
    @idempotent(prepare=lambda view, request: _prepared_intake(request))
    def post(self, request: Request, prepared: tuple[Tenant, Intake]) -> Response:
        tenant, sent = prepared
        receipt = intake.submit(sent, actor=request.user, tenant=tenant)
        if receipt.is_new:
            return Response(receipt_document(receipt), status=201)
        return Response(case_documents([receipt.case], request.user)[0], status=200)


def _prepared_intake(request: Request) -> tuple[Tenant, Intake]:
    """Parsed, its tenant found, and its signals evaluated."""
    sent = traced(parse_intake(request.data), request)
    tenant = tenant_for(request.user, sent.get("tenant_id"))
    return tenant, evaluated([sent])[0]


def _prepared_draft(request: Request, case_id: str) -> tuple[Case, Intake]:
    case = case_or_404(request, case_id)
    return case, evaluated([parse_draft(request.data)])[0]


class CaseView(APIView):
    """One case as it is now."""

    @extend_schema(
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: CaseSerializer, 304: NOT_MODIFIED},
        examples=examples.CASE,
    )
    @conditional
    def get(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        keep_api_view(request.user, case, DataView.What.API)
        return Response(case_documents([case], request.user)[0])


class TimelineView(APIView):
    """What happened to a case, oldest first. A decision shows when it is final."""

    @extend_schema(responses=TimelineSerializer, examples=examples.TIMELINE)
    def get(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        check_query(request, paged=False)
        keep_api_view(request.user, case, DataView.What.API_TIMELINE)
        events = case.events.select_related("actor", "note").order_by("id")
        if "votes" not in fields_visible_to(request.user, case):
            events = events.exclude(kind__in=CaseEvent.OF_VOTES)
        if veiled_among([case], request.user):
            events = before_outcome(events)
        events = events[:TIMELINE_AT_MOST]
        is_staff = request.user.is_person
        if not is_staff:
            events = events_for_callers(events, case, db_now())
        return Response({"results": [event_document(event, is_staff=is_staff) for event in events]})


class DraftsView(APIView):
    """A new draft for an open case; a person looks at it, whatever its confidence."""

    @extend_schema(
        request=DraftSerializer,
        parameters=[HEADER],
        responses={201: ReceiptSerializer},
        examples=[*examples.DRAFT, examples.TAKEN_IN],
    )
    @idempotent(prepare=lambda view, request, case_id: _prepared_draft(request, case_id))
    def post(self, request: Request, case_id: str, prepared: tuple[Case, Intake]) -> Response:
        case, sent = prepared
        receipt = intake.add_draft(case.pk, sent, actor=request.user)
        return Response(receipt_document(receipt), status=201)


class NotedView(APIView):
    """Base of the POSTs that take an optional reason and answer with the case."""

    @staticmethod
    def act(case: Case, request: Request, reason: str) -> None:
        raise NotFound

    @extend_schema(request=NoteSerializer, parameters=[HEADER], responses=CaseSerializer, examples=examples.REASON)
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        note = NoteSerializer(data=request.data)
        note.is_valid(raise_exception=True)
        self.act(case, request, note.validated_data.get("reason") or "")
        return Response(case_documents([case_or_404(request, case_id)], request.user)[0])


class WithdrawView(NotedView):
    """The caller cancels a case that no person has decided."""

    @staticmethod
    def act(case: Case, request: Request, reason: str) -> None:
        lifecycle.withdraw(case.pk, actor=request.user, reason=reason)


class EscalateView(NotedView):
    """The customer wants a person; an automatic approval is recalled."""

    @staticmethod
    def act(case: Case, request: Request, reason: str) -> None:
        lifecycle.escalate(case.pk, actor=request.user, note=reason)
