"""Actions over REST, as an integrator and an approver's own front end meet them."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm
from knox.models import AuthToken

from approvals.executors import Outcome
from approvals.models import ActionVote, Execution, ProposedAction
from approvals.services import types
from approvals.services.inbox import signable_by
from cases.clock import db_now, pretend_now
from cases.ids import new_id, to_wire
from cases.models import Denial, Membership
from cases.models.people import system_actor
from tests.callers import Caller
from tests.threads import in_parallel

from .desks import Desk, make_desk, run_due

pytestmark = pytest.mark.django_db

REFUND = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "420.00", "currency": "USD"}


class Office:
    """A desk whose people and service account call the API, each with a fresh token."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.callers: dict[str, Caller] = {}

    def __getattr__(self, name: str) -> Caller:
        if name not in self.callers:
            user = getattr(self.desk, name, None) or getattr(self.desk.world, name)
            self.callers[name] = Caller(user, self.desk.world.tenant)
        return self.callers[name]

    def propose(self, **fields) -> str:
        """A refund with its dry run; its wire id."""
        answer = self.service.post("actions/", REFUND | fields)
        assert answer.status_code == 201, answer.content
        run_due()
        return answer.json()["action_id"]

    def read(self, action_id: str, who: str = "service") -> dict:
        answer = getattr(self, who).get(f"actions/{action_id}/")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def act(self, who: str, action_id: str, verb: str, body: dict | None = None, **headers: str):
        return getattr(self, who).post(f"actions/{action_id}/{verb}/", body or {}, **headers)

    def approve(self, who: str, action_id: str, **headers: str):
        seen = self.read(action_id, who)["payload_hash"]
        return self.act(who, action_id, "approve", {"payload_hash": seen}, **headers)


@pytest.fixture
def office() -> Office:
    return Office(make_desk())


def own_proposal(desk: Desk) -> str:
    """An action that Ann proposed herself; its wire id."""
    assign_perm("cases.propose_action", desk.ann, desk.world.tenant)
    return desk.propose(actor=desk.ann).wire_id


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# --- proposing -----------------------------------------------------------------------------------------------------


def test_an_action_is_proposed_and_its_dry_run_follows(office):
    answer = office.service.post("actions/", REFUND | {"customer_id": "cust_1", "policy_basis": "the CEO said so"})
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["state"], shown["impact"], shown["required_approvals"]) == ("proposed", "medium", 1)
    assert (shown["payload_hash"], shown["preview"], shown["case_id"]) == (None, None, None)
    run_due()
    shown = office.read(shown["action_id"])
    assert (shown["state"], shown["missing_approvals"]) == ("pending_approval", 1)
    assert (shown["params"], shown["customer_id"]) == ({"order_id": "o_1"}, "cust_1")
    assert shown["policy_basis"] == "the CEO said so"
    assert shown["preview"]["binding"] == {"total": "500.00"}
    assert shown["payload_hash"] == "sha256:" + hashlib.sha256(shown["payload"].encode()).hexdigest()
    assert shown["status_url"].endswith(f"/api/v1/actions/{shown['action_id']}/")


def test_the_same_key_proposes_once(office):
    answers = [office.service.post("actions/", REFUND, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert code_of(office.service.post("actions/", REFUND | {"amount": "1.00"}, Idempotency_Key="k"))[0] == 422
    assert ProposedAction.objects.count() == 1


def test_each_parameter_that_does_not_fit_is_named(office):
    answer = office.service.post("actions/", REFUND | {"params": {"order": "secret-order", "note": 5}})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "params_invalid")
    assert {error["pointer"] for error in problem["errors"]} >= {"/params/order_id", "/params/note"}
    assert "secret-order" not in answer.content.decode()
    assert not ProposedAction.objects.exists()


def test_a_reviewer_may_not_propose_and_the_attempt_is_kept(office):
    assert code_of(office.reviewer.post("actions/", REFUND)) == (403, "not_permitted")
    assert Denial.objects.get().permission == "propose_action"


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"small", "big", "done"}),
        ({"state": "executed"}, {"done"}),
        ({"impact": "high"}, {"big"}),
        ({"action": "issue_refund"}, {"small", "big", "done"}),
        ({"action": "other"}, set()),
        ({"impact": "high", "state": "executed"}, set()),
    ],
)
def test_the_filters_of_the_list(office, query, found):
    ids = {office.propose(): "small", office.propose(amount="4200.00"): "big", office.propose(amount="9.00"): "done"}
    results = office.service.get("actions/", **query).json()["results"]
    assert {ids[row["action_id"]] for row in results} == found


