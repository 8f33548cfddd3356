"""What the customer thought of the answer, told by the caller."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..presentation import case_documents
from ..services import satisfaction
from ..wire import examples
from ..wire.fields import StrictCharField, StrictIntegerField, StrictSerializer
from ..wire.idempotency import HEADER, idempotent
from .answers import CaseSerializer
from .doors import case_or_404


class SatisfactionSerializer(StrictSerializer):
    score = StrictIntegerField(
        min_value=satisfaction.LOWEST, max_value=satisfaction.HIGHEST, help_text="1 is the worst, 5 the best."
    )
    comment = StrictCharField(max_length=2000, required=False, allow_null=True, allow_blank=True)


EXAMPLES = [
    examples.sent("An unhappy customer", {"score": 1, "comment": "That is not what I asked."}),
    examples.sent("A happy one", {"score": 5}),
    *examples.CASE,
]


class SatisfactionView(APIView):
    """Report a customer's score."""

    @extend_schema(
        summary="Report a customer's satisfaction",
        description=f"A score of {satisfaction.LOW} or less recalls a case that was approved automatically: a person "
        "looks at it. Each report stays in the timeline, and the last one counts.",
        request=SatisfactionSerializer,
        parameters=[HEADER],
        examples=EXAMPLES,
        responses={200: CaseSerializer},
    )
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        sent = SatisfactionSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = sent.validated_data
        satisfaction.report(case.pk, score=values["score"], comment=values.get("comment") or "", actor=request.user)
        return Response(case_documents([case_or_404(request, case_id)], request.user)[0])
