"""Who may approve what: authority as rows that are given, taken and asked anew at every signature and every execution.

``permissions.allowed`` lets superusers pass, and here nobody passes: an authority counts only for an active member of
its tenant to whom it was granted, or who stands in for such a member.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from guardian.shortcuts import assign_perm, remove_perm

from cases.clock import db_now
from cases.models import Membership, User
from cases.permissions import require
from cases.services.changes import Second
from cases.services.members import stands_in_for
from cases.vocabulary import Risk

from ..errors import GrantRefused
from ..models import (
    ApprovalAuthority,
    AuthorityGrant,
    AuthorityGroupPermission,
    AuthorityUserPermission,
    ProposedAction,
)
from .wishes import require_second_for_authority, require_second_for_grant

EXERCISE = "exercise"


@dataclass(frozen=True)
class Standing:
    """An authority that reaches an action, and whose it is: ``on_behalf_of`` is None for one's own."""

    authority: ApprovalAuthority
    on_behalf_of: User | None = None


def reaching(action: ProposedAction) -> QuerySet[ApprovalAuthority]:
    """The tenant's authorities that reach as far as ``action``: type, impact, amount in the same currency, code."""
    enough = [risk for risk in Risk if risk.rank >= Risk(action.impact).rank]
    found = ApprovalAuthority.objects.filter(
        tenant=action.tenant_id, action_type=action.action_type_id, is_active=True, max_impact__in=enough
    )
    if action.amount is not None:
        found = found.filter(currency=action.currency, max_amount__gte=action.amount)
    if action.authority_code:
        found = found.filter(code=action.authority_code)
    return found.order_by("max_amount", "code")


def standing(actor: User, action: ProposedAction, *, now: datetime) -> Standing | None:
    """The narrowest authority by which ``actor`` may approve ``action`` now, their own before another's."""
    if not (actor.is_person and actor.is_active):
        return None
    if own := _held(reaching(action), actor, action.tenant_id).first():
        return Standing(own)
    for absent in stands_in_for(actor, action.tenant, now):
        if absent.pk == action.proposer_id:
            continue
        if lent := _held(reaching(action), absent, action.tenant_id).first():
            return Standing(lent, absent)
    return None


def still_holds(holder: User, authority: ApprovalAuthority, action: ProposedAction) -> bool:
    """Whether ``authority`` still reaches ``action`` and ``holder`` still holds it, as an active member."""
    return _held(reaching(action).filter(pk=authority.pk), holder, action.tenant_id).exists()


def _held(authorities: QuerySet[ApprovalAuthority], holder: User, tenant_id) -> QuerySet[ApprovalAuthority]:
    return held_by(holder, authorities.filter(tenant=tenant_id))


def held_by(holder: User, authorities: QuerySet[ApprovalAuthority]) -> QuerySet[ApprovalAuthority]:
    """Those of ``authorities`` that were granted to ``holder`` or to a group of theirs; none for whoever left."""
    is_member = Membership.objects.filter(user=holder, is_active=True, tenant__is_active=True, user__is_active=True)
    own = AuthorityUserPermission.objects.filter(user=holder, permission__codename=EXERCISE)
    groups = AuthorityGroupPermission.objects.filter(group__user=holder, permission__codename=EXERCISE)
    return authorities.filter(
        Q(pk__in=own.values("content_object")) | Q(pk__in=groups.values("content_object")),
        tenant__in=is_member.values("tenant"),
    )


def exercisable(actor: User, tenant_ids: Collection[UUID]) -> QuerySet[ApprovalAuthority]:
    """Every active authority that ``actor`` holds themselves in these tenants."""
    return held_by(actor, ApprovalAuthority.objects.filter(tenant__in=list(tenant_ids), is_active=True))


