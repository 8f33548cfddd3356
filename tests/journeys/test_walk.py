"""The main job, end to end: a case comes in, a person corrects it in the admin, the caller hears of it once."""

import json
import time
import urllib.request

import pytest
from django.urls import reverse

from cases.clock import db_now
from cases.models import CaseEvent, Delivery, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import deliveries, people
from cases.signing import new_secret
from config.invariants import broken
from feedback.models import Review
from feedback.services import reviews
from queues.models import Claim, Entry, Passage
from tests.cases.receiver import Receiver
from tests.worlds import DRAFT, make_world

pytestmark = pytest.mark.django_db(transaction=True)

CORRECTED = DRAFT.replace("60 days", "30 days")


def call(url: str, token: str, body: dict | None = None) -> tuple[int, dict]:
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, json.load(answer)


def test_a_wrong_draft_is_corrected_by_a_person_and_the_caller_hears_of_it_once_it_is_final(live_server, client):
    world = make_world("acme", undo_seconds=1)
    token = people.issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    with Receiver() as receiver:
        secret = new_secret()
        endpoint = WebhookEndpoint(tenant=world.tenant, url=receiver.url, secret=secret, kinds=["case.decided"])
        endpoint.save_as(system_actor(), "walk")

        status, receipt = call(
            f"{live_server.url}/api/v1/cases/",
            token,
            {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": DRAFT, "resume_token": "r1"},
        )
        assert (status, receipt["state"], receipt["route"]) == (201, "pending_review", "full_investigation")
        assert receipt["reason_for_escalation"] and receipt["queue_reason"] and receipt["customer_message"]

        client.force_login(world.reviewer)
        entry = Entry.objects.get()
        page = client.post(reverse("admin:feedback_review_next"), follow=True)
        assert page.status_code == 200 and "Refund after 40 days?" in page.content.decode()
        entry.refresh_from_db()
        digest = bytes(entry.case.current_draft.content_digest).hex()
        decided = client.post(
            reverse("admin:feedback_review_decide", args=[entry.case_id]),
            {
                "verdict": "edit",
                "final_answer": CORRECTED,
                "reason_code": "wrong_policy",
                "generation": entry.generation,
                "displayed": digest,
            },
        )
        assert decided.status_code == 302

        case_url = f"{live_server.url}/api/v1/cases/{receipt['case_id']}/"
        assert call(case_url, token)[1]["outcome"] is None, "still to be undone, so still hidden"
        deliveries.sweep(seconds=1)
        assert receiver.requests == []

        Delivery.objects.filter(next_attempt_at__gt=db_now()).update(next_attempt_at=db_now())
        wait_until_final(entry.case)
        deliveries.sweep(seconds=5)

    (received,) = receiver.requests
    event = received.json(secret)
    assert event["type"] == "case.decided"
    assert event["data"]["outcome"]["final_answer"] == CORRECTED
    assert event["data"]["resume_token"] == "r1"

    seen = call(case_url, token)[1]
    assert seen["state"] == "approved"
    assert seen["outcome"]["verdict"] == "edit" and seen["outcome"]["decided_by"] == "human"

    review = Review.objects.get()
    assert review.is_override and review.edit_distance == 1 and review.handling_seconds > 0
    assert review.draft.content.text["model_draft"] == DRAFT
    assert review.content.text["final_answer"] == CORRECTED
    kinds = [line["type"] for line in call(f"{case_url}timeline/", token)[1]["results"]]
    assert kinds == ["case.opened", "case.decided"]
    assert [row.state for row in review.case.history.order_by("history_id")] == ["pending_review", "approved"]
    assert Claim.objects.get().end == Claim.End.DECIDED and Passage.objects.get().end == CaseEvent.Kind.DECIDED
    assert list(broken()) == []


def test_an_undone_decision_is_never_told_to_anybody():
    world = make_world("acme")
    with Receiver() as receiver:
        WebhookEndpoint(tenant=world.tenant, url=receiver.url, secret=new_secret(), kinds=["case.decided"]).save_as(
            system_actor(), "walk"
        )
        case = world.submit()
        entry = world.claim()
        reviews.submit(case.pk, reviews.Submission(verdict="accept"), actor=world.reviewer, generation=entry.generation)
        reviews.undo(case.pk, actor=world.reviewer)
        deliveries.sweep(seconds=1)
    assert receiver.requests == []
    assert Delivery.objects.get().state == Delivery.State.CANCELLED
    assert list(broken()) == []


def wait_until_final(case) -> None:
    while True:
        case.refresh_from_db(fields=["final_at"])
        if case.final_at <= db_now():
            return
        time.sleep(0.05)
