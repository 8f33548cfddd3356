"""From Ctrl+Enter to the next case usable, in a real browser against gunicorn, among few cases and among many.

The browser's own clock: from the key's press to the moment at which the next page says that its keys work.
"""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from queues.models import Reviewer
from tests.journeys.browsers import chromium, sign_in, watched_page
from tests.worlds import PASSWORD

from .figures import Figure, latency
from .ground import FEW, WAITING, Ground, give_back
from .load import gunicorn

CLOCK = """
    const at = () => performance.timeOrigin + performance.now();
    document.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && event.ctrlKey) {
            sessionStorage.setItem('sent', at());
            sessionStorage.removeItem('usable');
        }
    }, {capture: true});
    new MutationObserver(() => {
        if (document.documentElement?.classList.contains('keys-work') && !sessionStorage.getItem('usable')) {
            sessionStorage.setItem('usable', at());
        }
    }).observe(document, {attributes: true, childList: true, subtree: true, attributeFilter: ['class']});
"""
TOOK = """() => {
    const [there] = performance.getEntriesByType('navigation');
    const [sent, usable] = ['sent', 'usable'].map((name) => Number(sessionStorage.getItem(name)));
    return [performance.timeOrigin + there.responseEnd - sent, usable - sent];
}"""


def going_on(ground: Ground, decisions: int, logs: Path) -> Iterator[Figure]:
    """``decisions`` accepted one after another by key on each database."""
    for name, what in ((FEW, "few"), (WAITING, "many")):
        with ground.on(name):
            give_back()
            Reviewer.objects.filter(user=ground.world.reviewer).update(capacity=20)
        with (
            gunicorn(ground.url_of(name), logs) as port,
            chromium() as browser,
            watched_page(browser, f"http://127.0.0.1:{port}") as page,
        ):
            each = _decide(page, ground.world.reviewer.username, decisions)
        arrived, usable = zip(*each, strict=True)
        yield Figure(f"Ctrl+Enter to the next case arrived, {what} cases", decisions, latency(arrived))
        yield Figure(f"Ctrl+Enter to the next case usable, {what} cases", decisions, latency(usable))


def _decide(page: Page, username: str, decisions: int) -> list[tuple[float, float]]:
    """Seconds from each decision until the next page was there to its last byte, and until its keys worked; the first
    one warms the caches and is left out."""
    page.add_init_script(CLOCK)
    sign_in(page, username, PASSWORD)
    page.get_by_role("button", name="Take the next case").click()
    each = []
    for _ in range(decisions + 1):
        page.wait_for_selector("html.keys-work")
        here = page.url
        page.keyboard.press("a")
        page.keyboard.press("Control+Enter")
        page.wait_for_function("before => location.href !== before && sessionStorage.getItem('usable')", arg=here)
        arrived, usable = page.evaluate(TOOK)
        each.append((arrived / 1000, usable / 1000))
    return each[1:]
