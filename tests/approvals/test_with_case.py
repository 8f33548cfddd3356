"""An action and its case: decided together or one after the other, and what the end of one does to the other."""

from datetime import timedelta
from decimal import Decimal

import pytest

from approvals.errors import NoAuthority, StalePayload
from approvals.executors import Outcome
from approvals.models import ActionVote, ProposedAction
from approvals.services import authorities, edits, lifetimes, signing
from cases.clock import db_now, pretend_now
from cases.models import Case, Delivery
from cases.models.people import system_actor
from cases.outcome import outcome_document
from cases.services import lifecycle
from cases.vocabulary import Verdict
from feedback.errors import ReviewInvalid
from feedback.models import ReviewDraft
from feedback.services import reviews
from feedback.services.reviews import ActionChoice
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.worlds import SURE

from .desks import Desk, fresh, make_desk, run_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def case_with_refund(desk: Desk, amount: str = "420.00", **fields) -> tuple[Case, ProposedAction]:
    action = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": amount, "currency": "USD"}
    case = desk.world.submit(proposed_action=action, **fields)
    run_due()
    return case, fresh(case.actions.get())


def decide(desk: Desk, case: Case, *choices: ActionChoice, actor=None, verdict=Verdict.ACCEPT):
    actor = actor or desk.world.reviewer
    entry = claims.claim(case, actor)
    return reviews.submit(
        case.pk,
        Submission(verdict=verdict, notes="reason"),
        actor=actor,
        generation=entry.generation,
        choices=choices,
        signed_in_at=db_now(),
    )


def now_of(case: Case) -> Case:
    return Case.objects.with_text().get(pk=case.pk)


def both(desk: Desk):
    """A reviewer who may also sign small refunds."""
    return desk.world.person("rob", "reviewer", "approver", reviews=True)


def test_an_approved_action_waits_for_its_case(desk, till):
    case, action = case_with_refund(desk)
    desk.approve(action)
    run_due()
    assert (fresh(action).state, till.count("execute")) == ("approved", 0)
    decide(desk, case)
    run_due()
    assert fresh(action).state == "executed"
    outcome = outcome_document(now_of(case), db_now())
    assert outcome["verdict"] == "accept"


def test_the_outcome_waits_for_the_action(desk, till):
    case, action = case_with_refund(desk)
    decide(desk, case)
    assert outcome_document(now_of(case), db_now()) is None
    desk.approve(action)
    run_due()
    assert outcome_document(now_of(case), db_now()) is not None


def test_one_submit_decides_the_case_and_signs_its_action(desk, till):
    case, action = case_with_refund(desk)
    rob = both(desk)
    authorities.grant(desk.small, rob, actor=system_actor())
    decide(desk, case, ActionChoice(action.pk, True, bytes(action.payload_hash)), actor=rob)
    run_due()
    assert fresh(action).state == "executed"
    assert ActionVote.objects.get().voter == rob


def test_a_submit_whose_signature_is_refused_decides_nothing(desk, till):
    case, action = case_with_refund(desk)
    rob = both(desk)
    with pytest.raises(NoAuthority):
        decide(desk, case, ActionChoice(action.pk, True, bytes(action.payload_hash)), actor=rob)
    assert now_of(case).state == "pending_review"
    with pytest.raises(StalePayload):
        decide(desk, case, ActionChoice(action.pk, True, b"x" * 32), actor=rob)
    assert now_of(case).state == "pending_review"
    assert ReviewDraft.objects.filter(case=case).exists()


def test_an_action_of_another_case_cannot_be_signed_along(desk):
    case, _ = case_with_refund(desk)
    _, other = case_with_refund(desk)
    with pytest.raises(ReviewInvalid):
        decide(desk, case, ActionChoice(other.pk, True, bytes(other.payload_hash)))


def test_a_reviewer_who_rejects_the_action_with_the_case_reopens_nothing(desk, till):
    case, action = case_with_refund(desk)
    rob = both(desk)
    authorities.grant(desk.small, rob, actor=system_actor())
    decide(desk, case, ActionChoice(action.pk, False, bytes(action.payload_hash), "not owed"), actor=rob)
    case = now_of(case)
    assert (fresh(action).state, case.state, case.open_actions) == ("rejected", "approved", 0)
    assert outcome_document(case, db_now()) is not None


@pytest.mark.parametrize("end", ["failed", "rejected", "expired"])
def test_an_action_that_comes_to_nothing_reopens_its_decided_case(desk, till, end):
    case, action = case_with_refund(desk)
    decide(desk, case)
    if end == "failed":
        till.says["execute"] = Outcome("failed", {}, "The order was charged back.")
        desk.approve(action)
        run_due()
    elif end == "rejected":
        signing.reject(action.pk, actor=desk.ann, payload_hash=bytes(action.payload_hash), reason="not owed")
    else:
        with pretend_now(db_now() + timedelta(days=3)):
            lifetimes.expire_due()
    case = now_of(case)
    assert (fresh(action).state, case.state, case.open_actions) == (end, "pending_review", 0)
    assert Entry.objects.filter(case=case, kind="review").count() == 1
    assert not Delivery.objects.filter(event__case=case, event__kind="case.decided", state="pending").exists()


def test_a_withdrawn_case_takes_its_approved_action_along(desk, till):
    case, action = case_with_refund(desk)
    desk.approve(action)
    lifecycle.withdraw(case.pk, actor=desk.world.supervisor, reason="duplicate")
    run_due()
    assert (fresh(action).state, till.count("execute")) == ("cancelled", 0)


def test_an_undone_decision_holds_the_action_again(desk, till):
    slow = make_desk("slow", undo_seconds=60)
    case, action = case_with_refund(slow)
    decide(slow, case)
    slow.approve(action)
    reviews.undo(case.pk, actor=slow.world.reviewer)

    with pretend_now(db_now() + timedelta(seconds=120)):
        run_due()
    assert (fresh(action).state, till.count("execute")) == ("approved", 0)


def test_a_small_action_of_a_sure_draft_runs_with_nobody(desk, till):
    case, action = case_with_refund(desk, "42.00", signals=SURE)
    assert case.state == "auto_approved"
    run_due()
    assert fresh(action).state == "executed"
    assert outcome_document(now_of(case), db_now())["decided_by"] == "automatic"


def test_a_small_action_of_an_unsure_draft_waits_for_the_reviewer(desk, till):
    case, action = case_with_refund(desk, "42.00")
    run_due()
    assert (fresh(action).state, till.count("execute")) == ("approved", 0)
    decide(desk, case)
    run_due()
    assert fresh(action).state == "executed"


def test_an_action_whose_parameters_are_wrong_is_kept_and_can_be_put_right(desk, till):
    action = {"action": "issue_refund", "params": {"order": "o_1"}, "amount": "420.00", "currency": "USD"}
    case = desk.world.submit(proposed_action=action)
    run_due()
    kept = case.actions.get()
    assert kept.state == "preview_failed"
    assert "order_id" in kept.problem
    edits.edit(
        kept.pk,
        edits.Edit({"order_id": "o_1"}, Decimal("420.00"), "USD"),
        actor=desk.ann,
        payload_hash=None,
        reason="the field has another name",
    )
    run_due()
    assert fresh(kept).state == "pending_approval"
