"""Labelling in a real browser: by keyboard alone, under the strict CSP."""

import os

import pytest
from playwright.sync_api import expect

from feedback.models import Review
from tests.feedback.corrections import override
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD, make_world

pytestmark = pytest.mark.django_db(transaction=True)


def stands(review: Review) -> str | None:
    return Review.objects.with_standing_label().get(pk=review.pk).standing_label


def test_a_senior_labels_skips_and_takes_back_by_keyboard_alone(live_server):
    world = make_world("acme", rules={"new_release_reviews": 0, "sampling_share": 0.0})
    texts = {
        "final_answer": "No. You can return the shoes within 30 days.\n\nThe shop takes them back until then.",
        "incorrect_evidence": ("returns",),
    }
    first, second, third = (override(world, case={"external_id": f"conv-{n}"}, **texts) for n in (1, 2, 3))
    with chromium() as browser, watched_page(browser, live_server.url) as page:
        sign_in(page, world.supervisor.username, PASSWORD)
        page.goto("/admin/feedback/correction/")
        page.get_by_role("link", name="Label these, one by one").click()
        expect(page.locator("html.keys-work")).to_have_count(1)
        expect(page.get_by_role("heading", name="conv-1")).to_be_visible()
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/label.png", full_page=True)
        page.keyboard.press("1")
        expect(page.get_by_role("heading", name="conv-2")).to_be_visible()
        assert stands(first) == "model_error"

        page.keyboard.press("u")
        expect(page.get_by_text("The label is taken back")).to_be_visible()
        expect(page.get_by_role("heading", name="conv-1")).to_be_visible()
        assert stands(first) is None

        page.keyboard.press("s")
        expect(page.get_by_role("heading", name="conv-2")).to_be_visible()
        page.get_by_label("Note").fill("1 is no key in here")
        page.keyboard.press("Escape")
        page.keyboard.press("2")
        expect(page.get_by_role("heading", name="conv-3")).to_be_visible()
        assert stands(second) == "bad_retrieval"
        page.get_by_role("link", name="Label all with this reason").click()
        expect(page.get_by_text("2 unlabelled corrections")).to_be_visible()
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/alike.png", full_page=True)
        page.get_by_label("Model error").check()
        page.get_by_role("button", name="Label all 2").click()
        expect(page.get_by_text("2 corrections labelled")).to_be_visible()
        assert (stands(first), stands(third)) == ("model_error", "model_error")
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/list.png", full_page=True)
            page.emulate_media(color_scheme="dark")
            page.set_viewport_size({"width": 390, "height": 844})
            page.goto(f"/admin/feedback/correction/{second.pk}/label/")
            page.screenshot(path=f"{folder}/label-narrow.png", full_page=True)
