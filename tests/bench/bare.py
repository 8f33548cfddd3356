"""The bare views that ours are measured beside. For intake: what a plain DRF view does to store the same four rows.

No sign-in, no triage, no switch, no queue, no history, no event. Served like the product, by ``bare_settings``.
"""

from functools import cache

from django.db import transaction
from django.urls import path
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.clock import db_now
from cases.ids import new_id
from cases.models import Case, Content, Draft


class BareIntakeView(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (JSONParser,)

    def post(self, request: Request) -> Response:
        sent, like, now = request.data, _template(), db_now()
        case_id, draft_id = new_id(), new_id()
        texts = [
            Content(
                tenant_id=like.tenant_id, owner=owner, case_id=case_id, body=sent, search_text=sent["user_question"]
            )
            for owner in (Content.Owner.CASE, Content.Owner.DRAFT)
        ]
        draft = Draft(
            id=draft_id,
            tenant_id=like.tenant_id,
            case_id=case_id,
            number=1,
            release_id=like.release_id,
            signals=sent["signals"],
            confidence=0.5,
            route=like.route,
            threshold=0.95,
            content=texts[1],
            content_digest=b"",
            created_at=now,
        )
        case = Case(
            id=case_id,
            tenant_id=like.tenant_id,
            external_id=sent["external_id"],
            intake_digest=b"",
            kind="answer",
            domain=sent["domain"],
            language=sent["language"],
            risk="medium",
            state="pending_review",
            content=texts[0],
            current_draft_id=draft_id,
            caller_id=like.case.caller_id,
            opened_at=now,
        )
        with transaction.atomic():
            for row in (*texts, draft, case):  # bulk_create: a plain INSERT each, without history.
                type(row).objects.bulk_create([row])
        return Response({"case_id": case.wire_id}, status=201)


@cache
def _template() -> Draft:
    return Draft.objects.select_related("case").earliest("id")


class BareAnswerView(APIView):
    """What asking for the switch is measured beside: the same answer, known without asking anybody anything."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({"ai_automation_enabled": True, "why": "automation is on", "share": 100, "domain": "billing"})


urlpatterns = [path("bare/", BareIntakeView.as_view()), path("bare/automation/", BareAnswerView.as_view())]
