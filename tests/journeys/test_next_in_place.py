"""The next case takes the place of the decided one within the same document: what could break by that, in a browser."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from feedback.models import Dwell, DwellPolicy, Review, ReviewDraft
from feedback.services import dwells
from queues.models import Entry
from queues.services import claims
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.journeys.test_accessibility import violations
from tests.worlds import PASSWORD, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300, func_only=True)]

HEARTBEAT = 4 * 60 * 1000 + 1000  # milliseconds, and a little more
FAILURES = ("status of 4", "status of 500", "net::ERR_FAILED")
SAME = "() => document.querySelector('#header').marked === true"


@pytest.fixture
def world():
    return make_world("acme", undo_seconds=300)


@pytest.fixture
def page(live_server, world):
    """With three cases, the first of them before the reviewer; the document is marked."""
    for number in range(1, 4):
        world.submit(external_id=f"conv-{number}")
    with chromium() as browser, watched_page(browser, live_server.url, expected=FAILURES) as page:
        sign_in(page, world.reviewer.username, PASSWORD)
        page.clock.install()
        page.get_by_role("button", name="Take the next case").click()
        shows(page, "conv-1")
        page.evaluate("() => { document.querySelector('#header').marked = true; }")
        yield page


def shows(page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.locator("html.keys-work")).to_have_count(1)


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def work_url(name: str) -> str:
    return f"/admin/feedback/review/work/{Entry.objects.get(case__external_id=name).case_id}/"


def path(page) -> str:
    return urlsplit(page.url).path


def test_the_page_is_another_one_to_eyes_ears_keys_and_history(page):
    first = path(page)
    page.evaluate("() => scrollTo(0, 400)")
    press(page, "a", "Control+Enter")
    shows(page, "conv-2")
    assert page.evaluate(SAME)
    assert (path(page), page.title()) == (work_url("conv-2"), "conv-2 – Countersign")
    heading = page.get_by_role("heading", name="conv-2", exact=True)
    expect(heading).to_be_focused()
    expect(heading).to_have_accessible_description(re.compile("^Accepted: conv-1"))
    assert page.evaluate("() => scrollY") == 0
    assert violations(page) == []
    page.get_by_role("button", name=re.compile("Toggle theme")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", re.compile("light|dark"))
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(page, "Escape")

    second = path(page)
    page.go_back()
    shows(page, "conv-1")
    assert path(page) == first
    expect(page.get_by_text("You decided this case just now.")).to_be_visible()
    page.go_forward()
    shows(page, "conv-2")
    assert path(page) == second
    page.reload()
    shows(page, "conv-2")
    press(page, "a", "Control+Enter")
    shows(page, "conv-3")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The decision is undone")).to_be_visible()
    shows(page, "conv-2")
    assert Review.objects.count() == 3


def test_what_is_refused_stays_with_its_text_and_its_keys(page, world):
    here = path(page)
    page.get_by_label("Notes").fill("All my findings.")
    page.get_by_label("Answer to the customer").fill("Something else.")
    press(page, "Escape", "a", "Control+Enter")
    expect(page.get_by_text("Choose Edit to send your version").first).to_be_visible()
    expect(page.get_by_label("Notes")).to_have_value("All my findings.")
    expect(page.locator("[data-first-error]")).to_be_focused()
    expect(page.locator("[data-verdict=accept]")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(SAME) and path(page) == here
    entry = Entry.objects.get(case__external_id="conv-1")
    claims.release(entry.case_id, world.reviewer, entry.generation)
    press(page, "e", "Escape", "Control+Enter")
    expect(page.get_by_text("your text was kept")).to_be_visible()
    assert page.evaluate(SAME) and path(page) == here
    page.get_by_role("button", name="Take this case again").click()
    shows(page, "conv-1")
    expect(page.get_by_label("Notes")).to_have_value("All my findings.")
    press(page, "e", "Escape", "Control+Enter")
    shows(page, "conv-2")
    assert Review.objects.get().content.text["notes"] == "All my findings."


def lose_the_answer(route) -> None:
    route.fetch()
    route.abort()


def test_where_the_server_fails_or_does_not_answer_the_same_key_is_pressed_again(page):
    faults = [lambda route: route.fulfill(status=500, body="down"), lambda route: route.abort()]
    page.route("**/decide/", lambda route: faults.pop(0)(route) if faults else route.continue_())
    page.get_by_label("Notes").fill("All my findings.")
    press(page, "Escape", "a", "Control+Enter")
    expect(page.get_by_text("The server failed before it could answer.")).to_be_visible()
    expect(page.get_by_label("Notes")).to_have_value("All my findings.")
    page.clock.run_for(3000)
    expect(page.get_by_text("Saved at")).to_be_visible()
    press(page, "Control+Enter")
    expect(page.get_by_text("There is no answer")).to_be_visible()
    assert not Review.objects.exists()
    press(page, "Control+Enter")
    shows(page, "conv-2")
    assert page.evaluate(SAME)

    faults.append(lose_the_answer)
    press(page, "a", "Control+Enter")
    expect(page.get_by_text("There is no answer")).to_be_visible()
    press(page, "Control+Enter")
    expect(page.get_by_text("has arrived already")).to_be_visible()
    assert [review.case.external_id for review in Review.objects.order_by("id")] == ["conv-1", "conv-2"]


def test_whoever_was_signed_out_signs_in_and_finds_what_they_wrote(page, world):
    page.get_by_label("Notes").fill("All my findings.")
    page.context.clear_cookies()
    press(page, "Escape", "a", "Control+Enter")
    expect(page.get_by_label("Username")).to_be_visible()
    entry = Entry.objects.get(case__external_id="conv-1")
    claims.release(entry.case_id, world.reviewer, entry.generation)
    claims.claim(entry.case, world.reviewer)
    page.get_by_label("Username").fill(world.reviewer.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    shows(page, "conv-1")
    expect(page.get_by_label("Notes")).to_have_value("All my findings.")
    assert not Review.objects.exists()


STRAY = """() => {
    const strike = () => document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', {key: 'e', bubbles: true, cancelable: true}));
    const send = window.fetch;
    window.fetch = async (...asked) => {
        const answer = await send(...asked);
        strike();
        return answer;
    };
    document.addEventListener('case-shown', strike);
}"""


def test_what_is_typed_on_while_a_decision_is_on_its_way_is_no_key_of_the_next_case(page):
    """Before the answer is put, and after: the hand means the page that it saw."""
    page.evaluate(STRAY)
    press(page, "a", "Control+Enter")
    shows(page, "conv-2")
    expect(page.get_by_role("heading", name="conv-2", exact=True)).to_be_focused()
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    page.wait_for_timeout(500)  # The hand has come to rest.
    press(page, "a")
    expect(page.locator("[data-verdict=accept]")).to_have_attribute("aria-pressed", "true")


def test_nothing_is_written_into_a_page_that_is_about_to_go(page):
    page.evaluate("() => { window.fetch = () => new Promise(() => {}); }")
    page.get_by_label("Notes").fill("Mine.")
    press(page, "Escape", "a", "Control+Enter")
    expect(page.get_by_text("Accept is chosen")).to_be_visible()
    page.get_by_label("Notes").focus()
    page.keyboard.type(" he r")
    page.keyboard.insert_text("pasted")
    expect(page.get_by_label("Notes")).to_have_value("Mine.")
    expect(page.locator("[data-verdict=accept]")).to_have_attribute("aria-pressed", "true")


def test_control_enter_in_a_place_of_its_own_sends_what_stands_there(page):
    first = path(page)
    press(page, "a", "u", "Control+Enter")
    expect(page.locator(".field-error").first).to_be_visible()
    assert path(page) == first, "what only takes a form is no address to come back to"
    press(page, "s")
    page.keyboard.type("Out of my field.")
    press(page, "Control+Enter")
    expect(page.get_by_text("Skipped.")).to_be_visible()
    assert not Review.objects.exists()


def test_what_runs_for_one_case_ends_with_it(page, world):
    """Timers, autosaves and the count of seconds: each of the next case, and once."""
    policy = DwellPolicy(tenant=world.tenant, is_on=True)
    dwells.save_policy(policy, actor=world.person("tess", "tenant_admin"), reason="agreed with the works council")
    page.reload()
    shows(page, "conv-1")
    asked: list[tuple[str, str]] = []  # view and case of each request
    names = {work_url(name): name for name in ("conv-1", "conv-2", "conv-3")}

    def note(request):
        if request.method == "POST" and (found := re.match(r"(.*/)(\w+)/$", urlsplit(request.url).path)):
            asked.append((found[2], names.get(found[1], "")))

    page.on("request", note)
    page.clock.run_for(2000)
    for after in ("conv-2", "conv-3"):
        press(page, "a", "Control+Enter")
        shows(page, after)
    assert asked == [("decide", "conv-1"), ("dwell", "conv-1"), ("decide", "conv-2"), ("dwell", "conv-2")]
    del asked[:]
    page.get_by_label("Notes").press_sequentially("Mine.")
    page.clock.run_for(2000)
    expect(page.get_by_text("Saved at")).to_be_visible()
    with page.expect_response("**/heartbeat/"):
        page.clock.fast_forward(HEARTBEAT)
    assert asked == [("keep", "conv-3"), ("heartbeat", "conv-3")]
    assert ReviewDraft.objects.get().case.external_id == "conv-3"
    press(page, "Escape", "a", "Control+Enter")
    expect(page.get_by_text("Nothing waits for you now")).to_be_visible()
    assert asked[2:] == [("decide", "conv-3"), ("dwell", "conv-3")]
    assert Dwell.objects.filter(case__external_id="conv-1").exists()
