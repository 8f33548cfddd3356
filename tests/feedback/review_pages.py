"""The review page as plain requests ask for it: as a browser with scripts off would send them."""

import re

from django.urls import reverse

from cases.models import Case
from queues.models import Entry
from tests.worlds import World


def url(view: str, case: Case | Entry) -> str:
    return reverse(f"admin:feedback_review_{view}", args=[getattr(case, "case_id", None) or case.pk])


def filled_in(page, **changes) -> dict[str, str]:
    """The form of a page as a browser would send it, with ``changes``."""
    form = page.context["form"]
    values = {field.name: field.value() or "" for field in form}
    values |= {"generation": page.context["page"].entry.generation, "displayed": page.context["page"].digest}
    values |= {"take_next": ""} | changes
    # A browser sends line ends as CR LF.
    return {name: v.replace("\n", "\r\n") if isinstance(v, str) else v for name, v in values.items()}


def open_next(client, world: World):
    """Claim the next case and open its page."""
    return client.get(url("work", world.claim()))


def decide(client, page, **changes):
    return client.post(url("decide", page.context["page"].case), filled_in(page, **changes))


def words_of(response) -> str:
    """The page as it reads: without tags, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())
