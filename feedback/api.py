"""Reviews over REST, for teams that build their own front end under the same permissions."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import case_or_404
from cases.vocabulary import Verdict
from cases.wire.fields import EnumField, StrictCharField, StrictIntegerField, StrictSerializer
from cases.wire.idempotency import HEADER, idempotent

from .models import Review
from .services import reviews
from .submission import Submission


def _text(length: int) -> StrictCharField:
    return StrictCharField(max_length=length, required=False, allow_blank=True, default="")


class ReviewRequestSerializer(StrictSerializer):
    verdict = EnumField(Verdict)
    generation = StrictIntegerField(min_value=1)
    final_answer = _text(200_000)
    final_decision = _text(100)
    reason_code = _text(50)
    policy_reason = _text(2000)
    notes = _text(10_000)
    missing_evidence = _text(10_000)
    better_retrieval_query = _text(2000)
    incorrect_evidence = serializers.ListField(child=StrictCharField(max_length=200), required=False, max_length=200)


class ReviewSerializer(serializers.Serializer):
    review_id = serializers.CharField()
    case_id = serializers.CharField()
    verdict = serializers.ChoiceField(Verdict.choices)
    is_override = serializers.BooleanField()
    edit_distance = serializers.IntegerField()
    handling_seconds = serializers.FloatField()
    final_at = serializers.DateTimeField(allow_null=True, help_text="Until then it can be undone.")


class ReviewsView(APIView):
    """Decide a case that you hold."""

    @extend_schema(request=ReviewRequestSerializer, parameters=[HEADER], responses={201: ReviewSerializer})
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        sent = ReviewRequestSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = dict(sent.validated_data)
        generation = values.pop("generation")
        values["incorrect_evidence"] = tuple(values.get("incorrect_evidence", ()))
        review = reviews.submit(case.pk, Submission(**values), actor=request.user, generation=generation)
        return Response(review_document(review), status=201)


def review_document(review: Review) -> dict:
    return {
        "review_id": review.wire_id,
        "case_id": review.case.wire_id,
        "verdict": review.verdict,
        "is_override": review.is_override,
        "edit_distance": review.edit_distance,
        "handling_seconds": review.handling_seconds,
        "final_at": review.case.final_at,
    }
