"""Pictures of every kind of page of a running demo: ``python -m tests.journeys.screenshots``.

Light and dark, wide and narrow. One page of each kind that a role is shown is found by following the links from its
home page; a kind is an address without its keys. Needs Chromium and the demo's ready file
(``make demo ARGS="--ready-file FILE"``).
"""

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.journeys.browsers import chromium, sign_in

SIZES = {"wide": (1440, 900), "narrow": (390, 844), "laptop": (1280, 800), "huge": (2560, 1440)}
THEMES = ("light", "dark")
# The roles, each with an account of the demo, the rarest first: what is found under one is not looked for again.
PEOPLE = {"reviewer": "ana", "approver": "emil", "compliance": "henry", "supervisor": "gwen", "tenant-admin": "ines"}
MOST = 120  # pages of a role
HIGHEST = 6_000  # pixels of a picture
HOME = "home"
LINKS = "[...document.querySelectorAll('a[href]:not([download])')].map((link) => link.href)"

_KEY = re.compile(r"^(\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[a-z]+_[0-9a-hjkmnp-tv-z]{26})$")
# Signed out by it, or nothing to look at: files, and Django's pages of scripts.
_LEFT_OUT = re.compile(r"^(logout|jsi18n|autocomplete)")


@dataclass(frozen=True)
class Shot:
    """A page to picture: the name of its file and its address, which is of the home page where it is empty."""

    name: str
    path: str = ""


def kind_of(url: str) -> str | None:
    """``queues-entry-change`` for the page of any entry; None for what is no page of the back office."""
    path = urlsplit(url).path
    if not path.startswith("/admin/"):
        return None
    parts = [part for part in path.removeprefix("/admin/").split("/") if part and not _KEY.match(part)]
    name = "-".join(parts) or HOME
    return None if _LEFT_OUT.search(name) else name


def pages_of(page: Page, role: str, seen: set[str], starts: Sequence[str] = ()) -> list[Shot]:
    """One page of each kind that ``seen`` does not hold yet, found by following links; the home page is each role's."""
    waiting, found = ["/admin/", *starts, "/admin/everything/"], []
    while waiting and len(found) < MOST:
        url = waiting.pop(0)
        kind = kind_of(url)
        if kind is None or kind in seen:
            continue
        answer = page.goto(url)
        if answer is None or answer.status >= 400:
            continue
        name = kind
        if kind == HOME:
            name = f"{HOME}-{role}"
        else:
            seen.add(kind)
        if name not in {shot.name for shot in found}:
            found.append(Shot(name, urlsplit(page.url).path + (f"?{query}" if (query := urlsplit(url).query) else "")))
            waiting += page.evaluate(LINKS)
    return found


def held_case(page: Page) -> str:
    """The review page of the case that the person holds, or takes for it; empty where nothing waits."""
    page.goto("/admin/")
    if page.locator(".take button:enabled").count():
        page.locator(".take button:enabled").first.click()  # "Take the next case", or "Go on with your case".
        page.wait_for_load_state()
    return page.url if "/work/" in page.url else ""


@dataclass(frozen=True)
class Look:
    """How pages are looked at. ``whole`` is the page to its end, or else what a window shows of it."""

    theme: str
    size: str
    whole: bool


def all_shots(ready: dict, out: Path, people: dict[str, str], looks: Sequence[Look], only: str) -> Iterator[Path]:
    """Each picture that was written, of the pages whose name holds ``only``."""
    with chromium() as browser:
        seen: set[str] = set()
        for role, account in people.items():
            if account not in ready["users"]:
                continue
            page = browser.new_context(base_url=ready["url"]).new_page()
            sign_in(page, account, ready["users"][account]["password"])
            starts = [url] if role == "reviewer" and (url := held_case(page)) else []
            shots = [shot for shot in pages_of(page, role, seen, starts) if only in shot.name]
            state = page.context.storage_state()
            page.context.close()
            for look in looks:
                yield from _pictured(browser, ready["url"], state, shots, out, look)
        for look in looks if only in "sign-in" else ():
            yield from _pictured(browser, ready["url"], None, [Shot("sign-in", "/admin/login/")], out, look)


def _pictured(
    browser: Browser, url: str, state: dict | None, shots: Sequence[Shot], out: Path, look: Look
) -> Iterator[Path]:
    width, height = SIZES[look.size]
    viewport = {"width": width, "height": height}
    context = browser.new_context(base_url=url, color_scheme=look.theme, viewport=viewport, storage_state=state)
    page = context.new_page()
    for shot in shots:
        page.goto(shot.path)
        path = out / f"{shot.name}-{look.theme}-{look.size}.png"
        if look.whole:
            height = min(HIGHEST, page.evaluate("document.documentElement.scrollHeight"))
        page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
        yield path
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--role", choices=PEOPLE, action="append", help="of this role alone; may be repeated")
    parser.add_argument("--theme", choices=THEMES, action="append", help="default: both")
    parser.add_argument("--size", choices=SIZES, action="append", help="default: wide and narrow")
    parser.add_argument("--window", action="store_true", help="only what a window shows, not the whole page")
    parser.add_argument("--only", default="", metavar="WORD", help="only pages whose name holds it: review, home")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    people = {role: account for role, account in PEOPLE.items() if role in (options.role or PEOPLE)}
    themes, sizes = options.theme or THEMES, options.size or ("wide", "narrow")
    looks = [Look(theme, size, not options.window) for theme in themes for size in sizes]
    ready = json.loads(options.ready_file.read_text())
    for path in all_shots(ready, options.out, people, looks, options.only):
        print(path, flush=True)


if __name__ == "__main__":
    main()
