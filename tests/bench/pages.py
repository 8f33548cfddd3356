"""The pages that reviewers live in: how many queries, how long, among few cases and among many."""

from collections.abc import Iterator
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


def pages(ground: Ground, loads: int) -> Iterator[Figure]:
    """A reviewer's home page, and the review page of the case that they hold."""
    seconds: dict[tuple[str, str], list[float]] = {}
    queries: dict[tuple[str, str], int] = {}
    reviewer = ground.world.reviewer
    for name in (FEW, WAITING):
        with ground.on(name):
            entry = claims.claim_next(reviewer)
            browser = Client()
            browser.force_login(reviewer, backend=SIGN_IN)
            addresses = {
                "home page": reverse("admin:index"),
                "review page": reverse("admin:feedback_review_work", args=[entry.case_id]),
            }
            for page, address in addresses.items():
                _load(browser, address)  # Templates are compiled once.
                with CaptureQueriesContext(connection) as captured:
                    _load(browser, address)
                queries[page, name] = len(captured)
                seconds[page, name] = [timed(lambda: _load(browser, address)) for _ in range(loads)]  # noqa: B023
            give_back()
    for page in ("home page", "review page"):
        for name, where in ((FEW, "few cases"), (WAITING, "many cases")):
            figure = f"p50 {ms(median(seconds[page, name]))}, {queries[page, name]} queries"
            ratio = median(seconds[page, WAITING]) / median(seconds[page, FEW]) if name == WAITING else None
            yield Figure(f"{page}, {where}", loads, figure, ratio, "few cases" if name == WAITING else "")


def _load(browser: Client, address: str) -> None:
    response = browser.get(address)
    assert response.status_code == 200, f"{address} answered {response.status_code}"
