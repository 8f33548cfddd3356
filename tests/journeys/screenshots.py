"""Pictures of the pages of a running demo, light and dark, wide and narrow: ``python -m tests.journeys.screenshots``.

Needs Chromium and the demo's ready file (``make demo ARGS="--ready-file FILE"``).
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page

from tests.journeys.browsers import chromium, sign_in

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
THEMES = ("light", "dark")


def take_next(page: Page) -> None:
    page.locator(".take button").first.click()  # "Take the next case", or "Go on with your case".
    page.wait_for_url("**/work/**")


def open_first(page: Page) -> None:
    """The first action of the list, where there is one."""
    rows = page.locator(".inbox-row")
    if rows.count():
        rows.first.click()
        page.wait_for_load_state()


def action_to_sign(page: Page) -> None:
    page.goto("/admin/approvals/proposedaction/waiting/?by=amount")
    open_first(page)


def unknown_result(page: Page) -> None:
    page.goto("/admin/approvals/proposedaction/unknown/")
    open_first(page)


# What to picture, each with the way there from the home page.
PAGES: dict[str, Callable[[Page], object]] = {
    "home": lambda page: None,
    "queues": lambda page: page.goto("/admin/queues/entry/"),
    "cases": lambda page: page.goto("/admin/cases/case/"),
    "review": take_next,
}
# The same for the accounts of the demo that approve actions, and that find out what became of them.
OF_APPROVER: dict[str, Callable[[Page], object]] = {
    "home-approver": lambda page: None,
    "to-sign": lambda page: page.goto("/admin/approvals/proposedaction/waiting/"),
    "action": action_to_sign,
}
OF_SUPERVISOR: dict[str, Callable[[Page], object]] = {"unknown-result": unknown_result}
APPROVER, SUPERVISOR = "emil", "gwen"


def all_shots(ready: dict, user: str, out: Path) -> Iterator[Path]:
    """The pictures of every account."""
    for account, pages in ((user, PAGES), (APPROVER, OF_APPROVER), (SUPERVISOR, OF_SUPERVISOR)):
        if account in ready["users"]:
            yield from shots(ready, account, out, pages)


def shots(ready: dict, user: str, out: Path, pages: dict[str, Callable[[Page], object]] = PAGES) -> Iterator[Path]:
    """Each picture that was written."""
    with chromium() as browser:
        for theme in THEMES:
            for size, (width, height) in SIZES.items():
                viewport = {"width": width, "height": height}
                context = browser.new_context(base_url=ready["url"], color_scheme=theme, viewport=viewport)
                page = context.new_page()
                page.goto("/admin/login/")
                yield picture(page, out / f"sign-in-{theme}-{size}.png")
                sign_in(page, user, ready["users"][user]["password"])
                for name, go in pages.items():
                    page.goto("/admin/")
                    go(page)
                    yield picture(page, out / f"{name}-{theme}-{size}.png")
                context.close()


def picture(page: Page, path: Path) -> Path:
    page.screenshot(path=path, full_page=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--user", default="ana")
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ready = json.loads(options.ready_file.read_text())
    for path in all_shots(ready, options.user, options.out):
        print(path)


if __name__ == "__main__":
    main()
