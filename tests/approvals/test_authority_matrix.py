"""Who may approve what, over every combination of person, action, amount, currency and a revocation in between.

The expectation is written down here a second time, from the issue and not from the services.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest
from django.db import transaction
from guardian.shortcuts import assign_perm

from approvals.errors import NoAuthority, OwnProposal
from approvals.models import ActionType, ActionVote, ImpactRule, ProposedAction
from approvals.services import authorities, signing, types
from cases.clock import db_now
from cases.errors import NotPermitted
from cases.models import Membership, User
from cases.models.people import system_actor
from cases.permissions import Denied

from .desks import SCHEMA, Desk, fresh, make_desk, run_due

pytestmark = pytest.mark.django_db

LIMIT, CENT = Decimal("500.00"), Decimal("0.01")
AMOUNTS = (LIMIT - CENT, LIMIT, LIMIT + CENT, None)
CURRENCIES = ("USD", "EUR")
ACTIONS = ("issue_refund", "issue_voucher")  # Nobody holds an authority for vouchers.


def holder(desk: Desk) -> User:
    return desk.ann


def by_group(desk: Desk) -> User:
    """Holds it through the role group of a tenant's approvers."""
    person = desk.world.person("gina", "approver")
    group = person.groups.get(name="acme:approver")
    authorities.revoke(desk.small, desk.ann, actor=system_actor())
    authorities.grant(desk.small, group, actor=system_actor())
    return person


def delegate(desk: Desk) -> User:
    """Stands in for Ann, who is away."""
    away = Membership.objects.get(user=desk.ann)
    away.delegate, away.away_from = desk.world.person("dora", "approver"), db_now() - timedelta(hours=1)
    away.save_as(system_actor(), "away")
    return away.delegate


def approver_without(desk: Desk) -> User:
    return desk.world.person("nina", "approver")


def reviewer(desk: Desk) -> User:
    return desk.world.reviewer


def supervisor(desk: Desk) -> User:
    return desk.world.supervisor


def tenant_admin(desk: Desk) -> User:
    return desk.world.person("tina", "tenant_admin")


def superuser(desk: Desk) -> User:
    root = desk.world.person("root", "approver")
    root.is_superuser = True
    root.save()
    return root


def proposer(desk: Desk) -> User:
    """Holds the authority and has proposed the action themselves."""
    assign_perm("cases.propose_action", desk.ann, desk.world.tenant)
    return desk.ann


def service(desk: Desk) -> User:
    return desk.world.service


def left(desk: Desk) -> User:
    """Still holds the authority's row, and is no member any more."""
    Membership.objects.filter(user=desk.ann).update(is_active=False)
    return desk.ann


def closed(desk: Desk) -> User:
    User.objects.filter(pk=desk.ann.pk).update(is_active=False)
    return User.objects.get(pk=desk.ann.pk)


def retired(desk: Desk) -> User:
    """Holds an authority that is out of use."""
    desk.small.is_active = False
    desk.small.save_as(system_actor(), "out of use")
    return desk.ann


def stranger(desk: Desk) -> User:
    """Holds the same in another tenant."""
    return make_desk("other").ann


REACHES = {holder, by_group, delegate}
PEOPLE: tuple[Callable[[Desk], User], ...] = (
    *(holder, by_group, delegate, approver_without, reviewer, supervisor, tenant_admin),
    *(superuser, proposer, service, left, closed, retired, stranger),
)


def may(person: Callable[[Desk], User], action: str, amount: Decimal | None, currency: str) -> bool:
    """Up to 500 USD, the limit included, for refunds; what moves no money needs none of it."""
    in_reach = amount is None or (amount <= LIMIT and currency == "USD")
    return person in REACHES and action == "issue_refund" and in_reach


@pytest.fixture
def desk() -> Desk:
    """Every refund and every voucher is of medium impact, so that the amount alone decides; ``small`` is the only
    authority."""
    desk = make_desk()
    vouchers = ActionType(
        tenant=desk.world.tenant,
        name="issue_voucher",
        title="Voucher",
        schema=SCHEMA,
        executor_kind="python",
        executor="till",
    )
    vouchers.save_as(system_actor(), "created")
    desk.refunds.impact_rules.all().delete()
    for kind in (desk.refunds, vouchers):
        ImpactRule(action_type=kind, position=0, condition="true", impact="medium", approvals=1).save_as(system_actor())
        types.publish(kind, actor=system_actor(), reason="created")
    for gone in (desk.ben, desk.cara, desk.dan):
        for authority in (desk.small, desk.large):
            authorities.revoke(authority, gone, actor=system_actor())
    return desk


def test_an_authority_reaches_as_far_as_it_says_and_only_while_it_is_held(desk, till):
    """Every person meets the same actions, each in a savepoint of their own."""
    offered, wrong = propose_all(desk, desk.world.service), {}
    for person in PEOPLE:
        with transaction.atomic():
            actor = person(desk)
            actions = propose_all(desk, actor) if person is proposer else offered
            for what, action in actions.items():
                expected = may(person, *what)
                if signs(action, actor) != expected:
                    wrong[person.__name__, what] = f"signed: {not expected}"
                elif expected:
                    carried_out(desk, action, is_revoked=True)
                    carried_out(desk, action, is_revoked=False)
                else:
                    assert not ActionVote.objects.filter(action=action).exists()
            transaction.set_rollback(True)
    assert wrong == {}


def propose_all(desk: Desk, actor: User) -> dict[tuple, ProposedAction]:
    """One action for each name, amount and currency; without an amount there is no currency."""
    offered = {what: None for what in product(ACTIONS, AMOUNTS, CURRENCIES) if what[1] or what[2] == CURRENCIES[0]}
    for name, amount, currency in offered:
        money = {"amount": str(amount), "currency": currency} if amount else {"amount": None}
        offered[name, amount, currency] = desk.unseen(**money, action=name, actor=actor)
    run_due()
    return offered


def signs(action: ProposedAction, actor: User) -> bool:
    try:
        signing.approve(action.pk, actor=actor, payload_hash=bytes(fresh(action).payload_hash), signed_in_at=db_now())
    except NotPermitted as refused:
        assert isinstance(refused, NoAuthority | OwnProposal | Denied)
        return False
    return fresh(action).state == "approved"


def carried_out(desk: Desk, action: ProposedAction, *, is_revoked: bool) -> None:
    """The workers execute an approved action, unless its signer has lost the authority since; undone afterwards."""
    with transaction.atomic():
        if is_revoked:
            for grant in desk.small.grants.filter(is_granted=True).select_related("user", "group"):
                authorities.revoke(desk.small, grant.user or grant.group, actor=system_actor(), reason="moved on")
        run_due()
        assert fresh(action).state == ("pending_approval" if is_revoked else "executed")
        transaction.set_rollback(True)


@pytest.mark.parametrize("code", ["small", "large", ""])
def test_a_rule_may_name_the_one_authority_that_counts(desk, code):
    desk.refunds.impact_rules.update(authority_code=code)
    types.publish(desk.refunds, actor=system_actor(), reason="by name")
    assert signs(desk.propose(), desk.ann) == (code != "large")


@pytest.mark.parametrize("impact", ["low", "medium", "high", "critical"])
def test_an_authority_has_a_ceiling_of_impact(desk, impact):
    desk.refunds.impact_rules.update(impact=impact)
    types.publish(desk.refunds, actor=system_actor(), reason="another impact")
    assert signs(desk.propose(), desk.ann) == (impact in ("low", "medium"))
