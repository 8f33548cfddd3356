"""Reviews over REST, for teams that build their own front end under the same permissions."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api.doors import case_or_404
from cases.errors import NotFound
from cases.models import Case
from cases.vocabulary import Verdict
from cases.wire import examples
from cases.wire.fields import EnumField, StrictBooleanField, StrictCharField, StrictIntegerField, StrictSerializer
from cases.wire.idempotency import HEADER, idempotent
from cases.wire.openapi import WireIdField
from queues.errors import StaleClaim

from .checklist import Finding, as_checked
from .models import Review, ReviewDraft
from .services import reviews, unsent
from .submission import Submission


def _text(length: int) -> StrictCharField:
    return StrictCharField(max_length=length, required=False, allow_blank=True, default="")


class CheckedEvidenceSerializer(StrictSerializer):
    document_id = StrictCharField(max_length=200)
    finding = EnumField(Finding)


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
    checked_evidence = CheckedEvidenceSerializer(
        many=True,
        required=False,
        max_length=200,
        help_text="What each cited document was found to be. Required of a full investigation, for all of them, unless "
        "`no_evidence_applies` is true. What is `wrong` here counts as `incorrect_evidence` too.",
    )
    no_evidence_applies = StrictBooleanField(
        default=False, required=False, help_text="None of the evidence bears on this case: instead of marking each."
    )


class ReviewDraftRequestSerializer(ReviewRequestSerializer):
    """The unfinished review, whole: what is left out is empty from now on."""

    verdict = EnumField(Verdict, required=False, allow_null=True)


class ReviewDraftSerializer(serializers.Serializer):
    """What you have written on a case and not handed in."""

    case_id = WireIdField("case")
    saved_at = serializers.DateTimeField()
    verdict = serializers.ChoiceField(Verdict.choices, allow_null=True)
    final_answer = serializers.CharField()
    final_decision = serializers.CharField()
    reason_code = serializers.CharField()
    policy_reason = serializers.CharField()
    notes = serializers.CharField()
    missing_evidence = serializers.CharField()
    better_retrieval_query = serializers.CharField()
    incorrect_evidence = serializers.ListField(child=serializers.CharField())
    checked_evidence = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    no_evidence_applies = serializers.BooleanField()


class ReviewSerializer(serializers.Serializer):
    review_id = WireIdField(Review.PREFIX)
    case_id = WireIdField("case")
    verdict = serializers.ChoiceField(Verdict.choices)
    is_override = serializers.BooleanField()
    edit_distance = serializers.IntegerField()
    handling_seconds = serializers.FloatField()
    final_at = serializers.DateTimeField(allow_null=True, help_text="Until then it can be undone.")


class ReviewsView(APIView):
    """Decide a case that you hold."""

    @extend_schema(
        description="A full investigation needs a reason (`reason_code`, `policy_reason` or `notes`), also to accept, "
        "and its evidence checklist: `checked_evidence` or `no_evidence_applies`. Whoever asks for a new draft "
        "(`needs_edit`) owes the reason alone. A quick review needs a reason to reject.",
        request=ReviewRequestSerializer,
        parameters=[HEADER],
        responses={201: ReviewSerializer},
        examples=examples.REVIEW,
    )
    @idempotent
    def post(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        submission, generation = _read(ReviewRequestSerializer(data=request.data))
        try:
            review = reviews.submit(case.pk, submission, actor=request.user, generation=generation)
        except StaleClaim:
            self.unsent = case.pk, submission
            raise
        return Response(review_document(review), status=201)

    def handle_exception(self, exc: Exception) -> Response:
        """Under an Idempotency-Key the refusal has rolled back the text that the service kept: keep it again."""
        if isinstance(exc, StaleClaim):
            case_id, submission = self.unsent
            reviews.keep_unsent(case_id, submission, actor=self.request.user)
        return super().handle_exception(exc)


UNFINISHED = {"notes": "The account was used after all, see", "incorrect_evidence": ["policy_7"]}
DRAFT_EXAMPLES = [
    examples.sent("Half a note", {"generation": 4711, **UNFINISHED}),
    examples.answered(
        "Saved",
        {
            "case_id": examples.CASE_ID,
            "saved_at": "2027-05-09T15:11:40Z",
            "verdict": None,
            "final_answer": "",
            "final_decision": "",
            "reason_code": "",
            "policy_reason": "",
            "missing_evidence": "",
            "better_retrieval_query": "",
            "checked_evidence": [],
            "no_evidence_applies": False,
            **UNFINISHED,
        },
    ),
]


class ReviewDraftView(APIView):
    """Your unfinished review of a case."""

    @extend_schema(
        operation_id="cases_review_draft_retrieve",
        summary="Read your unfinished review",
        description="404 where you have written nothing, or have handed it in.",
        responses={200: ReviewDraftSerializer},
        examples=DRAFT_EXAMPLES[1:],
    )
    def get(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        if kept := unsent.saved(case.pk, request.user):
            return Response(review_draft_document(case, kept))
        raise NotFound

    @extend_schema(
        operation_id="cases_review_draft_save",
        summary="Save your unfinished review",
        description="For the holder of the case, as often as you like; the last one counts. With a claim that you "
        "have lost since the answer is 412, and the text is kept all the same.",
        request=ReviewDraftRequestSerializer,
        responses={200: ReviewDraftSerializer},
        examples=DRAFT_EXAMPLES,
    )
    def put(self, request: Request, case_id: str) -> Response:
        case = case_or_404(request, case_id)
        unfinished, generation = _read(ReviewDraftRequestSerializer(data=request.data))
        kept = unsent.autosave(case.pk, unfinished, actor=request.user, generation=generation)
        return Response(review_draft_document(case, kept))


def _read(sent: ReviewRequestSerializer) -> tuple[Submission, int]:
    """The review and the claim that it was written under."""
    sent.is_valid(raise_exception=True)
    values = dict(sent.validated_data)
    generation = values.pop("generation")
    values["verdict"] = values.get("verdict") or ""
    values["incorrect_evidence"] = tuple(values.get("incorrect_evidence", ()))
    values["checked_evidence"] = as_checked(values.get("checked_evidence"))
    return Submission(**values), generation


def review_draft_document(case: Case, kept: ReviewDraft) -> dict:
    body = kept.content.text
    blank = Submission(verdict="").texts() | {"final_decision": "", "reason_code": ""}
    written = {name: body.get(name) or empty for name, empty in blank.items()}
    return {"case_id": case.wire_id, "saved_at": kept.saved_at, "verdict": body.get("verdict") or None, **written}


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
