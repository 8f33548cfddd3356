"""The insights page: figures that lead to their cases, for those with the right, of their own tenant only."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from cases.vocabulary import Role
from feedback.metrics import rollups
from feedback.metrics.advice import Advice, wilson
from feedback.metrics.charts import draw
from feedback.submission import Submission
from tests.feedback.corrections import decide_case
from tests.worlds import SURE, World, make_world

INSIGHTS = "/admin/insights/"


@pytest.fixture
def world(db) -> World:
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    world.submit(signals=SURE, external_id="sure")
    decide_case(world, world.submit(external_id="kept"), Submission("accept"))
    decide_case(world, world.submit(domain="returns", external_id="refused"), Submission("reject", notes="no"))
    world.submit(risk_level="high", external_id="waits", release={"model": "new", "version": "2"})
    rollups.refresh()
    return world


def look(world: World, user=None, url: str = INSIGHTS):
    client = Client()
    client.force_login(user or world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(url)


def links(text: str) -> dict[str, list[str]]:
    """The addresses of lists of cases, by what they are of."""
    found: dict[str, list[str]] = {}
    for url in re.findall(r'href="([^"]*/insights/cases/[^"]*)"', text):
        url = unescape(url)
        found.setdefault(parse_qs(urlsplit(url).query)["of"][0], []).append(url)
    return found


def cases_on(text: str) -> set[str]:
    return {name for name in ("sure", "kept", "refused", "waits") if f">{name}</a>" in text}


def test_every_number_of_the_page_opens_the_list_of_its_cases(world):
    text = look(world).content.decode()
    assert "75.0 %" in text
    found = links(text)
    assert len(found) > 20
    for of, urls in found.items():
        for url in set(urls):
            assert look(world, url=url).status_code == 200, (of, url)
    expected = {
        "escalation_rate.above": {"kept", "refused", "waits"},
        "escalation_rate.below": {"sure", "kept", "refused", "waits"},
        "override_rate.above": {"refused"},
        "automatic": {"sure"},
        "by_people": {"kept", "refused"},
        "not_final": {"waits"},
    }
    for of, names in expected.items():
        assert cases_on(look(world, url=found[of][0]).content.decode()) == names, of


def test_the_page_tells_releases_and_policies_and_has_its_picture_as_a_table(world):
    text = look(world).content.decode()
    for words in ("Release new 2", "Policy for every domain, version 1", "<polyline", "As a table", "What to do"):
        assert words in text, words
    assert text.count("<tr>") > 30 + 7


def test_the_choices_narrow_the_page(world):
    text = look(world, url=f"{INSIGHTS}?domain=returns&days=7&metric=override_rate&by=reviewer").content.decode()
    assert "Override rate by day" in text
    assert "By reviewer" in text
    assert cases_on(look(world, url=links(text)["taken_in"][0]).content.decode()) == {"refused"}
    assert look(world, url=f"{INSIGHTS}?domain=x'&days=-1&metric=%00&by=[]").status_code in (200, 400)


@pytest.mark.parametrize(
    "query", ["", "days=1&domain=returns", "days=364&metric=average_handling_time&by=release", "by=domain"]
)
def test_the_number_of_queries_is_fixed(world, query, django_assert_max_num_queries):
    client = Client()
    client.force_login(world.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    client.get(INSIGHTS)
    with django_assert_max_num_queries(15):
        assert client.get(f"{INSIGHTS}?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "",
        "of=nothing",
        "of=queue_age.below",
        "of=opened&from=x&to=y",
        "of=taken_in&from=2026-01-01T00:00:00Z",
        "of=taken_in&from=2020-01-01T00:00:00Z&to=2027-01-01T00:00:00Z",
        "of=taken_in&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&queue=none",
        "of=taken_in&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&queue=general&risk=low",
        "of=taken_in&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&weekday=8&hour=1",
        "of=taken_in&from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&after=x",
    ],
)
def test_a_list_that_does_not_exist_is_a_404(world, query):
    assert look(world, url=f"{INSIGHTS}cases/?tenant=acme&{query}").status_code == 404


def test_the_page_is_for_those_who_may_see_metrics(world):
    for url in (INSIGHTS, f"{INSIGHTS}cases/?tenant=acme&of=taken_in"):
        assert look(world, world.reviewer, url).status_code == 403
        assert Client().get(url).status_code == 302
    for user in (world.compliance, world.person("tara", Role.TENANT_ADMIN)):
        assert look(world, user).status_code == 200
    assert 'href="/admin/insights/"' in look(world, url="/admin/").content.decode()
    assert 'href="/admin/insights/"' not in look(world, world.reviewer, "/admin/").content.decode()


def test_an_outsider_sees_no_figure_and_no_list_of_another_tenant(world):
    other = make_world("other")
    text = look(other, other.supervisor, f"{INSIGHTS}?tenant=acme").content.decode()
    assert "acme" not in text.lower()
    mine = links(look(world).content.decode())["taken_in"][0]
    theirs = look(other, other.supervisor, mine)
    nobodys = look(other, other.supervisor, mine.replace("tenant=acme", "tenant=nosuch"))
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert (
        cases_on(look(other, other.supervisor, mine.replace("tenant=acme", "tenant=other")).content.decode()) == set()
    )


# --- the pure parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "n", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.27753), (1, 10, 0.01788, 0.40415), (5, 10, 0.23659, 0.76341)],
)
def test_wilsons_interval_is_that_of_the_books(changed, n, low, high):
    assert wilson(changed, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("changed", "n", "begins"),
    [
        (0, 29, "Too few"),
        (0, 100, "People change almost nothing"),
        (5, 100, "People seldom"),
        (20, 100, "Keep it"),
        (60, 100, "People change many"),
    ],
)
def test_advice_follows_from_the_interval(changed, n, begins):
    assert Advice("a rule", n, changed).words.startswith(begins)


def test_a_line_breaks_where_there_is_no_value():
    from datetime import UTC, datetime, timedelta

    start = datetime(2027, 1, 1, tzinfo=UTC)
    values = [(start + timedelta(days=day), value) for day, value in enumerate([0.5, None, 1.0, 0.0])]
    chart = draw(values, [start], start, start + timedelta(days=4), most=1.0)
    assert len(chart.lines) == 2
    assert len(chart.dots) == 3
    assert chart.marks == [64.0]
    assert [tick.value for tick in chart.ticks] == [0.0, 0.5, 1.0]
    assert draw([], [], start, start + timedelta(days=4)).lines == []
