"""The README's three-minute tour in a real browser, from the curl as it is written to the last stage of resuming."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as installed
from playwright.sync_api import Browser, Page, expect

from approvals.models import ProposedAction
from approvals.services.types import publish
from cases.clock import db_now
from cases.models import Case, User
from cases.models.people import system_actor
from cases.services import people
from cases.vocabulary import Role
from config.demo.ledger import secret_of
from feedback.models import Review
from tests.approvals.desks import Desk, fresh, make_desk, run_due
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.journeys.test_ledger import KEY
from tests.journeys.test_ledger import Running as Ledger
from tests.worlds import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
README = Path(installed.BASE_DIR) / "README.md"


def the_curl() -> str:
    found = re.search(r"^## A three-minute tour\n.*?```sh\n(.*?)```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, "README.md has no tour"
    return found[1]


def send(url: str, desk: Desk) -> Case:
    token = people.issue_token(desk.world.service, actor=system_actor(), tenant=desk.world.tenant)
    command = ["sh", "-euc", the_curl()]
    said = subprocess.run(command, env=os.environ | {"URL": url, "TOKEN": token}, capture_output=True, timeout=30)
    receipt = json.loads(said.stdout)
    assert (receipt["state"], receipt["route"]) == ("pending_review", "full_investigation"), receipt
    return Case.objects.get(external_id="tour-1")


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.start()
    yield ledger
    ledger.end(signal.SIGTERM)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_tour_of_the_readme(live_server, ledger, settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    desk = make_desk()
    kind = desk.refunds
    kind.executor_kind, kind.executor, kind.executor_secret = "http", f"{ledger.url}/acme", secret_of(KEY, "acme")
    kind.save_as(system_actor(), "the ledger")
    publish(kind, actor=system_actor(), reason="the ledger")
    dora = desk.world.person("dora", Role.SENIOR_REVIEWER, reviews=True)
    ines = desk.world.person("ines", Role.TENANT_ADMIN)
    gwen = desk.world.supervisor

    case = send(live_server.url, desk)
    run_due()  # What the workers do meanwhile: the dry run.
    with chromium() as browser:
        correct(browser, live_server.url, dora, case)
        action = sign(desk, ProposedAction.objects.get(case=case))
        run_due()
        assert fresh(action).state == "executed"
        assert ledger.page().count(action.wire_id) == 1
        # Labelled is what is final; the tour's reader waits for ten seconds.
        Case.objects.filter(pk=case.pk).update(final_at=db_now() - timedelta(seconds=1))
        label(browser, live_server.url, gwen)
        stop(browser, live_server.url, gwen)
        with page_of(browser, live_server.url, desk.world.reviewer) as page:
            for address in ("/admin/", "/admin/cases/case/"):
                page.goto(address)
                expect(banner(page)).to_contain_text("Automation is stopped")
        resume(browser, live_server.url, ines)


@contextmanager
def page_of(browser: Browser, url: str, user: User) -> Iterator[Page]:
    """A browser of its own in which ``user`` has signed in."""
    with watched_page(browser, url) as page:
        sign_in(page, user.username, PASSWORD)
        yield page


def correct(browser: Browser, url: str, reviewer: User, case: Case) -> None:
    with page_of(browser, url, reviewer) as page:
        page.get_by_role("button", name="Take the next case").click()
        expect(page.get_by_role("heading", name="tour-1")).to_be_visible()
        page.get_by_label("Answer to the customer").fill("Yes, you get 120 USD back within 14 days.")
        page.locator("[name=reason_code]").select_option("wrong_policy")
        page.get_by_label("Notes").fill("The policy says 14 days.")
        page.get_by_role("button", name="Edit").click()
        page.wait_for_url("**/admin/")
    review = Review.objects.get(case=case)
    assert (review.verdict, review.reason_code) == ("edit", "wrong_policy")
    assert Case.objects.get(pk=case.pk).state == "approved"


def sign(desk: Desk, action: ProposedAction) -> ProposedAction:
    """By the service that the approver's page calls."""
    assert action.state == "pending_approval"
    return desk.approve(action)


def label(browser: Browser, url: str, senior: User) -> None:
    with page_of(browser, url, senior) as page:
        page.goto("/admin/feedback/correction/")
        page.get_by_role("link", name="Label these, one by one").click()
        expect(page.get_by_role("heading", name="tour-1")).to_be_visible()
        expect(page.locator("html.keys-work")).to_have_count(1)
        page.keyboard.press("1")
        expect(page.get_by_role("heading", name="tour-1")).to_be_hidden()
    assert Review.objects.with_standing_label().get().standing_label == "model_error"


def banner(page: Page):
    return page.get_by_role("complementary", name="Automation")


def stop(browser: Browser, url: str, supervisor: User) -> None:
    with page_of(browser, url, supervisor) as page:
        page.goto("/admin/cases/automationswitch/")
        card = page.get_by_role("form", name="Stop")
        card.get_by_label("Reason").fill("A wrong refund came through.")
        card.get_by_role("button", name="Stop automation").click()
        expect(banner(page)).to_contain_text("A wrong refund came through.")


def resume(browser: Browser, url: str, second: User) -> None:
    with page_of(browser, url, second) as page:
        page.goto("/admin/cases/automationswitch/")
        for stage, seen in ((10, "10 % passes"), (100, None)):
            card = page.get_by_role("form", name="Resume")
            card.locator(f"input[type=radio][value='{stage}']").check()
            card.get_by_label("Reason").fill("The draft's rule is mended.")
            card.get_by_role("button", name="Resume").click()
            if seen:
                expect(banner(page)).to_contain_text(seen)
            else:
                expect(banner(page)).to_have_count(0)
