"""The life of an action: previewed, signed, carried out once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from approvals.errors import (
    ActionExpired,
    ActionNotWaiting,
    AlreadySigned,
    NoAuthority,
    OwnProposal,
    ParamsInvalid,
    ReasonMissing,
    StalePayload,
    StepUpRequired,
    UnknownAction,
)
from approvals.executors import Outcome, PreviewFailed
from approvals.models import ActionJob, ActionVote, Execution, ProposedAction
from approvals.services import authorities, edits, lifetimes, reading, reconciling, signing, types
from approvals.services.edits import Edit
from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import switch
from cases.vocabulary import Depth

from .desks import Desk, fresh, make_desk, make_due, run_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def test_an_action_is_previewed_before_anybody_is_asked(desk, till):
    action = desk.unseen()
    assert (action.state, action.payload_hash) == ("proposed", None)
    run_due()
    action = fresh(action)
    assert (action.state, action.impact, action.required_approvals) == ("pending_approval", "medium", 1)
    assert reading.stored_payload(action).startswith(b'{"action":"issue_refund","action_id":"act_')
    assert action.decide_by <= action.expires_at
    assert not ActionJob.objects.exists()


def test_an_approved_action_is_carried_out_once_with_the_bytes_that_were_signed(desk, till):
    action = desk.approve(desk.propose())
    assert action.state == "approved"
    run_due()
    assert fresh(action).state == "executed"
    assert till.paid[action.wire_id]["amount"] == "420.00"
    assert run_due() == 0
    assert till.count("execute") == 1
    kinds = list(CaseEvent.objects.filter(subject=action.wire_id).order_by("id").values_list("kind", flat=True))
    assert kinds == ["action.pending", "action.approved", "action.sent", "action.executed"]


def test_a_small_action_runs_alone_while_the_switch_is_on(desk, till):
    action = desk.unseen("42.00")
    run_due()
    assert fresh(action).state == "executed"
    assert not ActionVote.objects.exists()


def test_a_small_action_waits_for_a_person_while_automation_is_stopped(desk, till):
    switch.stop(switch.Scope(desk.world.tenant), actor=system_actor(), reason="refunds go wrong")
    action = desk.propose("42.00")
    assert action.state == "pending_approval"
    desk.approve(action)
    run_due()
    assert fresh(action).state == "executed"  # A person signed, and only automation is stopped.


def test_a_stop_holds_what_was_about_to_run_alone_and_a_freeze_what_people_signed(desk, till):
    alone = desk.unseen("42.00")
    assert run_due(1) == 1
    switch.stop(switch.Scope(desk.world.tenant), actor=system_actor(), reason="stop")
    run_due()
    assert fresh(alone).state == "approved"
    assert "stop" in ActionJob.objects.get(action=alone).waits_for
    signed = desk.approve(desk.propose())
    switch.stop(switch.Scope(desk.world.tenant), actor=system_actor(), reason="freeze", depth=Depth.DISPATCH)
    run_due()
    assert fresh(signed).state == "approved"
    switch.resume(switch.Scope(desk.world.tenant), actor=system_actor(), reason="over")
    make_due(alone)
    make_due(signed)
    run_due()
    assert {fresh(alone).state, fresh(signed).state} == {"executed"}


def test_two_people_sign_what_is_high_and_nobody_twice(desk, till):
    action = desk.propose("4200.00")
    assert (action.impact, action.required_approvals) == ("high", 2)
    action = desk.approve(action, desk.cara)
    assert action.state == "pending_approval"
    with pytest.raises(AlreadySigned):
        desk.approve(action, desk.cara)
    assert desk.approve(action, desk.dan).state == "approved"
    run_due()
    assert till.count("execute") == 1


def test_nobody_signs_beyond_their_authority_or_without_any(desk):
    action = desk.propose("4200.00")
    for person in (desk.ann, desk.world.supervisor):
        with pytest.raises(NoAuthority):
            desk.approve(action, person)
    with pytest.raises(Denied):
        desk.approve(action, make_desk("other").cara)
    with pytest.raises(NoAuthority):
        desk.approve(desk.propose("420.00", currency="EUR"), desk.ann)


def test_a_superuser_is_not_exempt(desk):
    desk.ann.is_superuser = True
    desk.ann.save()
    own = desk.propose(actor=desk.ann)
    with pytest.raises(OwnProposal):
        desk.approve(own, desk.ann)
    with pytest.raises(NoAuthority):
        desk.approve(desk.propose("4200.00"), desk.ann)


def test_high_impact_needs_a_recent_sign_in(desk):
    action = desk.propose("4200.00")
    for at in (None, db_now() - timedelta(hours=1)):
        with pytest.raises(StepUpRequired):
            desk.approve(action, desk.cara, signed_in_at=at)
    assert desk.approve(desk.propose(), desk.ann, signed_in_at=None).state == "approved"


def test_a_stale_hash_signs_nothing(desk):
    action = desk.propose()
    with pytest.raises(StalePayload):
        signing.approve(action.pk, actor=desk.ann, payload_hash=b"x" * 32)
    with pytest.raises(StalePayload):
        signing.reject(action.pk, actor=desk.ann, payload_hash=None, reason="no")
    assert not ActionVote.objects.exists()


def test_a_rejection_needs_a_reason_and_ends_it(desk, till):
    action = desk.propose()
    seen = bytes(action.payload_hash)
    with pytest.raises(ReasonMissing):
        signing.reject(action.pk, actor=desk.ann, payload_hash=seen, reason="  ")
    signing.reject(action.pk, actor=desk.ann, payload_hash=seen, reason="wrong order")
    assert fresh(action).state == "rejected"
    with pytest.raises(ActionNotWaiting):
        desk.approve(action)
    run_due()
    assert till.count("execute") == 0


def test_an_edit_is_previewed_and_signed_anew_and_not_by_its_editor_alone(desk, till):
    action = desk.approve(desk.propose("4200.00"), desk.cara)
    change = Edit({"order_id": "o_2"}, Decimal("400.00"), "USD")
    edits.edit(action.pk, change, actor=desk.cara, payload_hash=bytes(action.payload_hash), reason="o_1 is closed")
    run_due()
    edited = fresh(action)
    assert (edited.state, edited.revision, edited.impact, edited.required_approvals) == (
        "pending_approval",
        2,
        "medium",
        1,
    )
    assert bytes(edited.payload_hash) != bytes(action.payload_hash)
    assert desk.approve(edited, desk.cara).state == "pending_approval"
    assert desk.approve(edited, desk.ann).state == "approved"
    run_due()
    assert till.paid[action.wire_id]["params"] == {"order_id": "o_2"}


@pytest.mark.parametrize(
    ("params", "amount", "currency"),
    [
        ({}, "400.00", "USD"),
        ({"order_id": "o_2", "to": "me"}, "400.00", "USD"),
        ({"order_id": "o_2"}, "0", "USD"),
        ({"order_id": "o_2"}, "-1.00", "USD"),
        ({"order_id": "o_2"}, "1.001", "USD"),
        ({"order_id": "o_2"}, "1.5", "JPY"),
        ({"order_id": "o_2"}, "1.00", "XYZ"),
        ({"order_id": "o_1"}, "420.00", "USD"),
    ],
)
def test_an_edit_that_cannot_be_done_is_refused(desk, params, amount, currency):
    action = desk.propose()
    with pytest.raises(ParamsInvalid):
        edits.edit(
            action.pk,
            Edit(params, Decimal(amount), currency),
            actor=desk.ann,
            payload_hash=bytes(action.payload_hash),
            reason="why not",
        )
    assert fresh(action).revision == 1


def test_what_could_never_run_is_refused_when_it_stands_alone(desk):
    with pytest.raises(UnknownAction):
        desk.unseen(action="delete_account")
    with pytest.raises(ParamsInvalid):
        desk.unseen(params={"order": "o_1"})
    assert not ProposedAction.objects.exists()


def test_a_dry_run_that_fails_is_tried_again_and_a_refusal_is_not(desk, till):
    till.says["preview"] = PreviewFailed("down", "The till does not answer.")
    action = desk.propose()
    assert (action.state, action.problem) == ("preview_failed", "The till does not answer.")
    till.says.clear()
    make_due(action)
    run_due()
    assert fresh(action).state == "pending_approval"
    refused = desk.propose(params={"order_id": "refuse"})
    assert refused.state == "preview_failed"
    assert not ActionJob.objects.filter(action=refused).exists()
    edits.retry_preview(refused.pk, actor=desk.ann)
    run_due()
    assert fresh(refused).state == "preview_failed"


def test_a_preview_that_no_longer_holds_is_shown_again(desk, till):
    action = desk.approve(desk.propose())
    till.open_total["total"] = "80.00"
    run_due()
    drifted = fresh(action)
    assert drifted.state == "pending_approval"
    assert till.count("execute") == 0
    assert bytes(drifted.payload_hash) != bytes(action.payload_hash)
    assert signing.counted_votes(drifted) == []
    assert CaseEvent.objects.filter(subject=action.wire_id, kind="action.drifted").count() == 1
    desk.approve(drifted, desk.ben)
    run_due()
    assert till.count("execute") == 1


def test_a_changed_executor_or_rule_returns_an_approved_action_to_people(desk, till):
    action = desk.approve(desk.propose())
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    run_due()
    assert fresh(action).state == "pending_approval"
    desk.approve(action)
    desk.refunds.impact_rules.filter(position=1).update(condition="amount <= 100.0")
    types.publish(desk.refunds, actor=system_actor(), reason="less by one person")
    run_due()
    again = fresh(action)
    assert (again.state, again.impact, again.required_approvals) == ("pending_approval", "high", 2)
    assert till.count("execute") == 0


def test_an_authority_that_was_taken_away_does_not_carry_an_action_out(desk, till):
    action = desk.approve(desk.propose())
    authorities.revoke(desk.small, desk.ann, actor=system_actor(), reason="moved on")
    run_due()
    assert fresh(action).state == "pending_approval"
    assert till.count("execute") == 0
    desk.approve(action, desk.ben)
    run_due()
    assert fresh(action).state == "executed"


def test_an_approval_can_be_taken_back_until_it_is_sent(desk, till):
    slow = make_desk("slow", undo_seconds=60)
    action = slow.approve(slow.propose())
    assert run_due() == 0
    signing.take_back(action.pk, actor=slow.ann, reason="wrong customer")
    assert fresh(action).state == "pending_approval"
    slow.approve(action, slow.ann)
    with pretend_now(db_now() + timedelta(seconds=61)):
        run_due()
    assert fresh(action).state == "executed"
    with pytest.raises(ActionNotWaiting):
        signing.take_back(action.pk, actor=slow.ann)


def test_time_runs_out(desk, till):
    waiting, approved = desk.propose(), desk.approve(desk.propose())
    with pretend_now(db_now() + timedelta(days=3)):
        with pytest.raises(ActionExpired):
            desk.approve(waiting)
        run_due()
        lifetimes.expire_due()
    assert (fresh(waiting).state, fresh(approved).state) == ("expired", "expired")
    assert till.count("execute") == 0


def test_its_proposer_may_call_it_off_and_a_stranger_may_not(desk):
    action = desk.propose()
    with pytest.raises(Denied):
        edits.cancel(action.pk, actor=desk.ann)
    edits.cancel(action.pk, actor=desk.world.service)
    assert fresh(action).state == "cancelled"


def test_a_definite_no_of_the_executor_is_a_failure(desk, till):
    till.says["execute"] = Outcome("failed", {"message": "closed"}, "The executor refused.")
    action = desk.approve(desk.propose())
    run_due()
    assert (fresh(action).state, fresh(action).problem) == ("failed", "The executor refused.")


def test_an_answer_that_did_not_come_is_unknown_and_looked_up(desk, till):
    def pays_and_is_cut_off() -> Outcome:
        till.paid["x"] = 1
        return Outcome("unknown", {}, "No answer came in time.")

    till.says["execute"] = pays_and_is_cut_off
    action = desk.approve(desk.propose())
    run_due()
    assert fresh(action).state == "unknown"
    till.says["look_up"] = Outcome("executed", {"reference": "till-9"})
    make_due(action)
    run_due()
    assert fresh(action).state == "executed"
    assert till.count("execute") == 1


def test_what_the_executor_never_saw_is_sent_again_under_the_same_key(desk, till):
    till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    action = desk.approve(desk.propose())
    run_due()
    till.says.clear()
    make_due(action)
    run_due()
    assert fresh(action).state == "executed"
    assert [key for verb, key in till.calls if verb == "execute"] == [action.wire_id] * 2
    assert (Execution.objects.count(), Execution.objects.get().attempts) == (1, 2)


def test_an_executor_that_honours_no_keys_is_never_asked_twice(desk, till):
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    action = desk.approve(desk.propose())
    run_due()
    for _ in range(10):
        make_due(action)
        run_due()
    assert (fresh(action).state, till.count("execute")) == ("unknown", 1)
    assert not ActionJob.objects.exists()  # From here on it is a person's.


def test_what_certainly_was_not_sent_is_sent_again_whatever_the_executor_honours(desk, till):
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    till.says["execute"] = Outcome("unknown", {}, "The connection was refused.", was_sent=False)
    action = desk.approve(desk.propose())
    run_due()
    till.says.clear()
    make_due(action)
    run_due()
    assert (fresh(action).state, till.count("execute")) == ("executed", 2)


def test_a_person_reconciles_with_evidence(desk, till):
    desk.refunds.honours_keys = False
    types.publish(desk.refunds, actor=system_actor(), reason="it does not")
    till.says["execute"] = Outcome("unknown", {}, "The connection broke.")
    first, second = (desk.approve(desk.propose()) for _ in range(2))
    run_due()
    with pytest.raises(Denied):
        reconciling.mark(first.pk, is_executed=True, actor=desk.ann, evidence="I saw it")
    assert reconciling.look_up(first.pk, actor=desk.world.supervisor).state == "absent"
    assert fresh(first).state == "unknown"  # A request may still be on its way: only a person says that it is not.
    reconciling.mark(first.pk, is_executed=False, actor=desk.world.supervisor, evidence="the bank says no")
    reconciling.mark(second.pk, is_executed=True, actor=desk.world.supervisor, evidence="statement 12, line 4")
    assert (fresh(first).state, fresh(second).state) == ("failed", "executed")
    with pytest.raises(ActionNotWaiting):
        reconciling.mark(first.pk, is_executed=True, actor=desk.world.supervisor, evidence="changed my mind")


def test_the_rule_of_reach_is_the_same_in_sql_and_in_python(desk):
    everywhere = [
        desk.unseen(amount, currency=currency)
        for amount, currency in (("500.00", "USD"), ("500.01", "USD"), ("42.00", "EUR"), ("9000.00", "USD"))
    ]
    everywhere.append(desk.unseen(None))
    desk.large.is_active = False
    desk.large.save_as(system_actor())
    for action in everywhere:
        for code in ("", "small", "nobodys"):
            action.authority_code = code
            in_python = [one for one in desk.refunds.authorities.all() if one.reaches(action)]
            assert set(authorities.reaching(action)) == set(in_python)
