"""The API as an integrator meets it: intake, lists, the outcome, idempotency, and what a refusal leaves behind."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import Case, Denial, IdempotencyKey, Release
from cases.models.people import system_actor
from cases.services import people
from cases.vocabulary import Verdict
from cases.wire import idempotency
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.threads import failures, in_parallel
from tests.worlds import DRAFT, FAIR, SURE, World, make_world

GOOD = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": DRAFT}
ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}
RULES = {"new_release_reviews": 0, "sampling_share": 0.0}
LATER = timedelta(minutes=1)


class Caller:
    """One account with a token."""

    def __init__(self, world: World, user) -> None:
        self.token = people.issue_token(user, actor=system_actor(), tenant=world.tenant)

    def __call__(self, method: str, path: str, body=None, **headers: str):
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {self.token}"} | headers
        path = path if path.startswith("/") else f"/api/v1/{path}"
        return Client().generic(method, path, data, content_type="application/json", headers=headers)

    def get(self, path: str):
        answer = self("GET", path)
        assert answer.status_code == 200, answer.content
        return answer.json()


@pytest.fixture
def world(db):
    return make_world(rules=RULES)


@pytest.fixture
def service(world):
    return Caller(world, world.service)


@pytest.fixture
def reviewer(world):
    return Caller(world, world.reviewer)


def decide(world, case, submission=None):
    entry = claims.claim(case, world.reviewer)
    submission = submission or Submission(Verdict.ACCEPT)
    return reviews.submit(case.pk, submission, actor=world.reviewer, generation=entry.generation)


# --- intake ------------------------------------------------------------------------------------------------------


def test_a_case_comes_in_and_the_answer_says_what_becomes_of_it_and_why(world, service):
    answer = service("POST", "cases/", GOOD | {"signals": FAIR, "limited_answer": "We are looking into it."})
    assert answer.status_code == 201
    receipt, case = answer.json(), Case.objects.get()
    assert receipt["case_id"] == case.wire_id
    assert (receipt["state"], receipt["route"]) == ("pending_review", "quick_review")
    assert 0.7 <= receipt["confidence"] <= 0.95
    assert {"signal", "value", "weight", "reading"} <= set(receipt["contributions"][0])
    assert receipt["triggers"] == ["low_confidence"]
    assert receipt["reason_for_escalation"]
    assert (receipt["queue"], receipt["interim_answer"]) == ("general", "We are looking into it.")
    assert receipt["queue_reason"].startswith("general: ")
    assert receipt["sla_deadline"]
    assert receipt["customer_message"].startswith("A specialist will review this")
    assert receipt["status_url"].endswith(reverse("api:case", args=[case.wire_id]))
    assert receipt["review_url"].endswith(reverse("admin:feedback_review_work", args=[case.pk]))


def test_an_automatic_approval_is_answered_at_once_with_nothing_to_wait_for(world, service):
    receipt = service("POST", "cases/", GOOD | {"signals": SURE}).json()
    assert (receipt["state"], receipt["route"], receipt["triggers"]) == ("auto_approved", "auto_approve", [])
    assert (receipt["queue"], receipt["sla_deadline"], receipt["customer_message"]) == (None, None, None)
    outcome = service.get(f"cases/{receipt['case_id']}/")["outcome"]
    assert (outcome["verdict"], outcome["final_answer"], outcome["decided_by"]) == ("accept", DRAFT, "automatic")


def test_the_same_external_id_and_body_is_200_with_the_case_as_it_is_now_and_another_body_is_409(world, service):
    body = GOOD | {"external_id": "conv-1"}
    first = service("POST", "cases/", body)
    again = service("POST", "cases/", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == service.get(f"cases/{first.json()['case_id']}/")
    clash = service("POST", "cases/", body | {"user_question": "Another one?"})
    assert (clash.status_code, clash.json()["code"]) == (409, "external_id_taken")
    assert clash.json()["errors"][0]["pointer"] == "/external_id"
    assert Case.objects.count() == 1


def test_a_case_is_found_by_the_callers_own_key(world, service):
    service("POST", "cases/", GOOD | {"external_id": "conv-1"})
    service("POST", "cases/", GOOD | {"external_id": "conv-2"})
    found = service.get("cases/?external_id=conv-1")["results"]
    assert [case["external_id"] for case in found] == ["conv-1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?state=auto_approved", {"sure"}),
        ("?state=pending_review", {"fair", "legal"}),
        ("?domain=legal", {"legal"}),
        ("?risk=high", {"legal"}),
        ("?tag=vip", {"fair"}),
        ("?tag=vi", set()),
        ("?queue=general", {"fair", "legal"}),
        ("?release=v2", {"sure"}),
        ("?opened_after=2000-01-01T00:00:00Z", {"sure", "fair", "legal"}),
        ("?opened_before=2000-01-01T00:00:00Z", set()),
        ("?due_before=2100-01-01T00:00:00Z", {"fair", "legal"}),
        ("?domain=legal&state=auto_approved", set()),
    ],
)
def test_the_filters_of_the_list(world, service, query, expected):
    for name, fields in (
        ("sure", {"signals": SURE, "release": {"version": "v2"}}),
        ("fair", {"signals": FAIR, "tags": ["vip"]}),
        ("legal", {"domain": "legal", "risk_level": "high"}),
    ):
        world.submit(external_id=name, **fields)
    assert {case["external_id"] for case in service.get(f"cases/{query}")["results"]} == expected


def test_pages_are_stable_while_cases_come_in(world, service):
    old = [world.submit().wire_id for _ in range(5)]
    seen, page = [], service.get("cases/?limit=2")
    while True:
        seen += [case["case_id"] for case in page["results"]]
        world.submit()
        if not page["next"]:
            break
        page = service.get(page["next"].split("testserver")[-1])
    assert seen == old[::-1]


def test_a_list_asks_the_database_equally_often_however_long_it_is(world, service):
    service.get("cases/")  # Fills Django's caches.
    counts = []
    for number in (2, 12):
        for _ in range(number):
            world.submit(customer={"reference": "c"})
        with CaptureQueriesContext(connection) as queries:
            service.get("cases/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 12


def test_a_reviewer_sees_customers_masked_and_no_resume_token(world, service, reviewer):
    customer = {"reference": "cust_1", "email": "anna@example.org", "phone": "123"}
    case = world.submit(customer=customer, resume_token="opaque")
    mine = service.get(f"cases/{case.wire_id}/")
    theirs = reviewer.get(f"cases/{case.wire_id}/")
    assert (mine["customer"], mine["resume_token"]) == (customer, "opaque")
    assert theirs["customer"] == {"reference": "cu•••", "email": "an•••", "phone": "•••"}
    assert "resume_token" not in theirs


# --- the outcome -------------------------------------------------------------------------------------------------


def test_a_decision_shows_when_it_is_final_and_not_before_in_any_answer(world, service):
    case = world.submit(external_id="conv-1")
    decide(world, case, Submission(Verdict.REJECT, notes="secret reason"))
    path = f"cases/{case.wire_id}/"
    hidden = service.get(path)
    assert (hidden["state"], hidden["outcome"]) == ("pending_review", None)
    assert service.get("cases/?state=rejected")["results"] == []
    assert len(service.get("cases/?state=pending_review")["results"]) == 1
    assert [event["type"] for event in service.get(path + "timeline/")["results"]] == ["case.opened"]
    with pretend_now(db_now() + LATER):
        shown = service.get(path)
        assert shown["state"] == "rejected"
        assert shown["outcome"]["verdict"] == "reject"
        assert shown["outcome"]["final_answer"] is None
        assert len(service.get("cases/?state=rejected")["results"]) == 1
        types = [event["type"] for event in service.get(path + "timeline/")["results"]]
    assert types == ["case.opened", "case.decided"]


def test_an_outcome_waits_until_the_linked_action_has_ended(world, service):
    case = world.submit(proposed_action=ACTION)
    decide(world, case)
    with pretend_now(db_now() + timedelta(days=1)):
        document = service.get(f"cases/{case.wire_id}/")
        timeline = service.get(f"cases/{case.wire_id}/timeline/")["results"]
    assert (document["state"], document["outcome"]) == ("pending_review", None)
    assert [action["state"] for action in document["actions"]] == ["proposed"]
    assert [event["type"] for event in timeline] == ["case.opened"]


def test_an_edit_answers_with_the_persons_words(world, service):
    case = world.submit()
    decide(world, case, Submission(Verdict.EDIT, final_answer="No, only within 30 days."))
    with pretend_now(db_now() + LATER):
        outcome = service.get(f"cases/{case.wire_id}/")["outcome"]
    assert (outcome["verdict"], outcome["final_answer"]) == ("edit", "No, only within 30 days.")


def test_callers_see_that_a_person_acted_and_staff_see_who(world, service, reviewer):
    case = world.submit()
    decide(world, case)
    with pretend_now(db_now() + LATER):
        events = [caller.get(f"cases/{case.wire_id}/timeline/")["results"] for caller in (service, reviewer)]
    assert [event["by"] for event in events[0]] == ["service", "person"]
    assert events[1][-1]["by"] == str(world.reviewer)


def test_a_case_says_that_it_is_being_reviewed_and_only_staff_learn_by_whom(world, service, reviewer):
    case = world.submit()
    assert service.get(f"cases/{case.wire_id}/")["in_review"] is False
    claims.claim(case, world.reviewer)
    assert service.get(f"cases/{case.wire_id}/")["in_review"] is True
    assert service.get(f"cases/{case.wire_id}/")["in_review_by"] is None
    assert reviewer.get(f"cases/{case.wire_id}/")["in_review_by"] == str(world.reviewer)


# --- a reviewer's own front end ----------------------------------------------------------------------------------


def test_a_person_claims_keeps_decides_and_gives_back_over_the_api(world, reviewer):
    first, second = world.submit(), world.submit()
    claim = reviewer("POST", "queues/claim/", {}).json()
    assert claim["case_id"] == claim["case"]["case_id"] == first.wire_id
    path, held = f"cases/{first.wire_id}/", {"generation": claim["generation"]}
    assert reviewer("POST", path + "heartbeat/", held).json()["lease_expires_at"] > claim["lease_expires_at"]
    review = reviewer("POST", path + "reviews/", held | {"verdict": "edit", "final_answer": "No."})
    assert review.status_code == 201
    assert (review.json()["verdict"], review.json()["is_override"]) == ("edit", True)
    claim = reviewer("POST", "queues/claim/", {"queue": "general"}).json()
    assert claim["case_id"] == second.wire_id
    released = reviewer("POST", f"cases/{second.wire_id}/release/", {"generation": claim["generation"]})
    assert (released.status_code, released.content) == (204, b"")


def test_nothing_to_do_is_a_204(reviewer):
    answer = reviewer("POST", "queues/claim/", {})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_service_account_claims_nothing(world, service):
    world.submit()
    answer = service("POST", "queues/claim/", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_fit")


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_stale_review_is_412_and_its_text_is_kept_also_under_an_idempotency_key(world, reviewer, key):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    body = {"verdict": "edit", "generation": entry.generation + 7, "final_answer": "Words that took an hour."}
    headers = {"Idempotency-Key": key} if key else {}
    answer = reviewer("POST", f"cases/{case.wire_id}/reviews/", body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_generation")
    assert ReviewDraft.objects.get().content.text["final_answer"] == "Words that took an hour."
    assert not Review.objects.exists()


def test_an_incomplete_review_points_at_its_field(world, reviewer):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    answer = reviewer("POST", f"cases/{case.wire_id}/reviews/", {"verdict": "reject", "generation": entry.generation})
    assert (answer.status_code, answer.json()["code"]) == (400, "review_invalid")
    assert answer.json()["errors"][0]["pointer"] == "/reason_code"


# --- idempotency -------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_is_done_once_and_answered_alike(world, service):
    first = service("POST", "cases/", GOOD, **{"Idempotency-Key": "k"})
    again = service("POST", "cases/", GOOD, **{"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Case.objects.count() == 1


def test_a_key_is_looked_at_before_the_external_id(world, service):
    body = GOOD | {"external_id": "conv-1"}
    service("POST", "cases/", body, **{"Idempotency-Key": "k"})
    assert service("POST", "cases/", body, **{"Idempotency-Key": "k"}).status_code == 201
    assert service("POST", "cases/", body, **{"Idempotency-Key": "other"}).status_code == 200
    reused = service("POST", "cases/", body | {"user_question": "x"}, **{"Idempotency-Key": "k"})
    assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")


def test_a_key_of_another_address_is_refused(world, service):
    case = world.submit()
    service("POST", f"cases/{case.wire_id}/escalate/", {}, **{"Idempotency-Key": "k"})
    assert service("POST", f"cases/{case.wire_id}/withdraw/", {}, **{"Idempotency-Key": "k"}).status_code == 422
    assert Case.objects.get().state == "pending_review"


def test_every_post_that_changes_something_is_replayed_under_its_key(world, service, reviewer):
    case = world.submit()
    for path in ("escalate/", "withdraw/"):
        answers = [service("POST", f"cases/{case.wire_id}/{path}", {}, **{"Idempotency-Key": path}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
    assert list(case.events.order_by("id").values_list("kind", flat=True)) == [
        "case.opened",
        "case.escalated",
        "case.withdrawn",
    ]


@pytest.mark.django_db(transaction=True)
def test_races_over_keys_and_external_ids():
    world = make_world(rules=RULES)
    service = Caller(world, world.service)

    # 32 threads with one key: one case; whoever comes while the first is running is told to come back.
    answers = in_parallel([lambda: service("POST", "cases/", GOOD, **{"Idempotency-Key": "k"})] * 32)
    assert not failures(answers)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {201, 409}
    assert Case.objects.count() == 1
    assert {answer.json()["case_id"] for answer in answers if answer.status_code == 201} == {Case.objects.get().wire_id}
    for answer in answers:
        if answer.status_code == 409:
            assert (answer.json()["code"], answer["Retry-After"]) == ("in_flight", "1")
    assert service("POST", "cases/", GOOD, **{"Idempotency-Key": "k"}).status_code == 201

    # 16 threads with one external_id and no key: one 201, the others the case as it is now.
    body = GOOD | {"external_id": "conv-1", "signals": SURE, "release": {"model": "brand new"}}
    answers = in_parallel([lambda: service("POST", "cases/", body)] * 16)
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    assert Release.objects.filter(model="brand new").count() == 1

    # The same key is held by a request that has not committed yet.
    holds, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            idempotency._lock(world.service.pk, "held")
            holds.set()
            go_on.wait(20)

    def ask():
        holds.wait(20)
        try:
            return service("POST", "cases/", GOOD, **{"Idempotency-Key": "held"})
        finally:
            go_on.set()

    _, refused = in_parallel([hold, ask])
    assert (refused.status_code, refused["Retry-After"]) == (409, "1")


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_denied_attempt_is_kept_although_its_transaction_is_gone(world, reviewer, key):
    headers = {"Idempotency-Key": key} if key else {}
    headers["X-Request-ID"] = "req-1"
    answer = reviewer("POST", "automation/stop/", {"reason": "no"}, **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    denial = Denial.objects.get()
    assert (denial.actor, denial.tenant, denial.permission) == (world.reviewer, world.tenant, "stop_automation")
    assert denial.request_id == "req-1"
    assert not IdempotencyKey.objects.exists()
    allowed = Caller(world, world.supervisor)("POST", "automation/stop/", {"reason": "odd"})
    assert (allowed.status_code, allowed.json()["ai_automation_enabled"]) == (200, False)


def test_a_person_sends_no_cases_and_is_kept_on_record(world, reviewer):
    assert reviewer("POST", "cases/", GOOD).status_code == 403
    assert Denial.objects.get().permission == "submit_case"
    assert not Case.objects.exists()


def test_the_state_decides_after_the_right_and_says_so(world, service):
    case = world.submit(signals=SURE)
    answer = service("POST", f"cases/{case.wire_id}/withdraw/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "case_not_open")


def test_an_agent_asks_before_it_calls_the_ai_and_takes_no_answer_for_a_no(world, service):
    assert service.get("automation/?domain=billing")["ai_automation_enabled"] is True
    supervisor = Caller(world, world.supervisor)
    supervisor("POST", "automation/stop/", {"reason": "odd answers", "domain": "billing"})
    answer = service.get("automation/?domain=billing")
    assert (answer["ai_automation_enabled"], answer["domain"]) == (False, "billing")
    assert "odd answers" in answer["why"]
    assert service.get("automation/?domain=shipping")["ai_automation_enabled"] is True
    resumed = supervisor("POST", "automation/resume/", {"reason": "mended", "domain": "billing"})
    assert resumed.json()["ai_automation_enabled"] is True


def test_a_new_draft_over_the_api_is_judged_and_waits(world, service):
    case = world.submit()
    answer = service("POST", f"cases/{case.wire_id}/drafts/", {"model_draft": "Better.", "signals": SURE})
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["route"]) == ("pending_review", "quick_review")
    assert service.get(f"cases/{case.wire_id}/")["draft_number"] == 2
    assert Entry.objects.get(case=case).route == "quick_review"
