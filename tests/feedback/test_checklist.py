"""The evidence checklist of a full investigation, as a rule, over REST and on the page."""

import pytest
from django.urls import reverse

from cases.models import Case
from cases.vocabulary import Kind, Route, Verdict
from feedback.errors import ReviewInvalid
from feedback.models import Review
from feedback.submission import Shown, Submission, check
from tests.callers import Caller
from tests.worlds import make_world

FULL = Shown(
    kind=Kind.ANSWER,
    route=Route.FULL_INVESTIGATION,
    has_draft=True,
    can_redraft=True,
    model_draft="Yes.",
    documents=("d1", "d2"),
)
BOTH = (("d1", "supports"), ("d2", "wrong"))


@pytest.mark.parametrize(
    "given",
    [
        Submission(Verdict.ACCEPT, notes="why", checked_evidence=BOTH),
        Submission(Verdict.REJECT, notes="why", checked_evidence=BOTH),
        Submission(Verdict.EDIT, final_answer="No.", notes="why", checked_evidence=BOTH),
        Submission(Verdict.ACCEPT, notes="why", no_evidence_applies=True),
        Submission(Verdict.ACCEPT, notes="why", no_evidence_applies=True, checked_evidence=(("d1", "not_relevant"),)),
        Submission(Verdict.NEEDS_EDIT, notes="cite the policy"),
    ],
)
def test_a_full_investigation_that_is_complete(given):
    check(given, FULL)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (Submission(Verdict.ACCEPT, checked_evidence=BOTH), "/reason_code"),
        (Submission(Verdict.EDIT, final_answer="Yes.", checked_evidence=BOTH), "/reason_code"),
        (Submission(Verdict.ACCEPT, notes="why"), "/checked_evidence"),
        (Submission(Verdict.REJECT, notes="why", checked_evidence=BOTH[:1]), "/checked_evidence"),
        (Submission(Verdict.ACCEPT, notes="why", checked_evidence=BOTH, no_evidence_applies=True), "/checked_evidence"),
    ],
)
def test_a_full_investigation_that_is_not(given, pointer):
    with pytest.raises(ReviewInvalid) as refused:
        check(given, FULL)
    assert refused.value.pointer == pointer


def test_what_is_marked_wrong_is_wrong_evidence_like_any_other():
    given = Submission(Verdict.ACCEPT, notes="why", checked_evidence=BOTH, incorrect_evidence=("d3",))
    assert check(given, FULL).incorrect_evidence == ("d3", "d2")


def test_a_quick_review_asks_for_no_checklist():
    quick = Shown(**(FULL.__dict__ | {"route": Route.QUICK_REVIEW}))
    assert check(Submission(Verdict.ACCEPT), quick).verdict == Verdict.ACCEPT


@pytest.fixture
def world(db):
    return make_world("acme")


def test_the_api_refuses_an_unmarked_piece_and_stores_the_marks(world):
    case = world.submit_full()
    entry = world.claim()
    reviewer = Caller(world.reviewer, world.tenant)
    address = f"cases/{case.wire_id}/reviews/"
    sent = {"verdict": "accept", "generation": entry.generation, "notes": "The rule is clear."}
    refused = reviewer.post(address, sent)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/checked_evidence"
    unknown = sent | {"checked_evidence": [{"document_id": "returns", "finding": "maybe"}]}
    assert reviewer.post(address, unknown).status_code == 400
    assert Case.objects.get(pk=case.pk).state == "pending_review"
    marked = [{"document_id": "returns", "finding": "supports"}]
    assert reviewer.post(address, sent | {"checked_evidence": marked}).status_code == 201
    assert Review.objects.get().content.text["checked_evidence"] == marked


def test_the_page_sends_the_marks_and_shows_them_again_where_one_is_missing(client, world):
    case = world.submit_full(
        evidence=[{"document_id": "returns", "quote": "30 days."}, {"document_id": "outlet", "quote": "No returns."}]
    )
    client.force_login(world.reviewer)
    page = client.get(reverse("admin:feedback_review_work", args=[world.claim().case_id]))
    sent = {
        "generation": page.context["page"].entry.generation,
        "displayed": page.context["page"].digest,
        "verdict": "accept",
        "notes": "The rule is clear.",
        "finding_1": "supports",
    }
    address = reverse("admin:feedback_review_decide", args=[case.pk])
    refused = client.post(address, sent)
    assert refused.status_code == 400
    html = refused.content.decode()
    assert "Not marked yet: outlet." in html
    assert 'name="finding_1" value="supports" checked' in html
    client.post(address, sent | {"finding_2": "not_relevant"})
    stored = Review.objects.get().content.text["checked_evidence"]
    assert [(mark["document_id"], mark["finding"]) for mark in stored] == [
        ("returns", "supports"),
        ("outlet", "not_relevant"),
    ]
    assert "outlet: not relevant" in client.get(reverse("admin:feedback_review_work", args=[case.pk])).content.decode()
