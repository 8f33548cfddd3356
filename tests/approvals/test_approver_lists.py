"""The approver's own list: exactly what one could sign now. And the results that nobody knows."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.executors import Outcome
from approvals.models import ProposedAction
from approvals.services import authorities, signing, types
from approvals.services.available import Deed, offered_to
from approvals.services.inbox import signable_by
from cases.clock import db_now, pretend_now
from cases.models import Membership, User
from cases.models.people import system_actor

from .desks import Desk, fresh, make_desk, run_due
from .test_approve_page import door, text_of, url

pytestmark = pytest.mark.django_db

WAITING = "/admin/approvals/proposedaction/waiting/"
UNKNOWN = "/admin/approvals/proposedaction/unknown/"


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def listed(user: User, tenant_id: UUID) -> set[UUID]:
    return set(signable_by(user, [tenant_id], now=db_now()).values_list("pk", flat=True))


def unknown_result(desk: Desk, till) -> ProposedAction:
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    action = desk.approve(desk.propose())
    run_due()
    assert fresh(action).state == "unknown"
    return action


def test_the_list_holds_what_the_person_could_sign_and_nothing_else(desk):
    """The one statement against the rule that each page and each signature asks, person by person."""
    small, large = desk.propose("420.00"), desk.propose("4200.00")
    foreign = desk.propose("420.00", currency="EUR")
    without_money = desk.propose(None)
    signed = desk.propose("4300.00")
    desk.approve(signed, desk.cara)
    taken_back = desk.approve(desk.propose("430.00"), desk.ben)
    signing.take_back(taken_back.pk, actor=desk.ben)
    own = desk.propose("440.00")
    ProposedAction.objects.filter(pk=own.pk).update(proposer=desk.ann)
    coded = desk.propose("450.00")
    ProposedAction.objects.filter(pk=coded.pk).update(authority_code="large")
    off = desk.world.person("off", "approver")
    authorities.grant(desk.small, off, actor=system_actor())
    Membership.objects.filter(user=off).update(is_active=False)
    people = [desk.ann, desk.ben, desk.cara, desk.dan, off, desk.world.supervisor, desk.world.reviewer]
    actions = [small, large, foreign, without_money, signed, taken_back, own, coded]
    for person in people:
        expected = {action.pk for action in actions if Deed.APPROVE in offered_to(fresh(action), person, now=db_now())}
        assert listed(person, desk.world.tenant.pk) == expected, person
    assert listed(desk.ann, desk.world.tenant.pk) == {small.pk, taken_back.pk}
    assert listed(desk.dan, desk.world.tenant.pk) >= {large.pk, signed.pk, coded.pk}
    with pretend_now(db_now() + timedelta(days=5)):
        assert listed(desk.dan, desk.world.tenant.pk) == set()


def test_who_stands_in_for_somebody_sees_what_they_could_sign_and_have_not(desk):
    deputy = desk.world.person("dora", "approver")
    now = db_now()
    Membership.objects.filter(user=desk.cara).update(delegate=deputy, away_from=now - timedelta(hours=1))
    large, signed, own = desk.propose("4200.00"), desk.propose("4300.00"), desk.propose("4400.00")
    desk.approve(signed, desk.cara)
    ProposedAction.objects.filter(pk=own.pk).update(proposer=desk.cara)
    assert listed(deputy, desk.world.tenant.pk) == {large.pk}
    for action in (large, signed, own):
        offered = Deed.APPROVE in offered_to(fresh(action), deputy, now=db_now())
        assert offered == (action == large)


def test_the_list_names_money_type_customer_deadline_and_impact(desk):
    action = desk.propose("4200.00", customer_id="cust_981")
    text = text_of(door(desk.cara).get(WAITING))
    for words in ("Refund", "4,200.00 USD", "cust_981", "▲", "High", url(action), "in 4 h"):
        assert words in text, words
    assert "Nothing waits for your signature" in text_of(door(desk.ann).get(WAITING))


def test_it_is_ordered_by_deadline_or_by_amount(desk):
    first, second = desk.propose("100.00"), desk.propose("400.00")
    by_deadline, by_amount = (text_of(door(desk.ann).get(f"{WAITING}?by={by}")) for by in ("deadline", "amount"))
    assert by_deadline.index(url(first)) < by_deadline.index(url(second))
    assert by_amount.index(url(second)) < by_amount.index(url(first))
    assert door(desk.ann).get(f"{WAITING}?by=nonsense").status_code == 200


def test_the_home_page_counts_it(desk):
    for amount in ("100.00", "200.00"):
        desk.propose(amount)
    text = text_of(door(desk.ann).get("/admin/"))
    assert "Actions that wait for your signature: 2" in text
    assert WAITING in text


def test_the_lists_ask_no_more_queries_with_more_rows(desk):
    desk.propose("100.00")
    client = door(desk.ann)
    counts = []
    for _ in range(2):
        client.get(WAITING)
        for at in (WAITING, "/admin/"):
            with CaptureQueriesContext(connection) as queries:
                client.get(at)
            counts.append(len(queries))
        for _ in range(4):
            desk.propose("110.00")
    assert counts[:2] == counts[2:]
    assert counts[0] <= 8
    assert counts[1] <= 12


def test_nothing_of_another_tenant_is_on_the_lists(desk, till):
    other = make_desk("other")
    unknown = unknown_result(desk, till)
    mine = desk.propose("100.00")
    for user, at in ((other.ann, WAITING), (other.world.supervisor, UNKNOWN), (other.ann, UNKNOWN)):
        text = text_of(door(user).get(at))
        assert url(mine) not in text
        assert str(unknown.pk) not in text
    both = desk.world.person("both", "approver")
    Membership(user=both, tenant=other.world.tenant, roles=[]).save_as(system_actor(), "guest")
    assert listed(both, other.world.tenant.pk) == set()


# --- results that nobody knows ---------------------------------------------------------------------------------------


def test_an_unknown_result_is_found_out_by_who_may_and_by_nobody_else(desk, till):
    action = unknown_result(desk, till)
    supervisor = door(desk.world.supervisor)
    assert "1 result unknown" in text_of(supervisor.get("/admin/"))
    assert url(action, "reconcile") in text_of(supervisor.get(UNKNOWN))
    text = text_of(supervisor.get(url(action, "reconcile")))
    assert "This cannot be taken back" in text
    assert "It cannot be sent again" in text
    assert url(action, "reconcile") not in text_of(door(desk.ann).get(UNKNOWN))
    assert door(desk.ann).get(url(action, "reconcile")).status_code == 403
    assert door(desk.ann).post(url(action, "reconcile"), {"what": "executed", "evidence": "x"}).status_code == 403
    outsider = make_desk("other").world.supervisor
    assert door(outsider).post(url(action, "reconcile"), {"what": "executed", "evidence": "x"})["Location"] == "/admin/"
    assert fresh(action).state == "unknown"


@pytest.mark.parametrize("said", ["executed", "failed"])
def test_a_finding_needs_evidence_and_ends_it(desk, till, said):
    action = unknown_result(desk, till)
    client = door(desk.world.supervisor)
    empty = client.post(url(action, "reconcile"), {"what": said, "evidence": " "})
    assert empty.status_code == 400
    assert "Say what shows it" in text_of(empty)
    client.post(url(action, "reconcile"), {"what": said, "evidence": "statement 12, line 4"})
    assert fresh(action).state == said
    assert "statement 12, line 4" in text_of(client.get(url(action)))
    again = client.post(url(action, "reconcile"), {"what": "executed", "evidence": "changed my mind"}, follow=True)
    assert "It does not wait for that" in text_of(again)


def test_a_look_up_says_what_the_executor_said(desk, till):
    action = unknown_result(desk, till)
    client = door(desk.world.supervisor)
    said = client.post(url(action, "reconcile"), {"what": "look_up"}, follow=True)
    assert "The executor does not know it" in text_of(said)
    assert client.post(url(action, "reconcile"), {"what": "send_again"}, follow=True).status_code == 200
    till.says["look_up"] = Outcome("executed", {"reference": "till-9"})
    client.post(url(action, "reconcile"), {"what": "look_up"})
    assert fresh(action).state == "executed"
    assert client.post(url(action, "reconcile"), {"what": "nonsense"}).status_code == 302
    assert reverse("admin:index") == "/admin/"
