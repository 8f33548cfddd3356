"""Deciding on the review page without JavaScript, and what has moved on meanwhile."""

import re

import pytest
from django.urls import reverse

from cases.models import Case, Denial
from cases.services import intake, lifecycle
from cases.wire.intake import parse_draft
from feedback.models import Review, ReviewDraft
from queues.models import Entry, QueueGroupPermission
from queues.services import claims
from tests.feedback.review_pages import decide, open_next, url, words_of
from tests.worlds import DRAFT, FAIR, SURE, World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world("acme")


@pytest.fixture
def rita(client, world):
    """The reviewer's browser."""
    client.force_login(world.reviewer)
    return client


def test_accept_sends_the_draft(rita, world):
    case = world.submit()
    response = decide(rita, open_next(rita, world), verdict="accept")
    case = Case.objects.get(pk=case.pk)
    assert response.url == reverse("admin:index")
    assert (case.state, case.verdict) == ("approved", "accept")


def test_decide_and_take_next_shows_the_next_case(rita, world):
    world.submit()
    second = world.submit()
    response = decide(rita, open_next(rita, world), verdict="accept", take_next="on")
    assert response.url == url("work", second)
    page = rita.get(response.url)
    assert "Accepted: " in words_of(page) and "Undo" in words_of(page)


def test_an_edit_is_stored_as_a_pair_and_shown_as_a_comparison(rita, world):
    case = world.submit()
    better = DRAFT.replace("60 days", "30 days")
    decide(rita, open_next(rita, world), verdict="edit", final_answer=better, reason_code="wrong_fact")
    review = Review.objects.get(case=case)
    assert (review.verdict, review.edit_distance, review.is_override) == ("edit", 1, True)
    assert review.content.text["final_answer"] == better
    html = rita.get(url("work", case)).content.decode()
    assert "<del>60</del><ins>30</ins>" in html


def test_a_draft_that_nobody_touched_counts_as_accepted(rita, world):
    case = world.submit()
    decide(rita, open_next(rita, world), verdict="edit")
    assert Review.objects.get(case=case).verdict == "accept"


