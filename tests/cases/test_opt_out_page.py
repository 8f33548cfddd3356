"""Who wants no more messages: looked up by name or address, of which none is kept."""

import pytest
from django.test import Client

from cases.services import opt_outs
from tests.cases.test_admin_cases import sign_in
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
PAGE = "/admin/cases/customeroptout/"
CUSTOMER = {"reference": "cust_7", "email": "Rosa@Example.com", "phone": "+1 500 555 0006"}


def opted_out(slug: str = "acme"):
    world = make_world(slug)
    case = world.submit(customer=CUSTOMER)
    opt_outs.store(opt_outs.link_for(case).rstrip("/").rpartition("/")[2], wants_notices=False)
    return world


def rows(client: Client, term: str) -> int:
    return client.get(PAGE, {"q": term}).context["cl"].result_count


@pytest.mark.parametrize("term", ["cust_7", "rosa@example.com", " ROSA@example.com ", "+1 500 555 0006"])
def test_a_customer_is_found_by_each_name_that_the_caller_gave(term):
    assert rows(sign_in(opted_out().supervisor), term) == 1


@pytest.mark.parametrize("term", ["rosa", "cust_8", "%", "nobody@example.com"])
def test_nothing_else_finds_one_and_no_name_is_shown(term):
    client = sign_in(opted_out().supervisor)
    assert rows(client, term) == 0
    text = client.get(PAGE).content.decode()
    assert "rosa" not in text.lower() and "cust_7" not in text


def test_an_outsider_finds_none_and_a_reviewer_has_no_such_page():
    world = opted_out()
    outsider = make_world("other")
    assert rows(sign_in(outsider.supervisor), "cust_7") == 0
    assert rows(sign_in(outsider.supervisor), "") == 0
    assert sign_in(world.reviewer).get(PAGE).status_code == 403


def test_lists_that_belong_together_lead_to_those_that_one_may_open():
    world = make_world()
    text = sign_in(world.supervisor).get("/admin/cases/interimtemplate/").content.decode()
    nav = text[text.index('aria-label="Belongs together"') :]
    nav = nav[: nav.index("</nav>")]
    for words in ("Texts", "Messages", "Opt-outs"):
        assert words in nav
    theirs = sign_in(world.reviewer).get("/admin/cases/interimtemplate/").content.decode()
    assert "Opt-outs" not in theirs