def test_the_actions_of_a_case(office):
    case = office.desk.world.submit(proposed_action=REFUND)
    office.propose()
    results = office.service.get("actions/", case_id=case.wire_id).json()["results"]
    assert [row["case_id"] for row in results] == [case.wire_id]
    assert office.service.get("actions/", case_id=to_wire("case", new_id())).json()["results"] == []


def test_what_waits_for_me_is_what_i_could_sign_now(office):
    desk = office.desk
    small, big = office.propose(), office.propose(amount="4200.00")
    own = own_proposal(desk)
    euros = desk.propose(currency="EUR").wire_id

    def mine(who: str) -> set[str]:
        rows = getattr(office, who).get("actions/", waiting_for_me="true").json()["results"]
        return {row["action_id"] for row in rows}

    assert mine("ann") == {small}
    assert mine("ben") == {small, own}
    assert mine("cara") == {small, big, own}
    assert mine("service") == mine("supervisor") == set()
    assert euros not in mine("cara")
    office.approve("cara", big)
    assert (mine("cara"), mine("dan")) == ({small, own}, {small, big, own})
    office.act("cara", big, "take-back")
    assert big in mine("cara")
    with pretend_now(db_now() + timedelta(days=3)):
        assert not signable_by(desk.cara, [desk.world.tenant.pk], now=db_now()).exists()


def test_a_delegate_sees_what_waits_for_whom_they_stand_in(office):
    desk = office.desk
    away = Membership.objects.get(user=desk.ann)
    away.delegate, away.away_from = desk.world.person("dora", "approver"), db_now() - timedelta(hours=1)
    away.save_as(system_actor(), "away")
    dora = Caller(away.delegate, desk.world.tenant)
    action, of_ann = office.propose(), own_proposal(desk)
    rows = dora.get("actions/", waiting_for_me="true").json()["results"]
    assert [row["action_id"] for row in rows] == [action]
    seen = dora.get(f"actions/{action}/").json()["payload_hash"]
    assert dora.post(f"actions/{action}/approve/", {"payload_hash": seen}).json()["state"] == "approved"
    seen = dora.get(f"actions/{of_ann}/").json()["payload_hash"]
    assert code_of(dora.post(f"actions/{of_ann}/approve/", {"payload_hash": seen})) == (403, "no_authority")


def test_a_reviewer_sees_that_there_is_an_action_and_not_what_is_in_it(office):
    action = office.propose(customer_id="cust_1", policy_basis="because")
    shown = office.read(action, "reviewer")
    assert (shown["state"], shown["impact"]) == ("pending_approval", "medium")
    hidden = ("params", "customer_id", "policy_basis", "payload_hash", "preview", "payload", "problem", "result")
    assert {shown[name] for name in hidden} == {None}
    assert code_of(office.act("reviewer", action, "approve", {"payload_hash": "sha256:" + "0" * 64}))[0] == 403


def test_the_list_costs_the_same_for_one_action_and_for_many(office):
    office.propose()
    office.service.get("actions/")
    with CaptureQueriesContext(connection) as one:
        office.ann.get("actions/", waiting_for_me="true")
    for _ in range(6):
        office.propose(customer_id="c")
    with CaptureQueriesContext(connection) as many:
        office.ann.get("actions/", waiting_for_me="true")
    assert len(many) <= len(one)


def test_one_action_is_read_again_only_where_it_has_changed(office):
    action = office.propose()
    first = office.service.get(f"actions/{action}/")
    known = {"If-None-Match": first["ETag"]}
    assert office.service.get(f"actions/{action}/", headers=known).status_code == 304
    office.approve("ann", action)
    assert office.service.get(f"actions/{action}/", headers=known).status_code == 200


# --- deciding ------------------------------------------------------------------------------------------------------


