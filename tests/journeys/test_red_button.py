"""The big red button in a real browser: what it will hit, the banner on every desk, and two people on the way back."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from cases.models import User
from cases.services import switch
from cases.vocabulary import Role
from tests.approvals.desks import Desk, make_desk
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD, SURE

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/cases/automationswitch/"
WHY = "Prices of last year in the answers."


@pytest.fixture
def desk(settings) -> Desk:
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    return make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0}, resume_needs_two=True)


def banner(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Automation")


def test_one_person_stops_and_two_resume_in_stages(live_server, desk):
    world = desk.world
    second = world.person("sol", Role.SUPERVISOR)
    world.submit()
    world.submit(signals=SURE)
    action = desk.propose("420.00")
    with chromium() as browser:
        with watched_page(browser, live_server.url) as page:
            sign_in(page, world.supervisor.username, PASSWORD)
            stops(page)
            asks_to_resume(page, 10)
        says_so_on_every_desk(browser, live_server.url, world.reviewer, ["/admin/"], takes_a_case=True)
        approve = f"/admin/approvals/proposedaction/{action.pk}/change/"
        says_so_on_every_desk(browser, live_server.url, desk.ann, ["/admin/", approve])
        assert not switch.read(world.tenant).allowed, "one person's wish moves nothing"
        with watched_page(browser, live_server.url) as page:
            sign_in(page, second.username, PASSWORD)
            confirms(page)
            expect(banner(page)).to_contain_text("10 % passes")
            asks_to_resume(page, 100)
            expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
        with watched_page(browser, live_server.url) as page:
            sign_in(page, world.supervisor.username, PASSWORD)
            confirms(page)
            expect(banner(page)).to_have_count(0)
    state = switch.read(world.tenant)
    assert (state.allowed, state.share) == (True, 100)


def stops(page: Page) -> None:
    """First what it will hit, then the button; a stop without a reason stays on the page."""
    page.get_by_role("link", name="Automation", exact=True).click()
    card = page.get_by_role("form", name="Stop")
    card.get_by_label("Domain").fill("billing")
    card.get_by_role("button", name="Show what it would hit").click()
    expect(card).to_contain_text("A stop for the domain billing, Acme would hit:")
    expect(card).to_contain_text("1 case waits")
    expect(card.get_by_label("Domain")).to_have_value("billing")
    card.get_by_label("Domain").fill("")
    card.get_by_label("Reason").fill(WHY)
    card.get_by_role("button", name="Stop automation").click()
    expect(banner(page)).to_contain_text(WHY)


def asks_to_resume(page: Page, stage: int) -> None:
    card = page.get_by_role("form", name="Resume")
    card.locator(f"input[type=radio][value='{stage}']").check()
    card.get_by_label("Reason").fill("The prices are mended.")
    card.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("another person has to confirm")).to_be_visible()


def confirms(page: Page) -> None:
    page.goto(PAGE)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Confirmed. Automation has moved to this stage.")).to_be_visible()


def says_so_on_every_desk(
    browser: Browser, url: str, user: User, addresses: list[str], *, takes_a_case: bool = False
) -> None:
    with watched_page(browser, url) as page:
        sign_in(page, user.username, PASSWORD)
        for address in addresses:
            page.goto(address)
            expect(banner(page)).to_contain_text(WHY)
        if takes_a_case:
            page.get_by_role("button", name="Take the next case").click()
            expect(page.get_by_label("Answer to the customer")).to_be_visible()
            expect(banner(page)).to_contain_text(WHY)