def test_reject_needs_a_reason_and_keeps_everything_typed(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    refused = decide(rita, page, verdict="reject", missing_evidence="The outlet rules.", final_answer="Half a th\u00e9")
    assert refused.status_code == 400
    text = words_of(refused)
    assert "Say why it is rejected" in text and "The outlet rules." in text and "Half a thé" in text
    done = decide(rita, page, verdict="reject", reason_code="unsupported", incorrect_evidence="returns")
    assert done.status_code == 302
    case = Case.objects.get(pk=case.pk)
    review = Review.objects.get(case=case)
    assert case.state == "rejected" and review.content.text["incorrect_evidence"] == ["returns"]


def test_the_evidence_ticked_as_wrong_stays_ticked_when_the_form_comes_back(rita, world):
    world.submit()
    refused = decide(rita, open_next(rita, world), verdict="reject", incorrect_evidence="returns")
    assert re.search(r'name="incorrect_evidence" value="returns"\s+checked', refused.content.decode())


def test_a_new_draft_can_be_asked_for(rita, world):
    case = world.submit()
    decide(rita, open_next(rita, world), verdict="needs_edit", notes="Quote the outlet rules.")
    case = Case.objects.get(pk=case.pk)
    assert case.state == "needs_edit"


def test_a_decision_case_offers_the_options_of_its_policy(client):
    world = make_world("clinic", rules={"decision_options": ["approve", "deny", "escalate"]})
    client.force_login(world.reviewer)
    case = world.submit(kind="decision", model_decision="approve", model_draft=None)
    page = open_next(client, world)
    assert "approve (the AI’s)" in page.content.decode()
    decide(client, page, verdict="edit", final_decision="deny")
    case = Case.objects.get(pk=case.pk)
    assert (case.state, case.final_decision, Review.objects.get(case=case).is_override) == ("approved", "deny", True)


def test_without_a_draft_there_is_nothing_to_accept(rita, world):
    case = world.submit(model_draft=None, signals=None, evidence=None)
    page = open_next(rita, world)
    assert "“Accept” is not offered: there is no draft" in words_of(page)
    assert decide(rita, page, verdict="accept").status_code == 400
    decide(rita, page, verdict="edit", final_answer="No, thirty days.", notes="From the policy.")
    case = Case.objects.get(pk=case.pk)
    assert case.final_content.text["final_answer"] == "No, thirty days."


def test_accept_with_a_changed_answer_is_refused_rather_than_losing_it(rita, world):
    case = world.submit()
    refused = decide(rita, open_next(rita, world), verdict="accept", final_answer="Something else entirely.")
    assert refused.status_code == 400
    assert "Choose Edit to send your version" in words_of(refused) and "Something else entirely." in words_of(refused)
    assert not Review.objects.filter(case=case).exists()


def test_enter_in_a_field_decides_nothing(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    form = page.content.decode().split("data-decision", 1)[1]
    assert re.search(r"<button[^>]*>", form).group() == '<button type="submit" disabled hidden>'
    sent = decide(rita, page)  # What a browser sends without a verdict's button.
    assert sent.status_code == 400 and "Choose a verdict" in words_of(sent)
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_a_sample_of_an_automatic_approval_is_confirmed(client):
    world = make_world("acme", rules={"sampling_share": 1.0, "new_release_sampling": 1.0})
    client.force_login(world.reviewer)
    case = world.submit(signals=SURE)
    page = open_next(client, world)
    assert "This was approved automatically; you are looking at a sample." in words_of(page)
    assert "Confirm" in words_of(page)
    decide(client, page, verdict="accept")
    case = Case.objects.get(pk=case.pk)
    assert case.state == "auto_approved" and not Entry.objects.filter(case=case).exists()


def test_a_sample_can_be_overturned(client):
    world = make_world("acme", rules={"sampling_share": 1.0, "new_release_sampling": 1.0})
    client.force_login(world.reviewer)
    case = world.submit(signals=SURE)
    decide(client, open_next(client, world), verdict="reject", notes="It is wrong.")
    case = Case.objects.get(pk=case.pk)
    assert (case.state, case.decided_by) == ("rejected", "human")


# --- what has moved on -----------------------------------------------------------------------------------------------


def test_a_stale_decision_changes_nothing_and_keeps_every_word(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    claims.release(case.pk, world.reviewer, page.context["page"].entry.generation)
    refused = decide(rita, page, verdict="edit", final_answer="Thirty days only.", notes="See the policy.")
    text = words_of(refused)
    assert refused.status_code == 412
    for part in (
        "Nothing was changed, and your text was kept.",
        "What you wrote",
        "Thirty days only.",
        "See the policy.",
        "Take this case again",
    ):
        assert part in text, part
    assert not Review.objects.filter(case=case).exists()
    again = rita.post(url("take", case), follow=True)
    assert "It was kept and stands in the form again" in words_of(again)
    assert again.context["form"]["final_answer"].value() == "Thirty days only."
    decide(rita, again, verdict="edit")
    assert Review.objects.get(case=case).content.text["final_answer"] == "Thirty days only."
    assert not ReviewDraft.objects.exists()


def test_who_lost_the_case_to_another_keeps_the_text_and_cannot_decide(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    claims.release(case.pk, world.reviewer, page.context["page"].entry.generation)
    world.claim(world.colleague)
    refused = decide(rita, page, verdict="reject", notes="Mine.")
    assert refused.status_code == 412
    assert "Carl has this case until" in words_of(refused) and "Mine." in words_of(refused)
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_a_newer_draft_must_be_read_before_it_is_decided(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    intake.add_draft(case.pk, parse_draft({"model_draft": "No, only 30 days.", "signals": FAIR}), actor=world.service)
    refused = decide(rita, page, verdict="accept")
    assert refused.status_code == 412 and "A newer draft has arrived" in words_of(refused)
    assert refused.context["form"]["final_answer"].value() == "No, only 30 days."
    assert "Earlier drafts" in words_of(refused)
    assert decide(rita, refused, verdict="accept").status_code == 302


def test_a_case_that_was_withdrawn_meanwhile_says_so(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    lifecycle.withdraw(case.pk, actor=world.supervisor, reason="solved")
    refused = decide(rita, page, verdict="accept", notes="Kept?")
    assert refused.status_code == 412 and "Kept?" in words_of(refused)
    assert Case.objects.get(pk=case.pk).state == "withdrawn"


def test_a_right_that_was_taken_away_ends_in_a_403_that_is_kept(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    QueueGroupPermission.objects.all().delete()
    refused = decide(rita, page, verdict="accept")
    assert refused.status_code == 403 and "You may not do this here" in words_of(refused)
    assert Denial.objects.get().permission == "work_queue"
    assert Case.objects.get(pk=case.pk).state == "pending_review"
