"""Every kind of page of the back office, in each role, looked at by axe-core in a real browser: WCAG 2.2 A and AA.

One page of each kind: a kind is a view, so that a thousand cases are one page. The crawl follows the links that each
person is shown, and also fails on a 4xx or 5xx answer, an error in the console, or a report of the strict CSP.
"""

from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from cases.models import User
from cases.vocabulary import Role
from queues.services import claims
from tests.journeys.browsers import chromium, watched_page
from tests.journeys.test_admin_access import furnish, sign_in
from tests.worlds import make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300, func_only=True)]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
RUN = """async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
    const found = await axe.run(document, {runOnly: tags, resultTypes: ['violations'], preload: false});
    const seen = (rule) => rule.nodes.slice(0, 3).map((node) => node.target + ' ' + node.html.slice(0, 99)).join(' | ');
    return found.violations.map((rule) => `${rule.id}: ${rule.help}: ${seen(rule)}`);
}"""
LINKS = "[...document.querySelectorAll('a[href]:not([download])')].map((link) => link.href)"
MOST = 150  # pages, as a bound to the crawl

# Signed out by it, or nothing to look at: Django's pages of scripts.
LEFT_OUT = {"admin:logout", "admin:jsi18n", "admin:autocomplete"}
# Each belongs to everybody, and is drawn differently for each role.
EACH_ROLE = {"admin:index"}


def kind_of(url: str) -> str | None:
    """The view behind an address of the back office; None for what is elsewhere or not looked at."""
    parts = urlsplit(url)
    if not parts.path.startswith("/admin/"):
        return None
    try:
        name = resolve(parts.path).view_name
    except Resolver404:
        return None
    return None if name in LEFT_OUT else name


def violations(page) -> list[str]:
    page.evaluate(AXE)
    return page.evaluate(RUN)


def crawl(page, starts: list[str], seen: set[str]) -> list[str]:
    """Look at one page of each kind that ``seen`` does not hold yet; what is wrong with any of them."""
    waiting, found, mine = list(starts), [], set()
    while waiting and len(mine) < MOST:
        url = waiting.pop(0)
        kind = kind_of(url)
        if kind is None or kind in mine or (kind in seen and kind not in EACH_ROLE):
            continue
        mine.add(kind)
        answer = page.goto(url)
        if answer.status >= 400:
            found.append(f"{kind} answered {answer.status} at {url}")
            continue
        found += [f"{kind}: {violation}" for violation in violations(page)]
        waiting += page.evaluate(LINKS)
    seen |= mine
    return found


def cookies_of(user: User, url: str) -> list[dict]:
    browser: Client = sign_in(user)
    return [{"name": "sessionid", "value": browser.cookies["sessionid"].value, "url": url}]


def test_axe_finds_no_violation_on_any_page_in_any_role(live_server):
    world = make_world("acme")
    furnish(world)
    full = claims.claim(
        world.submit_full(
            messages=[{"role": "user", "content": "Hello."}],
            reasoning="Sixty days stand in the old policy.",
            policies=[{"policy_id": "returns", "text": "Thirty days. " * 80}],
            tool_results=[{"tool": "get_order", "status": "error", "output": '{"order": 1}'}],
            customer={"reference": "cust_1", "email": "a@b.example"},
            risk_level="high",
        ),
        world.reviewer,
    )
    # The rarest role first: what it sees alone is its own, and the rest is looked at once.
    people = [
        world.reviewer,
        world.person("ann", Role.APPROVER),
        world.compliance,
        world.supervisor,
        world.person("tess", Role.TENANT_ADMIN),
        User.objects.create(username="olga", is_superuser=True, is_staff=True),
    ]
    seen: set[str] = set()
    found: list[str] = []
    with chromium() as browser:
        with watched_page(browser, live_server.url) as page:
            page.goto("/admin/login/")
            found += [f"signing in: {violation}" for violation in violations(page)]
        for user in people:
            with watched_page(browser, live_server.url) as page:
                page.context.add_cookies(cookies_of(user, live_server.url))
                starts = [f"{live_server.url}/admin/"]
                if user == world.reviewer:
                    starts.append(f"{live_server.url}/admin/feedback/review/work/{full.case_id}/")
                starts.append(f"{live_server.url}/admin/everything/")
                found += [f"{user}: {what}" for what in crawl(page, starts, seen)]
    assert not found, "\n".join(found)
    assert len(seen) > 40, sorted(seen)


@pytest.mark.parametrize("scheme", ["dark"])
def test_the_pages_of_a_reviewer_hold_in_the_dark_too(live_server, scheme):
    world = make_world("acme")
    quick, full = world.submit(), world.submit_full()
    claims.claim(quick, world.reviewer)
    with chromium() as browser, watched_page(browser, live_server.url, color_scheme=scheme) as page:
        page.context.add_cookies(cookies_of(world.reviewer, live_server.url))
        for path in ("", f"feedback/review/work/{quick.pk}/", f"feedback/review/work/{full.pk}/", "queues/entry/"):
            page.goto(f"/admin/{path}")
            assert violations(page) == [], path
