"""Filters of lists under names of one's own."""

import pytest

from cases.models import SavedFilter
from cases.services import saved_filters
from tests.cases.test_admin_cases import sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db

CASES, WAITING = "/admin/cases/case/", "/admin/queues/entry/"
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def world(db) -> World:
    return make_world()


def keep(browser, address: str, query: str, name: str):
    return browser.post(f"{address}filters/save/", {"query": query, "name": name})


@pytest.mark.parametrize(
    ("address", "query"), [(CASES, "risk=high&state=approved"), (WAITING, "deadline=over&holder=nobody")]
)
def test_a_filter_is_kept_under_a_name_stands_above_the_list_and_is_let_go(world, address, query):
    browser = sign_in(world.reviewer)
    assert "Keep this filter as" not in browser.get(address).content.decode()
    assert "Keep this filter as" in browser.get(f"{address}?{query}").content.decode()
    assert keep(browser, address, query, "My  morning")["Location"] == f"{address}?{query}"
    kept = SavedFilter.objects.get()
    assert (kept.user, kept.name, kept.query) == (world.reviewer, "My morning", query)
    text = browser.get(address).content.decode()
    assert f'href="?{query.replace("&", "&amp;")}"' in text and "My morning" in text
    assert "Keep this filter as" not in browser.get(f"{address}?{query}").content.decode(), "it is kept already"
    browser.post(f"{address}filters/{kept.pk}/forget/")
    assert "My morning" not in browser.get(address).content.decode()


def test_the_same_name_again_replaces_the_filter(world):
    browser = sign_in(world.reviewer)
    keep(browser, CASES, "risk=high", "Mine")
    keep(browser, CASES, "risk=low", "Mine")
    assert SavedFilter.objects.get().query == "risk=low"


def test_a_filter_is_its_owners_alone_and_its_lists_alone(world):
    rita = sign_in(world.reviewer)
    keep(rita, CASES, "risk=high", "Ritas")
    kept = SavedFilter.objects.get()
    assert "Ritas" in rita.get(CASES).content.decode()
    assert "Ritas" not in rita.get(WAITING).content.decode()
    for user in (world.colleague, world.supervisor, make_world("other").reviewer):
        browser = sign_in(user)
        assert "Ritas" not in browser.get(CASES).content.decode()
        assert browser.post(f"{CASES}filters/{kept.pk}/forget/").status_code == 404
    assert rita.post(f"{WAITING}filters/{kept.pk}/forget/").status_code == 404
    assert SavedFilter.objects.exists()


def test_neither_searched_words_nor_unknown_columns_are_kept(world):
    keep(sign_in(world.reviewer), CASES, "q=maria@example.com&purpose=challenge&risk=high&p=3&_popup=1", "Mine")
    assert SavedFilter.objects.get().query == "risk=high"


@pytest.mark.parametrize("name", ["", "   ", "n" * 41])
def test_a_filter_has_a_name(world, name):
    keep(sign_in(world.reviewer), CASES, "risk=high", name)
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("query", ["", "q=words", "risk=" + "x" * 600])
def test_there_must_be_a_filter_to_keep(world, query):
    keep(sign_in(world.reviewer), CASES, query, "Mine")
    assert not SavedFilter.objects.exists()


def test_so_many_filters_and_no_more(world):
    for number in range(saved_filters.MOST):
        saved_filters.save(world.reviewer, "cases.case", name=f"f{number}", query="risk=high")
    with pytest.raises(saved_filters.FilterInvalid, match="Let one go"):
        saved_filters.save(world.reviewer, "cases.case", name="one more", query="risk=high")
    saved_filters.save(world.reviewer, "cases.case", name="f0", query="risk=low")


def test_a_hostile_name_is_text(world):
    browser = sign_in(world.reviewer)
    keep(browser, CASES, "risk=high", HOSTILE)
    text = browser.get(CASES).content.decode()
    assert "<script>alert(1)" not in text and "\u202e" not in text.split("saved-filters")[1].split("</div>")[0]


def test_a_kept_filter_opens_no_other_tenants_rows(world):
    other = make_world("other")
    query = f"queue={other.queue.pk}"
    other.submit(external_id="theirs")
    browser = sign_in(world.supervisor)
    keep(browser, WAITING, query, "Theirs")
    assert "theirs" not in browser.get(f"{WAITING}?{query}").content.decode()


def test_saving_takes_a_post_and_the_right_to_see_the_list(world):
    assert sign_in(world.reviewer).get(f"{CASES}filters/save/").status_code == 405