def test_an_approval_carries_the_action_out_and_callers_learn_that_a_person_signed(office, till):
    action = office.propose()
    shown = office.approve("ann", action).json()
    assert (shown["state"], shown["missing_approvals"]) == ("approved", 0)
    assert shown["signatures"][0]["by"] == str(office.desk.ann)
    run_due()
    shown = office.read(action)
    assert (shown["state"], shown["result"]["reference"]) == ("executed", "till-1")
    assert [signature["by"] for signature in shown["signatures"]] == ["person"]


def test_high_impact_needs_a_token_that_was_just_made(office):
    action = office.propose(amount="4200.00")
    office.cara  # noqa: B018 (its token is made here)
    AuthToken.objects.filter(user=office.desk.cara).update(created=db_now() - timedelta(minutes=16))
    refused = office.approve("cara", action)
    assert code_of(refused) == (403, "step_up_required")
    assert "make a new one" in refused.json()["detail"]
    AuthToken.objects.filter(user=office.desk.cara).update(created=db_now() - timedelta(minutes=14))
    assert office.approve("cara", action).status_code == 200
    AuthToken.objects.filter(user=office.desk.ann).update(created=db_now() - timedelta(days=9))
    assert office.approve("ann", office.propose()).status_code == 200, "medium impact asks for none"


def test_nobody_decides_beyond_their_authority_or_on_their_own_proposal_and_it_is_kept(office):
    big, own = office.propose(amount="4200.00"), own_proposal(office.desk)
    assert code_of(office.approve("ann", big)) == (403, "no_authority")
    assert code_of(office.approve("ann", own)) == (403, "own_proposal")
    assert code_of(office.approve("supervisor", big)) == (403, "no_authority")
    assert list(Denial.objects.values_list("permission", flat=True)) == ["exercise"] * 3
    assert not ActionVote.objects.exists()


@pytest.mark.parametrize("verb", ["approve", "reject", "edit"])
def test_a_stale_hash_is_412_before_any_word_about_the_state(office, verb):
    action = office.propose()
    office.act("ann", action, "reject", {"payload_hash": office.read(action)["payload_hash"], "reason": "no"})
    bodies = {"edit": {"params": {"order_id": "o_2"}, "amount": "1.00", "currency": "USD"}}
    body = bodies.get(verb, {}) | {"payload_hash": "sha256:" + "0" * 64, "reason": "r"}
    assert code_of(office.act("ann", action, verb, body)) == (412, "stale_payload")
    body["payload_hash"] = office.read(action)["payload_hash"]
    assert code_of(office.act("ann", action, verb, body)) == (409, "action_not_waiting")


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "k"}], ids=["plain", "keyed"])
def test_what_has_drifted_is_shown_anew_whether_the_request_has_a_key_or_not(office, key):
    action = office.propose()
    seen = office.read(action)["payload_hash"]
    office.desk.refunds.honours_keys = False
    types.publish(office.desk.refunds, actor=system_actor(), reason="it does not")
    refused = office.act("ann", action, "approve", {"payload_hash": seen}, **key)
    assert code_of(refused) == (412, "stale_payload")
    assert office.read(action)["state"] == "proposed"
    run_due()
    shown = office.read(action)
    assert (shown["state"], shown["payload_hash"] != seen) == ("pending_approval", True)


def test_an_edit_is_a_new_revision_and_not_its_editors_alone_to_sign(office):
    action = office.propose()
    body = {
        "params": {"order_id": "o_2"},
        "amount": "400.00",
        "currency": "USD",
        "payload_hash": office.read(action)["payload_hash"],
        "reason": "o_1 is closed",
    }
    shown = office.act("ann", action, "edit", body).json()
    assert (shown["state"], shown["revision"], shown["preview"]) == ("proposed", 2, None)
    run_due()
    shown = office.approve("ann", action).json()
    assert (shown["state"], shown["missing_approvals"]) == ("pending_approval", 1)
    assert office.approve("ben", action).json()["state"] == "approved"


def test_a_dry_run_that_failed_is_tried_again(office):
    action = office.propose(params={"order_id": "refuse"})
    shown = office.read(action)
    assert (shown["state"], shown["problem"]) == ("preview_failed", "The order is not refundable.")
    assert office.act("service", action, "preview").json()["state"] == "proposed"
    assert code_of(office.act("service", action, "preview")) == (409, "action_not_waiting")


