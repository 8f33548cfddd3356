"""What GPT-4o proposed as an airline's agent, replayed: previewed, gated, decided, carried out once.

The decisions are scripted from the labels: what the task's author expected is approved, anything else is rejected.
"""

from collections import Counter
from typing import Any

import pytest

from approvals.models import ActionType, ApprovalAuthority, Execution, ImpactRule, ProposedAction
from approvals.services import authorities, types
from cases.clock import db_now
from cases.models import Case
from cases.models.people import system_actor
from cases.outcome import outcome_document
from cases.services import bulk, people
from cases.vocabulary import Role, Verdict
from cases.wire.intake import parse_intake
from feedback.services import reviews
from feedback.services.reviews import ActionChoice
from feedback.submission import Submission
from queues.services import claims
from tests import real
from tests.submissions import complete

from .desks import Desk, make_desk, run_due

SET, LINES = "actions_airline", 40  # by default

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300), real.needed]


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return real.records(SET, LINES)


@pytest.fixture
def desk(records) -> Desk:
    """An airline whose every kind of action is of medium impact and needs one signature, with money and without."""
    desk = make_desk(rules={"new_release_reviews": 0, "sampling_share": 0.0})
    reviewer = desk.world.reviewer
    for name in sorted({row["proposed_action"]["action"] for row in records if row.get("proposed_action")}):
        kind = ActionType(
            tenant=desk.world.tenant,
            name=name,
            title=name.replace("_", " ").capitalize(),
            schema={"type": "object"},
            executor_kind="python",
            executor="till",
            honours_keys=True,
        )
        kind.save_as(system_actor(), "created")
        ImpactRule(action_type=kind, position=0, condition="amount <= 10000.0", impact="medium").save_as(system_actor())
        types.publish(kind, actor=system_actor(), reason="created")
        authority = ApprovalAuthority(
            tenant=desk.world.tenant, code=name, name=name, action_type=kind, max_amount=10_000, currency="USD"
        )
        authority.save_as(system_actor(), "created")
        authorities.grant(authority, reviewer, actor=system_actor())
    # In this airline the same people decide cases and actions.
    people.assign_roles(reviewer, desk.world.tenant, [Role.REVIEWER, Role.APPROVER], actor=system_actor())
    return desk


def test_of_what_an_agent_really_proposed_only_the_approved_is_carried_out_and_once(desk, till, records):
    correct = {name: truth["correct"] for name, truth in real.truths(SET).items()}
    sent = [(desk.world.tenant, parse_intake(row)) for row in records]
    bulk.submit(sent, actor=desk.world.service)
    assert Case.objects.count() == len(records)
    run_due(500)
    proposed = {row["external_id"]: row["proposed_action"] for row in records if row.get("proposed_action")}
    actions = {action.case.external_id: action for action in ProposedAction.objects.select_related("case")}
    assert set(actions) == set(proposed)
    assert {action.state for action in actions.values()} == {"pending_approval"}, "each was previewed, and none runs"
    assert (till.count("execute"), till.count("preview")) == (0, len(actions))

    for name, action in actions.items():
        decide(desk, action, is_approved=correct[name])
    for _ in range(2):
        run_due(500)

    approved = {action.wire_id: proposed[name] for name, action in actions.items() if correct[name]}
    assert Counter(key for verb, key in till.calls if verb == "execute") == Counter(dict.fromkeys(approved, 1))
    for key, sent in till.paid.items():
        assert (sent["action"], sent["params"]) == (approved[key]["action"], approved[key]["params"])
    assert Execution.objects.count() == len(approved)
    states = Counter(ProposedAction.objects.values_list("state", flat=True))
    assert states == {"executed": len(approved), "rejected": len(actions) - len(approved)}
    first = next(action for name, action in actions.items() if correct[name])
    case = Case.objects.with_text().get(pk=first.case_id)
    assert outcome_document(case, db_now())["verdict"] == Verdict.ACCEPT


def decide(desk: Desk, action: ProposedAction, *, is_approved: bool) -> None:
    """One submit for the case and its action."""
    case, reviewer = action.case, desk.world.reviewer
    entry = claims.claim(case, reviewer)
    verdict = Verdict.ACCEPT if is_approved else Verdict.REJECT
    reviews.submit(
        case.pk,
        complete(Submission(verdict, notes="as the task's author expected it"), entry),
        actor=reviewer,
        generation=entry.generation,
        choices=(ActionChoice(action.pk, is_approved, bytes(action.payload_hash), "not what was asked for"),),
        signed_in_at=db_now(),
    )
