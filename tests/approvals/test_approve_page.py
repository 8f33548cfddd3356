"""The approve page: who sees it, what it offers, and that what is posted is what was shown."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import ActionVote
from approvals.services import authorities, signing
from approvals.services.available import Deed, offered_to
from cases.clock import db_now, pretend_now
from cases.errors import CountersignError
from cases.models import Denial, User
from cases.models.people import system_actor
from cases.services.second_factor import SIGNED_IN
from tests.worlds import make_world

from .desks import Desk, fresh, make_desk, run_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def door(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def url(action, deed: str = "change") -> str:
    return reverse(f"admin:approvals_proposedaction_{deed.replace('-', '_')}", args=[action.pk])


def shown_hash(action) -> str:
    return f"sha256:{bytes(fresh(action).payload_hash).hex()}"


def post(user: User, action, deed: str, *, seen: str | None = None, **data):
    return door(user).post(url(action, deed), {"payload_hash": seen or shown_hash(action), **data})


def text_of(response) -> str:
    return response.content.decode()


def test_the_page_says_what_is_asked_in_fields_and_money(desk):
    action = desk.propose("4200.00", policy_basis="enterprise exception", customer_id="cust_981")
    text = text_of(door(desk.cara).get(url(action)))
    for words in ("Refund", "<strong>4,200.00</strong> USD", "Order id", "o_1", "cust_981", "enterprise exception"):
        assert words in text, words
    assert "as the AI claims" in text
    assert "Total" in text
    assert "Dan" in text, "who else can sign"
    assert shown_hash(action) in text
    assert "Approve 4,200.00 USD" in text


def test_what_a_preview_says_before_and_after_stands_side_by_side(desk, till):
    till.open_total["balance"] = {"before": "900.00", "after": "480.00"}
    text = text_of(door(desk.ann).get(url(desk.propose())))
    assert "<del>900.00</del>" in text
    assert "<ins>480.00</ins>" in text


def test_hostile_parameters_are_shown_and_do_nothing(desk):
    action = desk.propose(params={"order_id": "o\u202e1", "note": "<script>alert(1)</script>"})
    text = text_of(door(desk.ann).get(url(action)))
    assert "<script>alert" not in text
    assert "U+202E" in text


def test_who_holds_the_authority_approves_what_was_shown(desk, till):
    action = desk.propose()
    response = post(desk.ann, action, "approve", reason="checked")
    assert response["Location"] == reverse("admin:approvals_proposedaction_waiting")
    vote = ActionVote.objects.get()
    assert (vote.voter, vote.reason.text["reason"]) == (desk.ann, "checked")
    run_due()
    assert fresh(action).state == "executed"
    assert "Executed" in text_of(door(desk.ann).get(url(action)))


def test_without_an_authority_there_is_no_button_and_the_post_is_refused(desk):
    action = desk.propose("4200.00")
    text = text_of(door(desk.ann).get(url(action)))
    assert url(action, "approve") not in text
    assert "You hold no authority that reaches so far" in text
    for deed in ("approve", "reject"):
        response = post(desk.ann, action, deed, reason="mine")
        assert response.status_code == 403
        assert "authority" in text_of(response)
    assert not ActionVote.objects.exists()


def test_nobody_is_offered_their_own_proposal(desk):
    action = desk.propose(actor=system_actor())
    type(action).objects.filter(pk=action.pk).update(proposer=desk.ann)
    text = text_of(door(desk.ann).get(url(action)))
    assert "You proposed this yourself" in text
    assert url(action, "approve") not in text
    assert post(desk.ann, action, "approve").status_code == 403
    assert not ActionVote.objects.exists()


def test_a_stale_hash_shows_what_has_become_different_and_signs_nothing(desk, till):
    action = desk.propose()
    seen = shown_hash(action)
    edited = door(desk.ben).post(
        url(action, "edit"),
        {
            "payload_hash": seen,
            "params-order_id": "o_2",
            "amount": "400.00",
            "currency": "USD",
            "reason": "other order",
        },
    )
    assert edited.status_code == 302
    run_due()
    response = post(desk.ann, action, "approve", seen=seen, reason="what I typed")
    text = text_of(response)
    assert response.status_code == 412
    assert "What is different from what you saw" in text
    assert "<del>o_1</del>" in text
    assert "<ins>400.00</ins>" in text
    assert "what I typed" in text
    assert not ActionVote.objects.exists()
    assert post(desk.ann, action, "approve").status_code == 302


def test_a_rejection_needs_a_reason_and_keeps_what_was_typed_out_of_it(desk):
    action = desk.propose()
    response = post(desk.ann, action, "reject", reason="  ")
    assert response.status_code == 400
    assert "Say why it is rejected" in text_of(response)
    assert post(desk.ann, action, "reject", reason="not owed").status_code == 302
    assert fresh(action).state == "rejected"


def test_an_edit_that_is_wrong_comes_back_with_its_fields(desk):
    action = desk.propose()
    sent = {"payload_hash": shown_hash(action), "params-order_id": "o_2", "currency": "USD", "reason": "x"}
    response = door(desk.ann).post(url(action, "edit"), sent | {"amount": "-1"})
    assert response.status_code == 400
    assert 'value="o_2"' in text_of(response)
    response = door(desk.ann).post(url(action, "edit"), sent | {"amount": "400.00", "reason": " "})
    assert "Say why it is edited" in text_of(response)
    stale = door(desk.ann).post(url(action, "edit"), sent | {"amount": "400.00", "payload_hash": "sha256:" + "0" * 64})
    assert stale.status_code == 412
    assert shown_hash(action) in text_of(stale), "what was typed can be sent again over what stands there now"
    assert fresh(action).revision == 1


def test_an_editor_alone_is_told_that_somebody_else_has_to_sign(desk):
    action = desk.propose()
    sent = {"payload_hash": shown_hash(action), "params-order_id": "o_2", "amount": "400.00", "currency": "USD"}
    door(desk.ann).post(url(action, "edit"), sent | {"reason": "other order"})
    run_due()
    assert "Somebody else has to sign after you" in text_of(door(desk.ann).get(url(action)))
    post(desk.ann, action, "approve")
    assert fresh(action).state == "pending_approval"
    post(desk.ben, action, "approve")
    assert fresh(action).state == "approved"


def test_an_approval_is_taken_back_and_an_action_called_off_on_the_page(desk):
    action = desk.approve(desk.propose())
    assert "Take my approval back" in text_of(door(desk.ann).get(url(action)))
    assert post(desk.ben, action, "take-back").status_code == 409
    assert post(desk.ann, action, "take-back").status_code == 302
    assert fresh(action).state == "pending_approval"
    assert post(desk.ann, action, "cancel").status_code == 403
    assert Denial.objects.filter(actor=desk.ann, permission="withdraw_case").exists()
    assert post(desk.world.supervisor, action, "cancel", reason="duplicate").status_code == 302
    assert fresh(action).state == "cancelled"


def test_a_failed_preview_is_tried_again(desk):
    action = desk.propose(params={"order_id": "refuse"})
    assert "The order is not refundable." in text_of(door(desk.ann).get(url(action)))
    assert post(desk.ann, action, "retry-preview", seen="none").status_code == 302
    assert fresh(action).state == "proposed"
    assert "is being asked" in text_of(door(desk.ann).get(url(action)))


def test_high_impact_asks_again_who_it_is_and_keeps_the_reason(desk):
    action = desk.propose("4200.00")
    client = door(desk.cara)
    session = client.session
    session[SIGNED_IN] = (db_now() - timedelta(hours=1)).isoformat()
    session.save()
    sent = {"payload_hash": shown_hash(action), "reason": "called the customer"}
    response = client.post(url(action, "approve"), sent)
    assert response["Location"].startswith(reverse("admin:step_up"))
    assert not ActionVote.objects.exists()
    back = client.post(response["Location"], {"password": "wrong", "next": url(action)})
    assert back.status_code == 403
    back = client.post(response["Location"], {"password": "correct horse battery staple"})
    assert back["Location"] == url(action)
    text = text_of(client.get(url(action)))
    assert "called the customer" in text
    assert "Nothing was signed yet" in text
    assert client.post(url(action, "approve"), sent).status_code == 302
    assert ActionVote.objects.get().reason.text["reason"] == "called the customer"


def test_an_outsider_cannot_tell_it_from_one_that_does_not_exist(desk):
    action, outsider = desk.propose(), make_desk("other").cara
    before = fresh(action).state
    sent = {"payload_hash": shown_hash(action), "reason": "x"}
    for deed in Deed:
        for method in ("get", "post"):
            answer = getattr(door(outsider), method)(url(action, deed), sent)
            assert (answer.status_code, answer["Location"]) == (302, "/admin/"), (deed, method)
    assert door(outsider).get(url(action))["Location"] == "/admin/"
    assert door(outsider).post(url(action), sent).status_code == 403
    assert fresh(action).state == before
    assert not ActionVote.objects.exists()
    assert door(make_world("third").reviewer).get(url(action)).status_code == 403


def test_what_is_offered_is_what_the_services_accept(desk, till):
    """Of every person and state: an offered approval is signed, and one that is not offered is refused."""
    people = [desk.ann, desk.cara, desk.world.supervisor, desk.world.reviewer]
    for amount in ("420.00", "4200.00"):
        for person in people:
            action = desk.propose(amount)
            offered = offered_to(action, person, now=db_now())
            try:
                desk.approve(action, person)
                was_signed = True
            except CountersignError:
                was_signed = False
            assert was_signed == (Deed.APPROVE in offered), (amount, person)
    expired = desk.propose()
    with pretend_now(db_now() + timedelta(days=3)):
        assert offered_to(expired, desk.ann, now=db_now()).deeds <= {Deed.CANCEL}


def test_the_page_asks_no_more_queries_with_more_rows(desk, till):
    first = desk.propose(customer_id="cust_1")
    client = door(desk.ann)
    client.get(url(first))
    with CaptureQueriesContext(connection) as few:
        client.get(url(first))
    for _ in range(6):
        other = desk.propose(customer_id="cust_1")
        signing.reject(other.pk, actor=desk.ann, payload_hash=bytes(other.payload_hash), reason="no")
    for name in ("x1", "x2", "x3"):
        person = desk.world.person(name, "approver")
        authorities.grant(desk.small, person, actor=system_actor())
    with CaptureQueriesContext(connection) as many:
        client.get(url(first))
    assert len(many) <= len(few) + 1 <= 27, [query["sql"][:90] for query in many]
