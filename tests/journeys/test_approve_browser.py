"""An approver's work in a real browser: at the width of a phone and of a desk, light and dark, under the strict CSP.

With ``COUNTERSIGN_SCREENSHOTS`` naming a folder, the pages are pictured there.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from approvals.executors import Outcome
from approvals.models import ActionVote
from approvals.services import authorities, types
from cases.models.people import system_actor
from queues.services import claims
from tests.approvals.desks import Desk, fresh, make_desk, run_due
from tests.approvals.test_with_case import case_with_refund
from tests.approvals.till import Till
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1440, "height": 900}}
LOOKS = [("narrow", "light"), ("narrow", "dark"), ("wide", "light"), ("wide", "dark")]
LEAST_HEIGHT = 24  # pixels, of what is pressed (WCAG 2.2, 2.5.8)


@pytest.fixture
def desk(settings) -> Desk:
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    return make_desk(undo_seconds=300, rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


def heading(page: Page) -> Locator:
    """The page's own; a click is followed once the next page's stands there."""
    return page.get_by_role("heading", level=1)


def check(page: Page, name: str) -> None:
    """Nothing hangs over the edge, everything that is pressed is large enough; and a picture where one is wanted."""
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"{name}: {over} px over the edge"
    for button in page.locator("main button:visible").all():
        assert button.bounding_box()["height"] >= LEAST_HEIGHT, button.inner_text()
    if folder := os.environ.get("COUNTERSIGN_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_an_approver_signs_from_the_list(live_server, browser, desk, size, scheme):
    Till.open_total["balance"] = {"before": "9000.00", "after": "4800.00"}
    first = desk.propose("4200.00", customer_id="cust_981", policy_basis="enterprise exception")
    desk.propose("1250.00", customer_id="cust_12")
    look = {"viewport": SIZES[size], "color_scheme": scheme}
    with watched_page(browser, live_server.url, expected=("status of 400", "status of 412"), **look) as page:
        sign_in(page, desk.cara.username, PASSWORD)
        check(page, f"home-{size}-{scheme}")
        page.get_by_role("link", name="Open the list").click()
        expect(heading(page)).to_have_text("Waiting for your signature")
        check(page, f"list-{size}-{scheme}")
        page.get_by_role("link", name="4,200.00 USD").click()
        expect(heading(page)).to_have_text("Refund")
        check(page, f"action-{size}-{scheme}")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why it is rejected")
        page.get_by_label("Reason").fill("called the customer")
        page.get_by_role("button", name="Approve 4,200.00 USD").click()
        expect(page.get_by_text("It waits for another signature")).to_be_visible()
        expect(page.get_by_role("link", name="1,250.00 USD")).to_be_visible()
        expect(page.locator(".inbox-row")).to_have_count(1)
    assert ActionVote.objects.get(action=first).voter == desk.cara


@pytest.mark.parametrize(("size", "scheme"), [("narrow", "light"), ("wide", "dark")])
def test_an_edited_action_shows_its_difference(live_server, browser, desk, size, scheme):
    action = desk.propose("420.00")
    look = {"viewport": SIZES[size], "color_scheme": scheme}
    with watched_page(browser, live_server.url, expected=("status of 412",), **look) as page:
        sign_in(page, desk.ann.username, PASSWORD)
        at = f"/admin/approvals/proposedaction/{action.pk}/change/"
        page.goto(at)
        other = page.context.new_page()
        other.goto(at)
        other.get_by_role("link", name="Edit").click()
        expect(other.get_by_label("Why it is edited")).to_be_visible()
        check(other, f"edit-{size}-{scheme}")
        other.get_by_label("Amount").fill("80.00")
        other.get_by_label("Why it is edited").fill("only one item")
        other.get_by_role("button", name="Save the edit").click()
        expect(other.get_by_text("is being asked what this would do")).to_be_visible()
        run_due()
        page.get_by_label("Reason").fill("fine")
        page.get_by_role("button", name="Approve 420.00 USD").click()
        expect(page.get_by_role("alert")).to_contain_text("has changed since you opened it")
        expect(page.get_by_role("alert").get_by_role("row", name="Amount")).to_contain_text("80.00")
        expect(page.get_by_label("Reason")).to_have_value("fine")
        check(page, f"stale-{size}-{scheme}")
    assert not ActionVote.objects.exists()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_supervisor_finds_out_what_became_of_it(live_server, browser, desk, size, scheme):
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    Till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    type(desk.world.tenant).objects.filter(pk=desk.world.tenant.pk).update(undo_seconds=0)
    action = desk.approve(desk.propose())
    run_due()
    look = {"viewport": SIZES[size], "color_scheme": scheme}
    with watched_page(browser, live_server.url, expected=("status of 400",), **look) as page:
        sign_in(page, desk.world.supervisor.username, PASSWORD)
        page.get_by_role("link", name="1 result unknown").click()
        expect(heading(page)).to_have_text("Result unknown")
        check(page, f"unknown-{size}-{scheme}")
        page.locator(".inbox-row").click()
        expect(heading(page)).to_have_text("Refund")
        check(page, f"reconcile-{size}-{scheme}")
        page.get_by_label("What shows it").press("Tab")
        page.get_by_role("button", name="It took place").click()
        expect(page.get_by_role("alert")).to_contain_text("Say what shows it")
        page.get_by_label("What shows it").fill("statement 12, line 4")
        page.get_by_role("button", name="It took place").click()
        expect(page.get_by_text("this is on record with your evidence")).to_be_visible()
    assert fresh(action).state == "executed"


@pytest.mark.parametrize(("size", "scheme"), [("narrow", "dark"), ("wide", "light")])
def test_a_reviewer_decides_case_and_action_together(live_server, browser, desk, size, scheme):
    rob = desk.world.person("rob", "reviewer", "approver", reviews=True)
    authorities.grant(desk.small, rob, actor=system_actor())
    case, action = case_with_refund(desk)
    claims.claim(case, rob)
    look = {"viewport": SIZES[size], "color_scheme": scheme}
    with watched_page(browser, live_server.url, **look) as page:
        sign_in(page, rob.username, PASSWORD)
        page.goto(f"/admin/feedback/review/work/{case.pk}/")
        page.get_by_label("Approve it with this decision").check()
        check(page, f"together-{size}-{scheme}")
        page.get_by_role("button", name="Accept").click()
        page.wait_for_url("**/admin/")
    assert fresh(action).state == "approved"
