"""How many queries each page of the back office asks: few, and no more when there is more to show."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from cases.models import User
from tests.journeys.test_admin_access import furnish, sign_in
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

BUDGET = 15
MORE = ("bravo", "charlie", "delta")  # tenants


def lists() -> dict[str, str]:
    """The address of each list, by what it lists."""
    found = {}
    for model in admin.site._registry:
        try:
            found[model._meta.label] = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        except NoReverseMatch:
            continue
    return found


def asked(browser: Client, address: str) -> int | None:
    """The number of queries; None for a page that leads elsewhere."""
    if browser.get(address).status_code != 200:  # The first look reads content types and the like once.
        return None
    with CaptureQueriesContext(connection) as queries:
        browser.get(address)
    return len(queries)


def beyond(counts: dict[str, int | None]) -> dict[str, int]:
    """What asks more than its budget."""
    return {name: count for name, count in counts.items() if count and count > BUDGET}


def test_no_list_asks_more_when_it_holds_more():
    """Seen by who sees every tenant's rows, and so the names of the tenants too."""
    furnish(make_world("alpha"))
    browser = sign_in(User.objects.create(username="olga", is_superuser=True, is_staff=True))
    few = {name: asked(browser, address) for name, address in lists().items()}
    for slug in MORE:
        furnish(make_world(slug))
    many = {name: asked(browser, address) for name, address in lists().items()}
    assert sum(count is not None for count in few.values()) > 30
    assert {name: (few[name], many[name]) for name in few if few[name] != many[name]} == {}
    assert beyond(many) == {}


def test_no_page_of_one_thing_asks_more_than_its_budget():
    world = make_world("alpha")
    keys = furnish(world)
    browser = sign_in(world.person("tess", "tenant_admin"))
    counts = {
        model._meta.label: asked(
            browser, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])
        )
        for model, key in keys.items()
    }
    assert sum(count is not None for count in counts.values()) > 20
    assert beyond(counts | {"home": asked(browser, reverse("admin:index"))}) == {}
