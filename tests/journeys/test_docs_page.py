"""`/api/docs/` in a real browser, under the page's own Content-Security-Policy."""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from cases.models.people import system_actor
from cases.services.people import issue_token
from tests.worlds import make_world

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on the path: apt-get install chromium"),
]


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A page of headless Chromium; anything that the browser complains about fails the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright runs an event loop in this thread.
    complaints: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " event => console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI))"
        )
        yield page
        browser.close()
    assert not complaints, complaints


def operation(page: Any, operation_id: str) -> Any:
    """The opened section of one operation, ready to be tried."""
    section = page.locator(f"[id$='-{operation_id}']")
    section.locator(".opblock-summary-control").click()
    section.get_by_role("button", name="Try it out").click()
    return section


def answer(section: Any) -> tuple[int, Any]:
    """Press Execute; the status and the body that the page shows."""
    section.get_by_role("button", name="Execute").click()
    live = section.locator(".live-responses-table")
    live.wait_for()
    body = live.locator(".response-col_description code").first.inner_text()
    return int(live.locator(".response-col_status").last.inner_text().split()[0]), json.loads(body)


def test_a_case_can_be_posted_from_the_page_with_a_token(page: Any, live_server: Any, settings: Any):
    settings.PUBLIC_URL = live_server.url
    world = make_world("acme")
    token = issue_token(world.service, actor=system_actor(), tenant=world.tenant)
    page.goto(f"{live_server.url}/api/docs/")
    page.locator(".opblock").first.wait_for()

    page.get_by_role("button", name="Authorize").click()
    page.locator(".auth-container input").fill(f"Token {token}")
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()

    status, receipt = answer(operation(page, "cases_create"))
    assert status == 201
    assert receipt["route"] == "full_investigation"

    status, state = answer(operation(page, "automation_retrieve"))
    assert status == 200
    assert state["ai_automation_enabled"] is True


def test_every_operation_stands_on_the_page(page: Any, live_server: Any):
    page.goto(f"{live_server.url}/api/docs/")
    page.locator(".opblock").first.wait_for()
    with urllib.request.urlopen(
        urllib.request.Request(f"{live_server.url}/api/schema/", headers={"Accept": "application/json"})
    ) as document:
        described = sum(len(methods) for methods in json.load(document)["paths"].values())
    assert page.locator(".opblock").count() == described > 10
