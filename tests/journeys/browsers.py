"""A real Chromium for the journeys: any complaint of its console or of the Content-Security-Policy fails the test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]
PATIENCE = 20_000  # milliseconds for what a busy machine is slow to show; the tests wait for it and for no time
expect.set_options(timeout=PATIENCE)
REPORT_VIOLATIONS = """
    document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
"""


def chromium_path() -> str | None:
    """Where Chromium is: ``CHROMIUM``, the system's package, or None where there is none."""
    named = os.environ.get("CHROMIUM")
    return named if named and Path(named).exists() else shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where none is installed."""
    path = chromium_path()
    if path is None:
        pytest.skip("No Chromium found: install the package chromium, or name its program in CHROMIUM.")
    # Playwright keeps an event loop in this thread, in which Django would refuse every query of the test itself.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
            try:
                yield browser
            finally:
                browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@contextmanager
def watched_page(browser: Browser, base_url: str, *, expected: tuple[str, ...] = (), **options) -> Iterator[Page]:
    """A page of its own profile. What its console reports and ``expected`` does not name fails the test at the end."""
    context = browser.new_context(base_url=base_url, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(REPORT_VIOLATIONS)
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    unexpected = [text for text in complaints if not any(part in text for part in expected)]
    assert not unexpected, unexpected


def sign_in(page: Page, username: str, password: str) -> None:
    """Through the sign-in page, as a person does."""
    page.goto("/admin/login/?next=/admin/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", password)
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == "/admin/")
