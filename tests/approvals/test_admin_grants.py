"""Giving and taking authority in the back office."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import AuthorityGrant
from approvals.services import authorities
from cases.models import Membership
from cases.models.people import system_actor

from .desks import Desk, make_desk
from .test_approve_page import door, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


@pytest.fixture
def tara(desk):
    return desk.world.person("tara", "tenant_admin")


def grants_url(authority) -> str:
    return reverse("admin:approvals_approvalauthority_grants", args=[authority.pk])


def test_an_admin_gives_and_takes_it_with_a_reason(desk, tara):
    client = door(tara)
    give = {"person": desk.cara.username, "reason": "covers for Ann"}
    assert client.post(grants_url(desk.small), give).status_code == 302
    assert desk.cara in authorities.holders([desk.small])
    text = text_of(client.get(grants_url(desk.small)))
    assert "covers for Ann" in text
    assert "Given to" in text
    client.post(grants_url(desk.small), give | {"revoke": "1", "reason": "Ann is back"})
    assert desk.cara not in authorities.holders([desk.small])
    row = AuthorityGrant.objects.order_by("-id").first()
    assert (row.is_granted, row.by, row.reason) == (False, tara, "Ann is back")


def test_nobody_gives_it_to_themselves_alone_or_with_their_role(desk, tara):
    client = door(tara)
    own = Group.objects.get(name="acme:tenant_admin")
    for holder in ({"person": tara.username}, {"group": own.pk}):
        answer = client.post(grants_url(desk.small), holder | {"reason": "me"}, follow=True)
        assert "nobody gives an authority to themselves" in text_of(answer).lower()
    assert tara not in authorities.holders([desk.small])


def test_a_role_holds_it_and_loses_it(desk, tara):
    client, group = door(tara), Group.objects.get(name="acme:supervisor")
    client.post(grants_url(desk.small), {"group": group.pk, "reason": "supervisors may"})
    assert desk.world.supervisor in authorities.holders([desk.small])
    assert "Role Supervisor" in text_of(client.get(grants_url(desk.small)))
    client.post(grants_url(desk.small), {"group": group.pk, "reason": "no more", "revoke": "1"})
    assert desk.world.supervisor not in authorities.holders([desk.small])


def test_who_has_left_is_marked_and_can_be_taken_off(desk, tara):
    Membership.objects.filter(user=desk.ann).update(is_active=False)
    client = door(tara)
    assert "it does not count" in text_of(client.get(grants_url(desk.small)))
    client.post(grants_url(desk.small), {"person": desk.ann.username, "reason": "left", "revoke": "1"})
    assert desk.ann not in authorities.own_holders(desk.small)


def test_a_reason_and_exactly_one_holder_are_needed(desk, tara):
    client, group = door(tara), Group.objects.get(name="acme:supervisor")
    for sent in (
        {"person": desk.cara.username},
        {"reason": "x"},
        {"person": desk.cara.username, "group": group.pk, "reason": "x"},
        {"person": "nobody@acme", "reason": "x"},
    ):
        assert client.post(grants_url(desk.small), sent).status_code == 400
    assert AuthorityGrant.objects.filter(by=tara).count() == 0


def test_who_may_not_change_it_reads_only(desk):
    client = door(desk.world.supervisor)
    text = text_of(client.get(grants_url(desk.small)))
    assert "Ann" in text
    assert "Give it</button>" not in text
    assert client.post(grants_url(desk.small), {"person": desk.cara.username, "reason": "x"}).status_code == 403
    assert desk.cara not in authorities.holders([desk.small])


def test_an_outsider_gets_and_gives_nothing(desk, tara):
    other = make_desk("other")
    oscar = other.world.person("oscar", "tenant_admin")
    for method in ("get", "post"):
        sent = {"person": oscar.username, "reason": "mine now"}
        assert getattr(door(oscar), method)(grants_url(desk.small), sent)["Location"] == "/admin/"
    foreign = Group.objects.get(name="other:approver")
    for holder in ({"person": other.ann.username}, {"group": foreign.pk}):
        assert door(tara).post(grants_url(desk.small), holder | {"reason": "x"}).status_code == 400
    assert "other" not in text_of(door(tara).get(grants_url(desk.small))).split("Give it")[0].lower()
    assert set(authorities.holders([desk.small])) == {desk.ann, desk.ben}


def test_the_page_asks_no_more_queries_with_more_holders(desk, tara):
    client, counts = door(tara), []
    for round_ in range(2):
        client.get(grants_url(desk.small))
        with CaptureQueriesContext(connection) as queries:
            client.get(grants_url(desk.small))
        counts.append(len(queries))
        for name in ("x1", "x2", "x3"):
            person = desk.world.person(f"{name}{round_}", "approver")
            authorities.grant(desk.small, person, actor=system_actor(), reason="more")
    assert counts[0] == counts[1] <= 12
