"""A reviewer's work in a real browser: by keyboard, with the comparison as they type, under the strict CSP."""

import re

import pytest
from playwright.sync_api import expect

from cases.models import Case
from feedback.models import Review
from queues.models import Entry
from queues.services import claims
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import DRAFT, PASSWORD, make_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world():
    # A long undo window: a busy machine must not make "undo" late.
    return make_world("acme", undo_seconds=300)


@pytest.fixture
def page(live_server, world):
    """A browser in which the reviewer has signed in; a refused decision may show as a failed load in its console."""
    with chromium() as browser, watched_page(browser, live_server.url, expected=("status of 412",)) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        yield page


def take_next(page) -> None:
    page.get_by_role("button", name="Take the next case").click()
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    # The script has said that keys work.
    expect(page.locator("html.keys-work")).to_have_count(1)


def said_of_the_verdict(page):
    """What a screen reader is told; the warnings of the lease and the deadline have a region of their own."""
    return page.get_by_role("group", name="Verdict").get_by_role("status")


def state_of(case: Case) -> str:
    return Case.objects.get(pk=case.pk).state


def test_a_reviewer_decides_cases_by_keyboard_alone_and_undoes_one(page, world):
    first, second, third = (world.submit(external_id=f"conv-{n}") for n in (1, 2, 3))
    take_next(page)
    expect(page.get_by_role("heading", name="conv-1")).to_be_visible()

    page.keyboard.press("a")
    expect(said_of_the_verdict(page)).to_contain_text("Accept is chosen")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="conv-2")).to_be_visible()
    assert state_of(first) == "approved"

    page.keyboard.press("e")
    expect(page.get_by_label("Answer to the customer")).to_be_focused()
    page.keyboard.type(" Ask us if you lost the box. a r n 1 ? o")
    expect(page.locator("[data-diff] ins")).to_contain_text("Ask us if you lost the box. a r n 1 ? o")
    page.keyboard.press("Escape")
    page.keyboard.press("4")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="conv-3")).to_be_visible()
    review = Review.objects.get(case=second)
    assert (review.verdict, review.reason_code) == ("edit", "missing_step")
    assert review.content.text["final_answer"] == DRAFT + " Ask us if you lost the box. a r n 1 ? o"

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The decision is undone")).to_be_visible()
    expect(page.get_by_role("heading", name="conv-2")).to_be_visible()
    assert state_of(second) == "pending_review"

    page.keyboard.press("r")
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="conv-3")).to_be_visible()
    assert (state_of(second), state_of(third)) == ("rejected", "pending_review")


def test_control_enter_without_a_verdict_asks_for_one(page, world):
    case = world.submit()
    take_next(page)
    page.keyboard.press("Control+Enter")
    expect(said_of_the_verdict(page)).to_contain_text("Choose a verdict first")
    assert state_of(case) == "pending_review"


def test_no_key_fires_while_typing_or_in_the_dialog_of_keys(page, world):
    case = world.submit()
    take_next(page)
    page.get_by_label("Notes").fill("")
    page.get_by_label("Notes").press_sequentially("earn 1 o?")
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    expect(page.get_by_label("Notes")).to_have_value("earn 1 o?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert state_of(case) == "pending_review"


def test_enter_in_a_text_field_sends_nothing(page, world):
    case = world.submit(kind="decision", model_decision="")
    take_next(page)
    page.get_by_label("Decision").fill("deny")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Decision")).to_have_value("deny")
    assert state_of(case) == "pending_review"


def test_o_opens_the_rest(page, world):
    world.submit(reasoning="Sixty days stand in the old policy.")
    take_next(page)
    expect(page.get_by_text("Sixty days stand in the old policy.")).to_be_hidden()
    page.keyboard.press("o")
    expect(page.get_by_text("Sixty days stand in the old policy.")).to_be_visible()


def test_the_lease_is_extended_without_losing_what_was_typed(page, world):
    case = world.submit()
    take_next(page)
    before = Entry.objects.get(case=case).lease_expires_at
    page.get_by_label("Notes").fill("half a thought")
    with page.expect_response(re.compile("heartbeat")) as answer:
        page.get_by_role("button", name="Extend").click()
    assert answer.value.status == 200
    expect(page.get_by_label("Notes")).to_have_value("half a thought")
    assert Entry.objects.get(case=case).lease_expires_at > before


def test_a_lost_case_keeps_the_text(page, world):
    case = world.submit()
    take_next(page)
    page.get_by_label("Notes").fill("All my findings.")
    claims.release(case.pk, world.reviewer, Entry.objects.get(case=case).generation)
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("your text was kept")).to_be_visible()
    page.get_by_role("button", name="Take this case again").click()
    expect(page.get_by_label("Notes")).to_have_value("All my findings.")


def test_hostile_text_runs_nothing_and_loads_nothing(page, world):
    hostile = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    world.submit(user_question=hostile, model_draft=hostile, evidence=[{"document_id": hostile, "quote": hostile}])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    take_next(page)
    page.get_by_label("Answer to the customer").fill(hostile + " and more")
    expect(page.locator("[data-diff] ins")).to_contain_text("and more")
    assert "owned" not in page.title()
    assert not [url for url in asked if url.endswith("/x")]


def test_the_page_fits_a_phone_without_scrolling_sideways(page, world):
    world.submit_full(
        evidence=[{"document_id": "d" * 200, "quote": "w" * 300, "url": "https://example.com/" + "p" * 300}],
        tool_results=[{"tool": "get_order", "status": "ok", "output": '{"key": "' + "v" * 400 + '"}'}],
    )
    take_next(page)
    for width in (390, 768, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_without_javascript_a_case_is_decided_by_its_buttons(live_server, world):
    case = world.submit()
    with chromium() as browser, watched_page(browser, live_server.url, java_script_enabled=False) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        page.get_by_role("button", name="Take the next case").click()
        page.get_by_label("Answer to the customer").fill("Thirty days.")
        page.get_by_role("button", name="Edit").click()
        page.wait_for_url("**/admin/")
        assert Review.objects.get(case=case).content.text["final_answer"] == "Thirty days."
