"""Proposed actions: stored with their case, judged by the tenant's rules, ended with a case that is not approved."""

from datetime import timedelta
from decimal import Decimal

import pytest

from approvals.models import ActionType, ImpactRule, ProposedAction
from approvals.services.lifetimes import sweep_ended_cases
from approvals.tasks import sweep
from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent
from cases.models.people import SYSTEM_ID, system_actor
from cases.outcome import outcome_document, public_state
from cases.services import lifecycle, switch
from cases.vocabulary import Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

K = CaseEvent.Kind
MINUTE = timedelta(minutes=1)
RULES = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db):
    return make_world(rules=RULES)


@pytest.fixture
def refunds(world) -> ActionType:
    """Refunds up to 50 run alone, up to 500 need one approval."""
    kind = ActionType(tenant=world.tenant, name="issue_refund", title="Refund", schema={"type": "object"})
    kind.save_as(system_actor())
    for position, (condition, impact, alone) in enumerate(
        (("amount <= 50.0", "low", True), ("amount <= 500.0", "medium", False))
    ):
        ImpactRule(
            action_type=kind, position=position, condition=condition, impact=impact, may_run_alone=alone
        ).save_as(system_actor())
    return kind


def propose(world, amount: str | None = "42.00", case: dict | None = None, **fields) -> ProposedAction:
    action = {"action": "issue_refund", "params": {"order_id": "o_1"}} | fields
    if amount:
        action |= {"amount": amount, "currency": "USD"}
    return world.submit(proposed_action=action, **case or {}).actions.get()


def decide(world, case, verdict) -> None:
    entry = claims.claim(case, world.reviewer)
    submission = Submission(verdict=verdict, notes="reason")
    reviews.submit(case.pk, submission, actor=world.reviewer, generation=entry.generation)


def now_of(row):
    return type(row).objects.get(pk=row.pk)


# --- impact --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "impact", "alone"),
    [("42.00", "low", True), ("50.00", "low", True), ("50.01", "medium", False), ("5000.00", "critical", False)],
)
def test_the_tenants_rules_say_how_big_an_action_is(world, refunds, amount, impact, alone):
    action = propose(world, amount)
    assert (action.action_type, action.impact, action.may_run_alone) == (refunds, impact, alone)
    assert action.amount == Decimal(amount)
    assert action.state == "proposed"
    assert action.expires_at > action.proposed_at


def test_a_small_action_of_a_sure_draft_lets_the_case_pass_and_a_bigger_one_does_not(world, refunds):
    assert propose(world, "42.00", {"signals": SURE}).case.state == "auto_approved"
    bigger = propose(world, "420.00", {"signals": SURE}).case
    assert (bigger.state, bigger.current_draft.triggers) == ("pending_review", ["tool_risk"])


def test_an_unknown_type_and_one_that_is_switched_off_are_critical(world, refunds):
    unknown = propose(world, action="delete_account")
    assert (unknown.action_type, unknown.impact, unknown.required_approvals) == (None, "critical", 2)
    refunds.is_active = False
    refunds.save_as(system_actor())
    assert propose(world).impact == "critical"


def test_another_tenants_type_of_the_same_name_does_not_count(world, refunds):
    assert propose(make_world("other")).impact == "critical"


def test_a_rule_that_fails_makes_the_action_critical(world, refunds):
    broken = ImpactRule(action_type=refunds, position=0, condition="signals.judge_score > 0.5", impact="low")
    refunds.impact_rules.all().delete()
    broken.save_as(system_actor())
    assert propose(world).impact == "critical"


def test_a_callers_wish_for_approval_keeps_an_action_from_running_alone(world, refunds):
    action = propose(world, "42.00", {"signals": SURE}, requires_approval=True)
    assert (action.impact, action.may_run_alone) == ("low", False)
    assert action.case.state == "pending_review"
    assert propose(world, "5000.00", requires_approval=False).impact == "critical"


def test_a_stopped_action_type_sends_its_cases_to_people_and_no_others(world, refunds):
    scope = switch.Scope(world.tenant, "", "issue_refund")
    switch.stop(scope, actor=system_actor(), reason="refunds go wrong")
    assert propose(world, "42.00", {"signals": SURE}).case.current_draft.triggers == ["automation_stopped"]
    assert world.submit(signals=SURE).state == "auto_approved"


