"""Actions over REST: propose one, look at it, and whatever a person may do with it.

Every POST answers with the action as it is afterwards.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.answers import NoteSerializer
from cases.api.doors import tenant_for
from cases.clock import db_now
from cases.errors import NotFound
from cases.ids import from_wire
from cases.models import Case
from cases.permissions import Denied, tenants_of
from cases.services.audit import keep_denial
from cases.vocabulary import Risk
from cases.wire.etags import ETAG, IF_NONE_MATCH, NOT_MODIFIED, conditional
from cases.wire.fields import StrictSerializer
from cases.wire.idempotency import HEADER, idempotent
from cases.wire.openapi import wire_id
from cases.wire.queries import check_query

from . import binding, shapes
from .errors import ActionNotWaiting, NoAuthority, OwnProposal, StalePayload, StepUpRequired
from .executors import Outcome
from .models import ProposedAction
from .presentation import action_documents
from .services import authorities, edits, proposals, reconciling, signing
from .services.inbox import signable_by
from .states import ActionState
from .visibility import actions_visible_to

STEP_UP = (
    "From high impact on you have to have signed in within the last minutes (15, unless the server says otherwise). A "
    "token counts as signing in for so long after it was made, and later answers 403 `step_up_required`: make a new "
    "one, or approve in the back office."
)


def shown_actions(request: Request) -> QuerySet[ProposedAction]:
    """Those that the caller may see, with everything that ``action_documents`` shows."""
    return actions_visible_to(request.user).select_related(
        "tenant", "content", "proposer", "editor", "current_preview__content"
    )


def action_or_404(request: Request, wire_id: str) -> ProposedAction:
    """The visible action with this wire id; anything else is the same 404."""
    key = from_wire(ProposedAction.PREFIX, wire_id)
    found = shown_actions(request).filter(pk=key).first() if key else None
    if found is None:
        raise NotFound
    return found


def _choices(values: list[str]) -> dict[str, Any]:
    """Instead of Django's message, which repeats what was sent."""
    message = f"Send one of: {', '.join(values)}."
    return {"choices": [(value, value) for value in values], "error_messages": {"invalid_choice": message}}


@extend_schema_field(wire_id(Case.PREFIX))
class CaseIdFilter(filters.CharFilter):
    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        if not value:
            return qs
        key = from_wire(Case.PREFIX, value)
        if key is None:
            raise ValidationError({"case_id": ["Send the id of a case, as the API gives it."]})
        return qs.filter(case=key)


