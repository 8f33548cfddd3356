"""A customer opts out of notices, and comes back."""

import pytest
from django.test import Client

from cases.models import (
    CustomerNotice,
    CustomerOptOut,
)
from tests.cases.customers.telling import ANNA, MINUTE, decide, furnished, link_in, send_after

pytestmark = pytest.mark.django_db


def test_a_customer_opts_out_by_a_button_and_comes_back(world, mailbox):
    case = world.submit(customer=ANNA)
    send_after()
    link = link_in(mailbox.mails[0])
    assert "Send me no more messages" in Client().get(link).content.decode()
    assert not CustomerOptOut.objects.exists(), "a scanner that follows links changes nothing"
    page = Client(enforce_csrf_checks=True).post(link, {"wish": "off"}, headers={"Accept-Language": "de-CH,en"})
    assert "Sie erhalten keine automatischen Nachrichten mehr" in page.content.decode()
    decide(case)
    world.submit(customer={"email": "ANNA@example.com"}, external_id="another, without the reference")
    assert send_after(MINUTE) == 0
    assert "The customer wants no notices." in CustomerNotice.objects.latest("id").last_error
    Client().post(link, {"wish": "on"})
    world.submit(customer=ANNA, external_id="third")
    assert send_after(MINUTE) == 1


def test_the_page_says_the_same_whoever_asks(world, mailbox):
    world.submit(customer=ANNA)
    send_after()
    link = link_in(mailbox.mails[0])
    for method in ("get", "post"):
        pages = [
            getattr(Client(), method)(path, {"wish": "off"})
            for path in (link, link[:-2] + "x/", "/customers/opt-out/nonsense/")
        ]
        assert len({(page.status_code, page.content) for page in pages}) == 1
        assert pages[0].status_code == 200
    assert CustomerOptOut.objects.count() == 2


def test_a_link_of_one_tenant_opts_nobody_out_of_another(world, mailbox):
    other = furnished("other")
    world.submit(customer=ANNA)
    send_after()
    Client().post(link_in(mailbox.mails[0]), {"wish": "off"})
    other.submit(customer=ANNA)
    assert send_after() == 1


def test_the_page_is_asked_so_often_and_no_more(world):
    statuses = [Client().get("/customers/opt-out/same/").status_code for _ in range(22)]
    assert statuses == [200] * 20 + [429] * 2
