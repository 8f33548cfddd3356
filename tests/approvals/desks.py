"""A tenant whose refunds are carried out by the tests' till, with people who may sign them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from approvals.models import ActionJob, ActionType, ApprovalAuthority, ImpactRule, ProposedAction
from approvals.services import authorities, jobs, proposals, signing, types, work
from cases.clock import db_now
from cases.models import User
from cases.models.people import system_actor
from tests.snapshots import made_once
from tests.worlds import World, make_world

from .till import Till

# amount up to → impact, approvals, may run alone; above the last: critical, two approvals
LIMITS = ((50, "low", 1, True), (500, "medium", 1, False), (5000, "high", 2, False))
SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "maxLength": 20}, "note": {"type": "string", "maxLength": 200}},
    "required": ["order_id"],
    "additionalProperties": False,
}


@dataclass
class Desk:
    """``ann`` and ``ben`` may sign refunds up to 500 USD of medium impact, ``cara`` and ``dan`` up to 5,000 of high."""

    world: World
    refunds: ActionType
    small: ApprovalAuthority
    large: ApprovalAuthority
    ann: User
    ben: User
    cara: User
    dan: User

    def propose(self, amount: str | None = "420.00", *, actor: User | None = None, **fields: Any) -> ProposedAction:
        """A refund without a case, previewed."""
        action = self.unseen(amount, actor=actor, **fields)
        run_due()
        return fresh(action)

    def unseen(self, amount: str | None = "420.00", *, actor: User | None = None, **fields: Any) -> ProposedAction:
        """A refund without a case, before its dry run."""
        sent: dict[str, Any] = {"action": "issue_refund", "params": {"order_id": "o_1"}} | fields
        if amount is not None:
            sent |= {"amount": amount, "currency": fields.get("currency", "USD")}
        parsed = sent | ({"amount": Decimal(amount)} if amount is not None else {})
        return proposals.propose(self.world.tenant, parsed, sent, actor=actor or self.world.service)

    def approve(self, action: ProposedAction, *people: User, **fields: Any) -> ProposedAction:
        """Signatures of what stands there now, by people who have just signed in."""
        for person in people or (self.ann,):
            seen = fresh(action)
            signing.approve(
                action.pk,
                actor=person,
                payload_hash=bytes(seen.payload_hash),
                **{"signed_in_at": db_now()} | fields,
            )
        return fresh(action)


def make_desk(slug: str = "acme", *, rules: dict[str, Any] | None = None, **settings: Any) -> Desk:
    Till.clear()
    world = make_world(slug, rules=rules, **{"undo_seconds": 0} | settings)
    return made_once(lambda: _made(world), "desk", world.tenant.pk)


def _made(world: World) -> Desk:
    system = system_actor()
    refunds = ActionType(
        tenant=world.tenant,
        name="issue_refund",
        title="Refund",
        schema=SCHEMA,
        executor_kind="python",
        executor="till",
        honours_keys=True,
    )
    refunds.save_as(system, "created")
    for position, (limit, impact, approvals, alone) in enumerate(LIMITS):
        ImpactRule(
            action_type=refunds,
            position=position,
            condition=f"amount <= {limit}.0",
            impact=impact,
            approvals=approvals,
            may_run_alone=alone,
        ).save_as(system, "created")
    types.publish(refunds, actor=system, reason="created")
    small = _authority(world, refunds, "small", 500, "medium")
    large = _authority(world, refunds, "large", 5000, "high")
    people = {name: world.person(name, "approver") for name in ("ann", "ben", "cara", "dan")}
    for name, person in people.items():
        authorities.grant(small if name in ("ann", "ben") else large, person, actor=system)
    return Desk(world, refunds, small, large, **people)


def _authority(world: World, kind: ActionType, code: str, amount: int, impact: str) -> ApprovalAuthority:
    row = ApprovalAuthority(
        tenant=world.tenant,
        code=code,
        name=f"Refunds up to {amount} USD",
        action_type=kind,
        max_amount=amount,
        currency="USD",
        max_impact=impact,
    )
    row.save_as(system_actor(), "created")
    return row


def fresh(action: ProposedAction) -> ProposedAction:
    return ProposedAction.objects.get(pk=action.pk)


def run_due(limit: int = 50) -> int:
    """What the workers would do now; how many steps."""
    return sum(1 for _ in _steps(limit))


def _steps(limit: int) -> Iterator[None]:
    """As ``work.run_next``, but an error in a step is the test's."""
    for _ in range(limit):
        if (job := jobs.lease_next()) is None:
            return
        work.step_of(job)(job)
        yield


def make_due(action: ProposedAction) -> None:
    """As if the wait of its job were over."""
    ActionJob.objects.filter(action=action).update(due_at=db_now() - timedelta(seconds=1), leased_until=None)
