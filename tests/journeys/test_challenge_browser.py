"""Challenge feedback in a real browser: met unknowing, told kindly, read, and gone from the next page."""

import os

import pytest
from playwright.sync_api import expect

from feedback.models import ChallengeResult, TrainingAlert
from feedback.services import challenge_results
from tests.feedback.challenging import gold, plant, real_cases
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD, make_world

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_reviewer_accepts_a_challenge_and_reads_what_was_right(live_server):
    world = make_world("acme", undo_seconds=0)
    real_cases(world)
    gold(world)
    planted = plant(world)
    work = f"/admin/feedback/review/work/{planted.pk}/"
    with chromium() as browser, watched_page(browser, live_server.url) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        page.goto(work)
        page.get_by_role("button", name="Take this case").click()
        expect(page.get_by_role("button", name="Accept")).to_be_visible()
        assert "challenge" not in page.locator("article.review").inner_text().lower()
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("Accepted:")).to_be_visible()

        assert challenge_results.judge_due() == 1
        page.goto(work)
        page.get_by_role("link", name="Read it when you have a moment").click()
        expect(page.get_by_role("heading", name="This one got past you")).to_be_visible()
        expect(page.get_by_text("The policy says 30 days, and the AI says 60.")).to_be_visible()
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/mine.png", full_page=True)
        page.get_by_role("button", name="I have read it").click()
        expect(page.get_by_text("You read this on")).to_be_visible()
        page.goto(work)
        expect(page.get_by_role("link", name="Read it when you have a moment")).to_have_count(0)
        assert ChallengeResult.objects.get().seen.at

    with chromium() as browser, watched_page(browser, live_server.url) as page:
        sign_in(page, world.supervisor.username, PASSWORD)
        page.goto(f"/admin/feedback/trainingalert/{TrainingAlert.objects.get().pk}/change/")
        page.get_by_label("We talked about it").check()
        page.get_by_label("What you talked about or found").fill("A long day. We read the policy.")
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/alert.png", full_page=True)
        page.get_by_role("button", name="Close the alert").click()
        expect(page.get_by_text("The alert is closed.")).to_be_visible()
        if folder := os.environ.get("SHOTS"):
            for name in ("challenge/", "challengepolicy/add/", "challengeresult/people/"):
                page.goto(f"/admin/feedback/{name}")
                page.screenshot(path=f"{folder}/{name.replace('/', '-')}.png", full_page=True)
            page.goto(f"/admin/feedback/challenge/{planted.challenge_id}/change/")
            page.screenshot(path=f"{folder}/challenge-change.png", full_page=True)
            page.goto(f"/admin/feedback/challenge/{planted.challenge_id}/variant/")
            page.screenshot(path=f"{folder}/variant.png", full_page=True)
