"""The list of what waits, searched as the list of cases is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.worlds import make_world

pytestmark = pytest.mark.django_db
LIST = reverse("admin:queues_entry_changelist")


@pytest.fixture
def world():
    return make_world("acme")


def found(client, words: str) -> list:
    return [entry.case_id for entry in client.get(LIST, {"q": words}).context["cl"].result_list]


def test_an_entry_is_found_by_its_case(client, world):
    case = world.submit(external_id="conv-1", model_draft="A giraffe may be returned.")
    world.submit(external_id="conv-2")
    client.force_login(world.supervisor)
    for words in ("conv-1", case.wire_id, str(case.pk), "giraffe"):
        assert found(client, words) == [case.pk], words
    assert found(client, "zebra") == []


def test_a_customer_is_found_by_those_alone_who_may_see_them(client, world):
    case = world.submit(customer={"reference": "cust-77", "email": "kim@kim.example"})
    client.force_login(world.supervisor)
    assert found(client, "kim@kim.example") == [case.pk]
    client.force_login(world.reviewer)
    assert found(client, "kim@kim.example") == []


def test_an_outsider_finds_nothing(client, world):
    case = world.submit(external_id="conv-1")
    client.force_login(make_world("globex").supervisor)
    assert found(client, "conv-1") == found(client, case.wire_id) == []


def test_the_list_asks_at_most_fifteen_queries_with_a_search_too(client, world):
    for number in range(30):
        world.submit(external_id=f"conv-{number}")
    client.force_login(world.supervisor)
    for asked in ({}, {"q": "shoes"}, {"deadline": "ahead"}):
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST, asked)
        assert len(queries) <= 15, asked
