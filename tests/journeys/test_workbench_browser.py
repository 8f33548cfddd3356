"""A day at the workbench in a real browser: by keyboard alone, two people at one case, and without JavaScript."""

import pytest
from playwright.sync_api import expect

from cases.models import Case
from feedback.models import Review, TextSnippet
from queues.models import Aside, Entry
from queues.services import claims
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import DRAFT, PASSWORD, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300, func_only=True)]

TWO = [{"document_id": "returns", "quote": "Thirty days."}, {"document_id": "outlet", "quote": "No returns."}]


@pytest.fixture
def world():
    return make_world("acme", undo_seconds=300)


@pytest.fixture
def browser(world):
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(live_server, world, browser):
    with watched_page(browser, live_server.url, expected=("status of 412",)) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        yield page


def take_next(page) -> None:
    page.get_by_role("button", name="Take the next case").click()
    ready(page)


def ready(page) -> None:
    expect(page.locator("html.keys-work")).to_have_count(1)
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()


def test_ten_cases_are_decided_by_keyboard_alone(page, world):
    for number in range(10):
        world.submit(external_id=f"conv-{number}")
    page.keyboard.press("Tab")  # Skip to main content.
    page.get_by_role("button", name="Take the next case").press("Enter")
    for number in range(10):
        ready(page)
        expect(page.get_by_role("heading", name=f"conv-{number}", exact=True)).to_be_visible()
        if number % 3 == 2:
            page.keyboard.press("r")
            page.keyboard.press("1")
        else:
            page.keyboard.press("a")
        page.keyboard.press("Control+Enter")
        page.wait_for_function("name => document.querySelector('h1')?.textContent !== name", arg=f"conv-{number}")
    expect(page.get_by_text("Nothing waits for you now")).to_be_visible()
    verdicts = list(Review.objects.order_by("id").values_list("verdict", flat=True))
    assert verdicts == ["accept", "accept", "reject"] * 3 + ["accept"]
    assert not Entry.objects.exists()


def test_a_full_investigation_by_keyboard(page, world):
    case = world.submit_full(evidence=TWO)
    take_next(page)
    page.keyboard.press("v")
    page.keyboard.press("Space")
    page.keyboard.press("v")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-checklist-count]")).to_have_text("2 of 2")
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Nothing waits for you now")).to_be_visible()
    review = Review.objects.get(case=case)
    assert [mark["finding"] for mark in review.content.text["checked_evidence"]] == ["supports", "wrong"]
    assert review.reason_code and review.content.text["incorrect_evidence"] == ["outlet"]


def test_a_key_opens_each_way_of_setting_aside_and_sends_nothing(page, world):
    case = world.submit()
    take_next(page)
    places = {"s": "skip_reason", "z": "snooze_reason", "c": "consult_question", "u": "escalate_reason"}
    places |= {"d": "decline_reason", "g": "release_reason"}
    for key, name in places.items():
        page.keyboard.press(key)
        expect(page.locator(f"#{name}")).to_be_focused()
        page.keyboard.type("a1gx")
        expect(page.locator(f"#{name}")).to_have_value("a1gx")
        page.keyboard.press("Escape")
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    assert not Aside.objects.exists()
    page.keyboard.press("s")
    page.locator("#skip_reason").fill("Out of my field.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Skipped.")).to_be_visible()
    assert Aside.objects.get(case=case).kind == "skip"


def test_a_case_is_escalated_by_keyboard_alone(page, world):
    case = world.submit()
    take_next(page)
    page.keyboard.press("u")
    page.keyboard.type("It smells of fraud.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Escalated. It waits in front")).to_be_visible()
    assert Entry.objects.get(case=case).passed_by == [world.reviewer.pk]


def test_a_snippet_is_put_into_the_answer_by_its_key(page, world):
    TextSnippet(tenant=world.tenant, key="bye", text=" Yours, Acme.").save_as(world.supervisor, "created")
    world.submit()
    take_next(page)
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.keyboard.type("bye")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Answer to the customer")).to_have_value(DRAFT + " Yours, Acme.")
    expect(page.locator("[data-diff] ins")).to_contain_text("Yours, Acme.")


def test_two_browsers_at_one_case(page, browser, live_server, world):
    case = world.submit()
    take_next(page)
    page.get_by_label("Notes").fill("All my findings.")
    with watched_page(browser, live_server.url) as other:
        sign_in(other, world.colleague.username, PASSWORD)
        other.goto(f"/admin/feedback/review/work/{case.pk}/")
        expect(other.get_by_text("Rita has this case until")).to_be_visible()
        expect(other.get_by_role("button", name="Take this case")).to_have_count(0)
        generation = Entry.objects.get(case=case).generation
        claims.release(case.pk, world.reviewer, generation)
        other.reload()
        other.get_by_role("button", name="Take this case").click()
        ready(other)
        other.keyboard.press("a")
        other.keyboard.press("Control+Enter")
        expect(other.get_by_text("Accepted:")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("All my findings.")).to_be_visible()
    assert Case.objects.get(pk=case.pk).verdict == "accept"
    assert Review.objects.filter(case=case).count() == 1


def test_the_deadline_is_warned_of_in_words(page, world):
    case = world.submit()
    Entry.objects.filter(case=case).update(due_at=Entry.objects.get(case=case).entered_at)
    take_next(page)
    expect(page.get_by_text("The deadline of this case has passed.")).to_be_visible()


def test_without_javascript_a_full_investigation_is_decided(browser, live_server, world):
    case = world.submit_full(evidence=TWO)
    refused = ("status of 400",)
    with watched_page(browser, live_server.url, java_script_enabled=False, expected=refused) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        page.get_by_role("button", name="Take the next case").click()
        page.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("A full investigation states its reason")).not_to_have_count(0)
        page.get_by_label("Notes").fill("Both say so.")
        page.get_by_label("None of the evidence applies").check()
        page.get_by_role("button", name="Accept").click()
        page.wait_for_url("**/admin/")
    assert Review.objects.get(case=case).content.text["no_evidence_applies"] is True
