"""The pages that reviewers live in: how many queries, how long, among few cases and among many."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from queues.services import claims

from .figures import Figure, ms
from .ground import FEW, WAITING, Ground, give_back
from .load import timed

SIGN_IN = "django.contrib.auth.backends.ModelBackend"


PAGES = ("home page", "review page")


def pages(ground: Ground, loads: int) -> Iterator[Figure]:
    """A reviewer's home page, and the review page of the case that they hold, in turns on both databases."""
    seconds: dict[tuple[str, str], list[float]] = {(page, name): [] for page in PAGES for name in (FEW, WAITING)}
    queries: dict[tuple[str, str], int] = {}
    opened = {name: _open(ground, name) for name in (FEW, WAITING)}
    for number in range(loads + 1):
        for name, (browser, addresses) in opened.items():
            with ground.on(name):
                connection.ensure_connection()
                for page in PAGES:
                    if not number:  # Templates are compiled once, content types read once.
                        _load(browser, addresses[page])
                        with CaptureQueriesContext(connection) as captured:
                            _load(browser, addresses[page])
                        queries[page, name] = len(captured)
                    else:
                        seconds[page, name].append(timed(partial(_load, browser, addresses[page])))
    for page in PAGES:
        few, many = seconds[page, FEW], seconds[page, WAITING]
        yield Figure(f"{page}, few cases", loads, f"p50 {ms(median(few))}, {queries[page, FEW]} queries")
        figure = f"p50 {ms(median(many))}, {queries[page, WAITING]} queries"
        yield Figure(f"{page}, many cases", loads, figure, median(many) / median(few), "few cases")


def _open(ground: Ground, name: str) -> tuple[Client, dict[str, str]]:
    """A signed-in browser and the pages' addresses."""
    with ground.on(name):
        give_back()
        entry = claims.claim_next(ground.world.reviewer)
        browser = Client()
        browser.force_login(ground.world.reviewer, backend=SIGN_IN)
        addresses = (reverse("admin:index"), reverse("admin:feedback_review_work", args=[entry.case_id]))
        return browser, dict(zip(PAGES, addresses, strict=True))


def _load(browser: Client, address: str) -> None:
    response = browser.get(address)
    assert response.status_code == 200, f"{address} answered {response.status_code}"