class ActionFilter(filters.FilterSet):
    """The list's filters. A parameter that is not known is refused, so that a typo does not list everything."""

    state = filters.ChoiceFilter(**_choices(ActionState.values))
    impact = filters.ChoiceFilter(**_choices(Risk.values))
    action = filters.CharFilter(field_name="name")
    case_id = CaseIdFilter()
    waiting_for_me = filters.ChoiceFilter(
        method="only_mine", help_text="`true`: only what you could approve now.", **_choices(["true"])
    )

    class Meta:
        model = ProposedAction
        fields = ()

    def only_mine(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        user = self.request.user
        signable = signable_by(user, [tenant.pk for tenant in tenants_of(user, "view_action")], now=db_now())
        return queryset.filter(pk__in=signable.values("pk"))


class ActionListView(GenericAPIView):
    """Propose an action, or list those that you may see, newest first."""

    queryset = ProposedAction.objects.none()
    serializer_class = shapes.ActionSerializer
    filterset_class = ActionFilter
    filter_backends = (filters.DjangoFilterBackend,)

    def get_queryset(self) -> QuerySet[ProposedAction]:
        if getattr(self, "swagger_fake_view", False):  # The schema's generator asks without a caller.
            return self.queryset
        return shown_actions(self.request)

    @extend_schema(
        summary="List actions",
        description="The actions that you may see, newest first. Several filters narrow each other.",
        responses=shapes.ActionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        check_query(request, ActionFilter.base_filters)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(action_documents(page, request.user))

    @extend_schema(
        summary="Propose an action without a case",
        description="One that belongs to a case comes with it, as `proposed_action`. This one is refused where it "
        "could never run. Its dry run is made afterwards: `payload_hash` and `preview` are null until it has answered "
        "and `state` is `pending_approval`, or `preview_failed` with a `problem`. What may run alone does.",
        request=shapes.ProposalSerializer,
        parameters=[HEADER],
        responses={201: shapes.WholeActionSerializer},
        examples=shapes.PROPOSE,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        values = read(shapes.ProposalSerializer, request)
        tenant = tenant_for(request.user, values.pop("tenant_id", None))
        raw = {name: value for name, value in request.data.items() if name != "tenant_id"}
        action = proposals.propose(tenant, values, raw, actor=request.user)
        return document_of(request, action.wire_id, status=201)


class ActionView(APIView):
    """One action as it is now."""

    @extend_schema(
        parameters=[IF_NONE_MATCH, ETAG],
        responses={200: shapes.WholeActionSerializer, 304: NOT_MODIFIED},
        examples=shapes.ONE,
    )
    @conditional
    def get(self, request: Request, action_id: str) -> Response:
        check_query(request, paged=False)
        return document_of(request, action_id)


def read(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    sent = serializer(data=request.data)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


def document_of(request: Request, wire_id: str, *, status: int = 200) -> Response:
    action = action_or_404(request, wire_id)
    return Response(action_documents([action], request.user, with_payload=True)[0], status=status)


def change(body: type[StrictSerializer], examples: list, **words: str) -> Any:
    """``extend_schema`` of a POST to one action."""
    return extend_schema(
        request=body,
        parameters=[HEADER],
        responses={200: shapes.WholeActionSerializer},
        examples=examples,
        **words,
    )


class DecisionView(APIView):
    """Base of the POSTs to one action; keeps what was refused for want of authority, as every denial."""

    asked: ProposedAction | None = None  # Not ``action``: the schema's generator reads that as a method's name.

    def found(self, request: Request, action_id: str) -> UUID:
        self.asked = action_or_404(request, action_id)
        return self.asked.pk

    def handle_exception(self, exc: Exception) -> Response:
        if self.asked and isinstance(exc, NoAuthority | OwnProposal):
            keep_denial(Denied(self.request.user, authorities.EXERCISE, self.asked))
        return super().handle_exception(exc)


class ApproveView(DecisionView):
    """Sign an action."""

    @change(
        shapes.ApprovalSerializer,
        shapes.APPROVE,
        summary="Approve an action",
        description="A signature under the bytes with this hash; the last one that is needed approves it. 412 where "
        f"something else stands there by now: read it again. {STEP_UP}",
    )
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(shapes.ApprovalSerializer, request)
        try:
            signing.approve(
                key,
                actor=request.user,
                payload_hash=binding.from_wire(values["payload_hash"]),
                reason=values.get("reason") or "",
                signed_in_at=request.auth.created,
            )
        except StepUpRequired as error:
            raise StepUpRequired(f"{error.message} {_token_advice()}") from None
        return document_of(request, action_id)

    def handle_exception(self, exc: Exception) -> Response:
        """Under an Idempotency-Key the refusal has rolled back that the change is shown anew: show it again."""
        if self.asked and isinstance(exc, StalePayload):
            signing.show_drift(self.asked.pk)
        return super().handle_exception(exc)


def _token_advice() -> str:
    return f"A token counts as signing in for {settings.STEP_UP_MINUTES} minutes after it was made: make a new one."


class RejectView(DecisionView):
    """Refuse an action for good."""

    @change(
        shapes.RejectionSerializer,
        shapes.REJECT,
        summary="Reject an action",
        description="One person with the authority is enough. A case that was decided already goes back to a person.",
    )
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(shapes.RejectionSerializer, request)
        signing.reject(
            key,
            actor=request.user,
            payload_hash=binding.from_wire(values["payload_hash"]),
            reason=values["reason"],
        )
        return document_of(request, action_id)


class EditView(DecisionView):
    """Ask for something else instead."""

    @change(
        shapes.EditSerializer,
        shapes.EDIT,
        summary="Edit an action",
        description="A new revision: a new dry run, a new hash, and signatures from the start. For whoever may approve "
        "actions of this type; they cannot be the only one to sign it. `payload_hash` is needed once there is one.",
    )
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(shapes.EditSerializer, request)
        edits.edit(
            key,
            edits.Edit(values["params"], values.get("amount"), values.get("currency") or ""),
            actor=request.user,
            payload_hash=binding.from_wire(values.get("payload_hash") or ""),
            reason=values["reason"],
        )
        return document_of(request, action_id)


class CancelView(DecisionView):
    """Call an action off, until it is sent to its executor."""

    @change(
        NoteSerializer,
        shapes.NOTE,
        summary="Cancel an action",
        description="For its proposer, and for whoever may withdraw cases.",
    )
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(NoteSerializer, request)
        edits.cancel(key, actor=request.user, reason=values.get("reason") or "")
        return document_of(request, action_id)


class TakeBackView(DecisionView):
    """Withdraw your own approval, until the action is sent to its executor."""

    @change(NoteSerializer, shapes.NOTE, summary="Take your approval back")
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(NoteSerializer, request)
        signing.take_back(key, actor=request.user, reason=values.get("reason") or "")
        return document_of(request, action_id)


class PreviewView(DecisionView):
    """Have a dry run that failed tried again."""

    @change(shapes.EmptySerializer, shapes.ONE, summary="Try the dry run again")
    @idempotent
    def post(self, request: Request, action_id: str) -> Response:
        key, _ = self.found(request, action_id), read(shapes.EmptySerializer, request)
        edits.retry_preview(key, actor=request.user)
        return document_of(request, action_id)


class ReconcileView(DecisionView):
    """Settle an execution of which nobody knows whether it took place."""

    @change(
        shapes.FindingSerializer,
        shapes.RECONCILE,
        summary="Reconcile an action whose result is unknown",
        description="Say what you found out, have the executor asked what became of the key, or have the action sent "
        "again under the same key.",
    )
    def post(self, request: Request, action_id: str) -> Response:
        key, values = self.found(request, action_id), read(shapes.FindingSerializer, request)
        # A call over the network, so before the transaction of an Idempotency-Key begins; it changes nothing.
        answer = self._asked(key, request) if values.get("look_up") else None
        return self._settle(request, action_id, key, values, answer)

    def _asked(self, key: UUID, request: Request) -> Outcome | ActionNotWaiting:
        """What the executor says; a refusal waits, since a repeated request may have its answer already."""
        try:
            return reconciling.ask(key, actor=request.user)
        except ActionNotWaiting as refused:
            return refused

    @idempotent
    def _settle(
        self,
        request: Request,
        action_id: str,
        key: UUID,
        values: dict[str, Any],
        answer: Outcome | ActionNotWaiting | None,
    ) -> Response:
        if isinstance(answer, ActionNotWaiting):
            raise answer
        if answer is not None:
            reconciling.keep_answer(key, answer, actor=request.user)
        elif values.get("send_again"):
            reconciling.send_again(key, actor=request.user)
        else:
            is_executed = values["result"] == shapes.FINDINGS[0]
            reconciling.mark(key, is_executed=is_executed, actor=request.user, evidence=values.get("evidence") or "")
        return document_of(request, action_id)
