"""From Ctrl+Enter to the next case usable, in a real browser against gunicorn, among few cases and among many.

The browser's own clock: from the key's press to the last byte of the next page, to the moment at which it says that its
keys work, and to the frame that shows it.
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

# The next page comes as the answer to the decision and takes this one's place, or is gone to: both are timed alike.
CLOCK = """
    const at = () => performance.timeOrigin + performance.now();
    document.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && event.ctrlKey) {
            for (const name of ['usable', 'drawn']) {
                sessionStorage.removeItem(name);
            }
            sessionStorage.setItem('from', location.href);
            sessionStorage.setItem('sent', at());
        }
    }, {capture: true});
    new MutationObserver(() => {
        const isNext = location.href !== sessionStorage.getItem('from');
        const isUsable = document.documentElement?.classList.contains('keys-work');
        if (isNext && isUsable && !sessionStorage.getItem('usable')) {
            sessionStorage.setItem('usable', at());
            requestAnimationFrame(() => setTimeout(() => sessionStorage.setItem('drawn', at())));
        }
    }).observe(document, {attributes: true, childList: true, subtree: true, attributeFilter: ['class']});
"""
DRAWN = "before => location.href !== before && sessionStorage.getItem('drawn')"
TOOK = """() => {
    const sent = Number(sessionStorage.getItem('sent'));
    const [page] = performance.getEntriesByType('navigation');
    const answers = performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/decide/'));
    const ends = [page, ...answers].map(({responseEnd}) => performance.timeOrigin + responseEnd - sent);
    performance.clearResourceTimings();
    return [Math.max(...ends), ...['usable', 'drawn'].map((name) => Number(sessionStorage.getItem(name)) - sent)];
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
        for how, seconds in zip(("arrived", "usable", "drawn"), zip(*each, strict=True), strict=True):
            yield Figure(f"Ctrl+Enter to the next case {how}, {what} cases", decisions, latency(seconds))


def _decide(page: Page, username: str, decisions: int) -> list[tuple[float, float, float]]:
    """Seconds from each decision until the next page was there to its last byte, until its keys worked and until it was
    drawn; the first one warms the caches and is left out."""
    page.add_init_script(CLOCK)
    sign_in(page, username, PASSWORD)
    page.get_by_role("button", name="Take the next case").click()
    each = []
    for _ in range(decisions + 1):
        page.wait_for_selector("html.keys-work")
        here = page.url
        page.keyboard.press("a")
        page.keyboard.press("Control+Enter")
        page.wait_for_function(DRAWN, arg=here)
        arrived, usable, drawn = page.evaluate(TOOK)
        each.append((arrived / 1000, usable / 1000, drawn / 1000))
    return each[1:]
