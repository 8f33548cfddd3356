"""The unfinished review outlives a closed tab, a lost case and a server that is away."""

import pytest
from playwright.sync_api import expect

from feedback.models import Review, ReviewDraft
from queues.models import Entry
from queues.services import claims
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300, func_only=True)]

LATE = ("status of 412",)  # what a browser says of a save that comes too late


@pytest.fixture
def world():
    return make_world("acme", undo_seconds=300)


@pytest.fixture
def page(live_server, world):
    with chromium() as browser, watched_page(browser, live_server.url, expected=LATE) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        world.submit()
        page.get_by_role("button", name="Take the next case").click()
        ready(page)
        yield page


def ready(page) -> None:
    expect(page.locator("html.keys-work")).to_have_count(1)
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()


def saved(page):
    return page.get_by_text("Saved at")


def test_a_closed_tab_loses_nothing(page):
    page.get_by_label("Notes").press_sequentially("All my findings.")
    expect(saved(page)).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    page.close()
    expect(other.get_by_label("Notes")).to_have_value("All my findings.")


def test_a_server_that_is_away_loses_nothing_and_gets_it_when_it_is_back(page):
    page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('away')); }")
    page.get_by_label("Answer to the customer").fill("Thirty days, and not sixty.")
    expect(page.get_by_text("Your text could not be saved")).to_be_visible()
    assert not ReviewDraft.objects.exists()
    page.reload()
    ready(page)
    expect(page.get_by_text("it had not reached the server")).to_be_visible()
    expect(page.get_by_label("Answer to the customer")).to_have_value("Thirty days, and not sixty.")
    expect(page.locator("[data-diff] ins").first).to_be_visible()
    page.get_by_label("Notes").press_sequentially("Section 4.")
    expect(saved(page)).to_be_visible()
    assert ReviewDraft.objects.get().content.text["final_answer"] == "Thirty days, and not sixty."


def test_a_case_that_was_lost_while_writing_says_so_and_keeps_the_text(page, world):
    entry = Entry.objects.get()
    claims.release(entry.case_id, world.reviewer, entry.generation)
    page.get_by_label("Notes").press_sequentially("All my findings.")
    expect(page.get_by_text("Nothing was changed, and your text was kept.")).to_be_visible()
    assert ReviewDraft.objects.get().content.text["notes"] == "All my findings."


def test_what_was_sent_is_not_written_into_the_next_look_at_the_case(page, world):
    here = page.url
    page.get_by_label("Notes").press_sequentially("Fine.")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Nothing waits for you now")).to_be_visible()
    assert Review.objects.get().content.text["notes"] == "Fine."
    assert not ReviewDraft.objects.exists()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The decision is undone")).to_be_visible()
    expect(page.get_by_label("Notes")).to_have_value("Fine.")
    page.get_by_label("Notes").fill("")
    expect(saved(page)).to_be_visible()
    page.goto(here)
    expect(page.get_by_label("Notes")).to_have_value("")
