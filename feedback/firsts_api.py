"""Blind first over REST: whether one's own opinion is asked for, and to give it."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import case_or_404
from cases.models import Case
from cases.wire import examples
from cases.wire.fields import StrictCharField, StrictIntegerField, StrictSerializer
from cases.wire.openapi import WireIdField
from queues.models import Entry

from .services import firsts


class FirstOpinionRequestSerializer(StrictSerializer):
    """``decision`` is one of the options where there are such; else ``answer`` says it in a sentence."""

    generation = StrictIntegerField(min_value=1)
    decision = StrictCharField(max_length=100, required=False, allow_blank=True, default="")
    answer = StrictCharField(max_length=firsts.LONGEST, required=False, allow_blank=True, default="")


class FirstOpinionSerializer(serializers.Serializer):
    """``hides_draft``: show this person nothing that the AI said of the case. ``asks``: give an opinion, and go on."""

    case_id = WireIdField(Case.PREFIX)
    hides_draft = serializers.BooleanField()
    asks = serializers.BooleanField()
    options = serializers.ListField(child=serializers.CharField())
    decision = serializers.CharField(allow_null=True, help_text="What you said, once you have.")


_ASKED = {
    "case_id": examples.CASE_ID,
    "hides_draft": True,
    "asks": True,
    "options": ["allow", "deny"],
    "decision": None,
}
EXAMPLES = [
    examples.sent("One of the options", {"generation": 4711, "decision": "deny"}),
    examples.answered("Now the draft may be shown", _ASKED | {"hides_draft": False, "asks": False, "decision": "deny"}),
]


class FirstOpinionView(APIView):
    """Your opinion before the draft."""

    @extend_schema(
        operation_id="cases_first_opinion_retrieve",
        summary="Ask whether your opinion comes before the draft",
        responses={200: FirstOpinionSerializer},
        examples=[examples.answered("Asked for", _ASKED)],
    )
    def get(self, request: Request, case_id: str) -> Response:
        return Response(_document(case_or_404(request, case_id), request))

    @extend_schema(
        operation_id="cases_first_opinion_give",
        summary="Say what you would decide before you see the draft",
        description="For the holder of the case, once. Where it `asks`, a review without it is a 409.",
        request=FirstOpinionRequestSerializer,
        responses={200: FirstOpinionSerializer},
        examples=EXAMPLES,
    )
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        sent = FirstOpinionRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        firsts.give(case.pk, actor=request.user, **sent.validated_data)
        return Response(_document(case, request))


def _document(case: Case, request: Request) -> dict:
    entry = Entry.objects.filter(case=case).first()
    found = firsts.blindness(case, entry, request.user)
    given = firsts.opinion_of(case, request.user)
    return {
        "case_id": case.wire_id,
        "hides_draft": found.hides,
        "asks": found.asks,
        "options": list(firsts.options_of(case)),
        "decision": given.decision or None if given else None,
    }