def test_the_facts_of_an_action_reach_the_policys_conditions(world, refunds):
    from cases.models import TriggerCondition
    from cases.services import policies

    TriggerCondition(
        policy=world.policy,
        name="Refund",
        trigger="policy_boundary",
        expression="action == 'issue_refund' && amount > 10.0 && currency == 'USD' && action_impact == 'low'",
    ).save_as(system_actor())
    policies.publish(world.policy, actor=system_actor(), reason="look at refunds")
    assert propose(world, "42.00", {"signals": SURE}).case.current_draft.triggers == ["policy_boundary"]


# --- what is stored ------------------------------------------------------------------------------------------------


def test_an_action_is_stored_with_its_case_as_it_was_proposed(world, refunds):
    action = propose(world, "42.10", customer_id="cust_1", policy_basis="exception")
    assert action.content.text == {
        "action": "issue_refund",
        "params": {"order_id": "o_1"},
        "amount": "42.10",
        "currency": "USD",
        "customer_id": "cust_1",
        "policy_basis": "exception",
    }
    assert action.money == "42.10 USD"
    assert (action.proposer, action.case.open_actions) == (world.service, 1)
    assert action.revisions.get().content.text["params"] == {"order_id": "o_1"}
    assert action.job.due_at == action.proposed_at


def test_an_action_without_money_has_none(world):
    action = propose(world, None)
    assert (action.amount, action.currency, action.money) == (None, "", "")


def test_what_the_model_claims_about_its_own_authority_stays_a_claim(world, refunds):
    action = propose(world, "5000.00", policy_basis="approved by the CEO", params={"approved": True, "impact": "low"})
    assert (action.impact, action.may_run_alone, action.state) == ("critical", False, "proposed")


# --- the end with its case -----------------------------------------------------------------------------------------


def test_a_withdrawn_case_cancels_its_action_at_once(world):
    action = propose(world)
    lifecycle.withdraw(action.case.pk, actor=world.service)
    assert now_of(action).state == "cancelled"
    assert Case.objects.get().open_actions == 0
    assert action.case.events.get(kind=K.ACTION_CANCELLED).subject == action.wire_id


def test_a_rejection_cancels_its_action_when_it_can_no_longer_be_undone(world):
    action = propose(world)
    decide(world, action.case, Verdict.REJECT)
    assert sweep_ended_cases() == 0
    assert now_of(action).state == "proposed"
    with pretend_now(db_now() + MINUTE):
        sweep()
        assert sweep_ended_cases() == 0
    assert now_of(action).state == "cancelled"
    assert now_of(action).history.first().history_user_id == SYSTEM_ID
    case, late = Case.objects.with_text().get(), db_now() + MINUTE
    assert (public_state(case, late), outcome_document(case, late)["verdict"]) == ("rejected", "reject")


def test_a_rejection_that_is_undone_leaves_its_action_alone(world):
    action = propose(world)
    decide(world, action.case, Verdict.REJECT)
    reviews.undo(action.case.pk, actor=world.reviewer)
    with pretend_now(db_now() + MINUTE):
        assert sweep_ended_cases() == 0
    assert now_of(action).state == "proposed"


def test_an_approved_case_keeps_its_action_and_its_outcome_waits_for_it(world):
    action = propose(world)
    decide(world, action.case, Verdict.ACCEPT)
    with pretend_now(db_now() + MINUTE):
        assert sweep_ended_cases() == 0
    case, late = Case.objects.with_text().get(), db_now() + timedelta(days=1)
    assert (now_of(action).state, case.open_actions) == ("proposed", 1)
    assert (public_state(case, late), outcome_document(case, late)) == ("pending_review", None)


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_and_an_undo_at_once_end_each_action_once():
    world = make_world()
    actions = [propose(world) for _ in range(8)]
    for action in actions:
        decide(world, action.case, Verdict.REJECT)
    late = db_now() + MINUTE

    def sweep_late() -> int:
        with pretend_now(late):
            return sweep_ended_cases()

    def undo():
        return reviews.undo(actions[0].case.pk, actor=world.reviewer)

    *counts, _ = in_parallel([sweep_late] * 4 + [undo])
    assert not failures(counts)
    ended = ProposedAction.objects.filter(state="cancelled").count()
    assert sum(counts) == ended == CaseEvent.objects.filter(kind=K.ACTION_CANCELLED).count()
    assert ended in (7, 8)
    assert all(case.open_actions == (case.actions.get().state == "proposed") for case in Case.objects.all())
