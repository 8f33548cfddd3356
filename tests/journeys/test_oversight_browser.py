"""Blind first, a blind second look, and a split that somebody settles, in a real browser."""

import os
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from cases.clock import db_now
from cases.models import Case
from cases.models.people import system_actor
from cases.states import State
from feedback.models import Dwell, DwellPolicy, FirstOpinion, Poll, SecondLook
from feedback.quorum import Standing
from feedback.services import looks
from feedback.services.looks import Wish
from feedback.submission import Submission
from tests.feedback.test_blind_first import DECISION, OPTIONS, always
from tests.feedback.test_quorum import vote, voting_world
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD, make_world

pytestmark = pytest.mark.django_db(transaction=True)


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_reviewer_speaks_first_sees_the_draft_and_decides(live_server):
    world = make_world(rules=OPTIONS, undo_seconds=10)
    always(world)
    case = world.submit(**DECISION)
    with chromium() as browser, watched_page(browser, live_server.url, expected=("400",)) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        page.goto(f"/admin/feedback/review/work/{case.pk}/")
        expect(page.get_by_role("heading", name="The draft is not shown yet")).to_be_visible()
        page.get_by_role("button", name="Take this case").click()
        expect(page.get_by_role("heading", name="Your own opinion first")).to_be_visible()
        expect(page.get_by_text("You can return the shoes within 60 days")).to_have_count(0)
        shoot(page, "first")
        page.get_by_role("button", name="Keep it and show the draft").click()
        expect(page.get_by_text("Choose one of: allow, deny.")).to_be_visible()
        page.get_by_label("What would you decide?").select_option("deny")
        page.get_by_label("Why, if you like").fill("Forty days are more than thirty.")
        page.get_by_role("button", name="Keep it and show the draft").click()
        expect(page.get_by_role("heading", name="What you said first")).to_be_visible()
        expect(page.get_by_text("You can return the shoes within 60 days").first).to_be_visible()
        shoot(page, "first-given")
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("Accepted:")).to_be_visible()
        page.goto("/admin/feedback/review/habits/")
        expect(page.get_by_text("1 of 1").first).to_be_visible()
        shoot(page, "habits")
    assert FirstOpinion.objects.get().decision == "deny"
    assert Case.objects.get(pk=case.pk).state == State.APPROVED


def test_a_second_look_is_given_blind_and_how_the_page_was_read_is_recorded_where_that_is_on(live_server):
    world = make_world(rules=OPTIONS, undo_seconds=0)
    DwellPolicy(tenant=world.tenant, is_on=True).save_as(system_actor(), "agreed with the works council")
    case = world.submit(evidence=[{"document_id": f"page_{n}", "quote": "Within 30 days. " * 40} for n in range(12)])
    vote(case, world.reviewer, Submission("reject", notes="Out of time."))
    asked = Wish(since=db_now() - timedelta(hours=1), until=db_now(), number=1, is_blind=True)
    looks.sample(world.tenant, asked, actor=world.supervisor, reason="monthly sample")
    with chromium() as browser, watched_page(browser, live_server.url) as page:
        sign_in(page, world.colleague.username, PASSWORD)
        page.goto(f"/admin/feedback/review/work/{case.pk}/")
        expect(page.get_by_text("Somebody has decided this case")).to_be_visible()
        page.get_by_role("button", name="Take this case").click()
        expect(page.get_by_role("heading", name="Your second look")).to_be_visible()
        expect(page.get_by_text("Recorded while you hold this case")).to_be_visible()
        expect(page.get_by_text("Out of time.")).to_have_count(0)
        page.get_by_text("Open the rest").click()
        page.mouse.wheel(0, 20_000)
        shoot(page, "second-look")
        page.get_by_label("Notes").fill("Forty days are more than thirty.")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_text("You both say the same")).to_be_visible()
        page.goto(f"/admin/feedback/review/work/{case.pk}/")
        expect(page.get_by_text("Out of time.").first).to_be_visible()
        page.goto("/admin/feedback/review/habits/")
        expect(page.get_by_text("also records how pages are read")).to_be_visible()
    recorded = Dwell.objects.get()
    assert recorded.person == world.colleague and recorded.is_long and recorded.opened >= 1 and recorded.depth > 50
    assert SecondLook.objects.get().result == SecondLook.Result.UPHELD


def test_two_texts_that_differ_are_settled_by_a_senior_reviewer(live_server):
    world = voting_world()
    case = world.submit()
    vote(case, world.reviewer, Submission("edit", final_answer="No, after 30 days.", notes="Short is clear."))
    vote(case, world.colleague, Submission("edit", final_answer="Sorry, it is too late."))
    with chromium() as browser, watched_page(browser, live_server.url, expected=("400",)) as page:
        sign_in(page, world.senior.username, PASSWORD)
        page.goto(f"/admin/feedback/review/work/{case.pk}/")
        page.get_by_role("button", name="Take this case").click()
        expect(page.get_by_role("heading", name="They agree to edit, and not on the text")).to_be_visible()
        page.get_by_role("link", name="Start from number 2").click()
        expect(page.get_by_text("the form starts from this")).to_be_visible()
        expect(page.get_by_label("Answer to the customer")).to_have_value("Sorry, it is too late.")
        shoot(page, "sides")
        page.get_by_role("button", name="Edit").click()
        expect(page.get_by_text("say why you decide as you do").first).to_be_visible()
        page.get_by_label("Answer to the customer").fill("Sorry: not after 30 days.")
        page.get_by_label("Notes").fill("Kind and clear: both together.")
        page.get_by_role("button", name="Edit").click()
        expect(page.get_by_text("Edited:")).to_be_visible()
    assert Poll.objects.get().standing == Standing.ADJUDICATED
    decided = Case.objects.with_text().get(pk=case.pk)
    assert decided.final_content.text["final_answer"] == "Sorry: not after 30 days."