def holders(authorities: Iterable[ApprovalAuthority], *, limit: int = 100) -> list[User]:
    """The active members who hold any of ``authorities`` of one tenant, by name."""
    authorities = list(authorities)
    if not authorities:
        return []
    own = AuthorityUserPermission.objects.filter(content_object__in=authorities, permission__codename=EXERCISE)
    groups = AuthorityGroupPermission.objects.filter(content_object__in=authorities, permission__codename=EXERCISE)
    people = User.objects.filter(
        Q(pk__in=own.values("user")) | Q(groups__in=groups.values("group")),
        kind=User.AccountKind.PERSON,
        is_active=True,
        memberships__tenant=authorities[0].tenant_id,
        memberships__is_active=True,
    )
    return list(people.distinct().order_by("username")[:limit])


def own_holders(authority: ApprovalAuthority, *, limit: int = 100) -> list[User]:
    """The people to whom it was given themselves; ``counts`` says whether they are active members still."""
    own = authority.authorityuserpermission_set.filter(permission__codename=EXERCISE)
    is_member = Membership.objects.filter(user=OuterRef("pk"), tenant=authority.tenant_id, is_active=True)
    people = User.objects.filter(pk__in=own.values("user")).annotate(counts=Exists(is_member) & Q(is_active=True))
    return list(people.order_by("username")[:limit])


def group_holders(authority: ApprovalAuthority) -> list[Group]:
    """The role groups whose members hold it."""
    held = authority.authoritygrouppermission_set.filter(permission__codename=EXERCISE)
    return list(Group.objects.filter(pk__in=held.values("group")).order_by("name"))


@transaction.atomic
def save(authority: ApprovalAuthority, *, actor: User, reason: str, second: Second | None = None) -> ApprovalAuthority:
    """Save ``authority``. Raises ``Denied``, and ``SecondNeeded`` where the tenant asks for four eyes."""
    require(actor, "change_action", authority.tenant)
    require_second_for_authority(authority, actor=actor, reason=reason, second=second)
    authority.save_as(actor, reason)
    return authority


@transaction.atomic
def grant(
    authority: ApprovalAuthority, holder: User | Group, *, actor: User, reason: str = "", second: Second | None = None
) -> AuthorityGrant:
    """Give ``authority`` to a person or a role group. Nobody gives one to themselves, alone or with a group.

    Raises ``Denied``, ``GrantRefused``, and ``SecondNeeded`` where the tenant asks for four eyes.
    """
    require(actor, "change_action", authority.tenant)
    _require_grantable(authority, holder, actor)
    require_second_for_grant(authority, holder, actor=actor, reason=reason, second=second)
    return _change(authority, holder, actor=actor, reason=reason, is_granted=True)


@transaction.atomic
def revoke(authority: ApprovalAuthority, holder: User | Group, *, actor: User, reason: str = "") -> AuthorityGrant:
    """Take ``authority`` away, which is one person's; it counts no more from the next signature or execution on."""
    require(actor, "change_action", authority.tenant)
    return _change(authority, holder, actor=actor, reason=reason, is_granted=False)


def _change(authority, holder, *, actor, reason, is_granted) -> AuthorityGrant:
    is_group = isinstance(holder, Group)
    (assign_perm if is_granted else remove_perm)(EXERCISE, holder, authority)
    row = AuthorityGrant(
        authority=authority,
        user=None if is_group else holder,
        group=holder if is_group else None,
        is_granted=is_granted,
        by=actor,
        at=db_now(),
        reason=reason[:200],
    )
    row.save(force_insert=True)
    return row


def _require_grantable(authority: ApprovalAuthority, holder: User | Group, actor: User) -> None:
    if isinstance(holder, Group):
        if not actor.is_system and actor.groups.filter(pk=holder.pk).exists():
            raise GrantRefused("You are in this group, and nobody gives an authority to themselves. Ask a colleague.")
        # Role groups carry their tenant's slug; anybody else's group would reach into another tenant.
        if not holder.name.startswith(f"{authority.tenant.slug}:"):
            raise GrantRefused("This group is not one of the tenant's role groups.")
        return
    if holder.pk == actor.pk:
        raise GrantRefused("Nobody gives an authority to themselves. Ask a colleague who may.")
    if not holder.is_person:
        raise GrantRefused("Only people approve: a service account holds no authority.")
    if not Membership.objects.filter(user=holder, tenant=authority.tenant, is_active=True).exists():
        raise GrantRefused("This person is not an active member of the tenant.")
