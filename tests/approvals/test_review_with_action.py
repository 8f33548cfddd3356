"""The review page of a case with an action: what it shows of it, and deciding both with one submit."""

import pytest
from django.test import Client
from django.urls import reverse

from approvals.models import ActionVote
from approvals.services import authorities
from cases.models import Case
from cases.models.people import system_actor
from cases.services.second_factor import SIGNED_IN
from queues.services import claims
from tests.worlds import PASSWORD

from .desks import Desk, fresh, make_desk
from .test_approve_page import door, text_of
from .test_with_case import case_with_refund

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def rob(desk):
    """A reviewer who may sign refunds up to 500 USD."""
    person = desk.world.person("rob", "reviewer", "approver", reviews=True)
    authorities.grant(desk.small, person, actor=system_actor())
    return person


def work_url(case: Case, view: str = "work") -> str:
    return reverse(f"admin:feedback_review_{view}", args=[case.pk])


def decide(client: Client, case: Case, **data):
    page = client.get(work_url(case)).context["page"]
    sent = {"generation": page.entry.generation, "displayed": page.digest, "verdict": "accept", "notes": "checked"}
    return client.post(work_url(case, "decide"), sent | data)


def fields(action, do: str, *, seen: str | None = None, **more: str) -> dict[str, str]:
    name = action.wire_id
    sent = {f"{name}-do": do, f"{name}-payload_hash": seen or f"sha256:{bytes(action.payload_hash).hex()}"}
    return sent | {f"{name}-{key}": value for key, value in more.items()}


def test_the_page_shows_the_action_with_its_preview_and_who_signs(desk):
    case, action = case_with_refund(desk)
    claims.claim(case, desk.world.reviewer)
    text = text_of(door(desk.world.reviewer).get(work_url(case)))
    for words in ("Refund", "420.00", "Order id", "500.00", "You hold no authority", "It goes to", "Ann", "Ben"):
        assert words in text, words
    assert f"{action.wire_id}-do" not in text


def test_who_holds_the_authority_may_approve_it_with_the_decision(desk, rob):
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    text = text_of(door(rob).get(work_url(case)))
    assert "Approve it with this decision" in text
    assert "Refunds up to 500 USD" in text
    response = decide(door(rob), case, **fields(action, "approve"))
    assert response.status_code == 302
    vote = ActionVote.objects.get()
    assert (vote.voter, vote.reason.text["reason"]) == (rob, "checked")
    assert (fresh(action).state, Case.objects.get(pk=case.pk).state) == ("approved", "approved")


def test_it_is_left_to_the_approvers_unless_the_reviewer_says_otherwise(desk, rob):
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    decide(door(rob), case)
    assert (fresh(action).state, Case.objects.get(pk=case.pk).state) == ("pending_approval", "approved")


def test_it_is_rejected_with_the_decision(desk, rob):
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    decide(door(rob), case, **fields(action, "reject", why="not owed"))
    assert (fresh(action).state, Case.objects.get(pk=case.pk).state) == ("rejected", "approved")
    assert ActionVote.objects.get().reason.text["reason"] == "not owed"


def test_approving_the_action_of_a_case_that_is_rejected_is_a_contradiction(desk, rob):
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    response = decide(door(rob), case, verdict="reject", **fields(action, "approve"))
    assert response.status_code == 400
    assert "Choose one of the two" in text_of(response)
    assert (fresh(action).state, Case.objects.get(pk=case.pk).state) == ("pending_approval", "pending_review")


def test_a_stale_hash_decides_neither_and_keeps_what_was_written(desk, rob):
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    response = decide(door(rob), case, notes="long note", **fields(action, "approve", seen="sha256:" + "0" * 64))
    assert response.status_code == 412
    assert "long note" in text_of(response)
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_a_post_without_the_authority_decides_neither(desk):
    case, action = case_with_refund(desk)
    claims.claim(case, desk.world.reviewer)
    response = decide(door(desk.world.reviewer), case, **fields(action, "approve"))
    assert response.status_code == 403
    assert (fresh(action).state, Case.objects.get(pk=case.pk).state) == ("pending_approval", "pending_review")
    assert not ActionVote.objects.exists()


def test_high_impact_asks_who_it_is_and_brings_back_text_and_choice(desk, rob):
    authorities.grant(desk.large, rob, actor=system_actor())
    case, action = case_with_refund(desk, "4200.00")
    claims.claim(case, rob)
    client = door(rob)
    session = client.session
    del session[SIGNED_IN]
    session.save()
    response = decide(client, case, notes="long note", **fields(action, "approve"))
    assert response["Location"].startswith(reverse("admin:step_up"))
    back = client.post(response["Location"], {"password": PASSWORD})
    assert back["Location"] == work_url(case)
    page = client.get(work_url(case))
    assert "long note" in text_of(page)
    assert page.context["action_forms"].forms[0]["do"].value() == "approve"
    assert decide(client, case, notes="long note", **fields(action, "approve")).status_code == 302
    assert fresh(action).state == "pending_approval"  # One of two signatures.
    assert ActionVote.objects.get().voter == rob


def test_an_action_of_another_tenant_cannot_be_decided_along(desk, rob):
    case, _ = case_with_refund(desk)
    other = make_desk("other")
    theirs = other.propose()
    claims.claim(case, rob)
    assert decide(door(rob), case, **fields(theirs, "approve")).status_code == 302
    assert fresh(theirs).state == "pending_approval"
    assert not ActionVote.objects.exists()