def test_its_proposer_cancels_it_and_an_approver_may_not(office):
    action = office.propose()
    assert office.act("ann", action, "cancel").status_code == 403
    assert office.act("service", action, "cancel", {"reason": "bought again"}).json()["state"] == "cancelled"
    assert code_of(office.act("service", action, "cancel")) == (409, "action_not_waiting")


@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_sign_once(office):
    action = office.propose()
    seen = office.read(action, "ann")["payload_hash"]
    answers = in_parallel(
        [lambda: office.act("ann", action, "approve", {"payload_hash": seen}, Idempotency_Key="k")] * 8
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert ActionVote.objects.count() == 1


# --- reconciling ---------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(office, till) -> str:
    """An action whose answer did not come, at an executor that honours no keys."""
    office.desk.refunds.honours_keys = False
    types.publish(office.desk.refunds, actor=system_actor(), reason="it does not")
    till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    action = office.propose()
    office.approve("ann", action)
    run_due()
    assert office.read(action)["state"] == "unknown"
    return action


def test_a_person_says_what_became_of_it_with_evidence(office, lost):
    assert office.act("ann", lost, "reconcile", {"result": "executed", "evidence": "e"}).status_code == 403
    assert code_of(office.act("supervisor", lost, "reconcile", {"result": "executed"})) == (400, "evidence_missing")
    answer = office.act("supervisor", lost, "reconcile", {"result": "not_executed", "evidence": "the bank says no"})
    assert (answer.json()["state"], answer.json()["result"]["source"]) == ("failed", "person")
    again = office.act("supervisor", lost, "reconcile", {"result": "executed", "evidence": "e"})
    assert code_of(again) == (409, "action_not_waiting")


@pytest.mark.django_db(transaction=True)
def test_a_look_up_settles_it_where_the_executor_knows_and_is_made_outside_of_any_transaction(office, lost, till):
    assert office.act("supervisor", lost, "reconcile", {"look_up": True}).json()["result"]["state"] == "absent"
    inside = []

    def answer() -> Outcome:
        inside.append(connection.in_atomic_block)
        return Outcome("executed", {"reference": "till-7"})

    class Watched(type(till.says)):
        def get(self, name):
            return answer() if name == "look_up" else None

    till.says, before = Watched(), till.says
    try:
        answers = [office.act("supervisor", lost, "reconcile", {"look_up": True}, Idempotency_Key="k") for _ in "ab"]
    finally:
        till.says = before
    assert [(found.status_code, found.json()["state"]) for found in answers] == [(200, "executed")] * 2
    assert answers[1].json()["result"]["reference"] == "till-7"
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert not any(inside)
    assert inside


def test_what_could_take_effect_twice_is_not_sent_again(office, lost, till):
    assert code_of(office.act("supervisor", lost, "reconcile", {"send_again": True})) == (409, "action_not_waiting")
    Execution.objects.update(may_have_arrived=False)
    assert office.act("supervisor", lost, "reconcile", {"send_again": True}).status_code == 200
    till.says.clear()
    run_due()
    assert office.read(lost)["state"] == "executed"


# --- another tenant ------------------------------------------------------------------------------------------------


def test_an_outsider_finds_nothing_of_it_anywhere(office):
    action = office.propose()
    stranger = Office(make_desk("other"))
    assert stranger.service.get("actions/").json()["results"] == []
    assert stranger.cara.get("actions/", waiting_for_me="true").json()["results"] == []
    answers = [
        stranger.act("cara", wire_id, "approve", {"payload_hash": "sha256:" + "0" * 64}, X_Request_ID="same")
        for wire_id in (action, to_wire("act", new_id()), "nonsense")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert not Denial.objects.exists()
    foreign = [
        office.service.post("actions/", REFUND | {"tenant_id": slug}, X_Request_ID="s") for slug in ("other", "no")
    ]
    assert {(answer.status_code, answer.content) for answer in foreign} == {(404, foreign[0].content)}


def test_a_service_account_never_meets_the_action_of_a_challenge(office):
    case = office.desk.world.submit(proposed_action=REFUND)
    type(case).objects.filter(pk=case.pk).update(purpose="challenge")
    action = case.actions.get().wire_id
    assert office.service.get(f"actions/{action}/").status_code == 404
    assert office.service.get("actions/").json()["results"] == []
    assert office.read(action, "ann")["case_id"] == case.wire_id
