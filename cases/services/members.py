"""Memberships: roles and the groups behind them, absence and who stands in."""

from collections.abc import Sequence
from copy import copy
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.module_loading import import_string
from guardian.shortcuts import assign_perm, get_group_perms, remove_perm

from ..errors import NotPermitted
from ..models import ChangeRequest, Membership, Tenant, TenantGroupPermission, User
from ..permissions import TENANT_RIGHTS, Denied, allowed, require
from ..vocabulary import Role
from . import changes
from .changes import Second
from .role_wishes import is_second_needed, require_second, wish_of


class OwnRoles(NotPermitted):
    code = "own_roles"


def role_group(tenant: Tenant, role: str) -> Group:
    """The tenant's group for ``role``, made with its rights when it is missing."""
    group, is_new = Group.objects.get_or_create(name=f"{tenant.slug}:{Role(role).value}")
    if is_new:
        rights = Permission.objects.filter(content_type__app_label="cases", codename__in=TENANT_RIGHTS[Role(role)])
        TenantGroupPermission.objects.bulk_create(
            TenantGroupPermission(group=group, permission=right, content_object=tenant) for right in rights
        )
    return group


@transaction.atomic
def sync_role_rights() -> int:
    """Bring every tenant's role groups in step with ``TENANT_RIGHTS`` after an upgrade; returns how many moved."""
    changed = 0
    for tenant in Tenant.objects.all():
        for role in Role:
            group = role_group(tenant, role)
            held = set(get_group_perms(group, tenant))
            for right in TENANT_RIGHTS[role] - held:
                assign_perm(f"cases.{right}", group, tenant)
            for right in held - TENANT_RIGHTS[role]:
                remove_perm(f"cases.{right}", group, tenant)
            changed += len(TENANT_RIGHTS[role] ^ held)
    return changed


# --- roles ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def assign_roles(user: User, tenant: Tenant, roles: list[str], *, actor: User) -> Membership:
    """Make ``user`` a member with exactly ``roles``: ``save_membership`` for those who only know the roles."""
    require(actor, "change_people", tenant)
    membership = Membership.objects.select_for_update(of=("self",)).filter(user=user, tenant=tenant).first()
    membership = membership or Membership(user=user, tenant=tenant)
    membership.roles = list(roles)
    return save_membership(membership, actor=actor, reason="roles assigned")


@transaction.atomic
def save_membership(membership: Membership, *, actor: User, reason: str, second: Second | None = None) -> Membership:
    """Save ``membership`` as a whole and bring its role groups in step. Nobody changes their own roles.

    Raises ``Denied``, ``OwnRoles``, Django's ``ValidationError`` for roles that do not fit the kind of account and
    for a delegate who holds less authority, and ``SecondNeeded`` where the tenant wants two people for a role that
    somebody gets.
    """
    require(actor, "change_people", membership.tenant)
    membership.roles = sorted({Role(role).value for role in membership.roles})
    check_roles(membership.user, membership.roles)
    if membership.user_id == actor.pk and not actor.is_superuser:
        _refuse_own_roles(membership)
    require_second(membership, actor=actor, reason=reason, second=second)
    _store(membership, actor, reason)
    sync_groups(membership)
    return membership


@transaction.atomic
def add_member(membership: Membership, *, actor: User, reason: str) -> ChangeRequest | None:
    """``save_membership`` for an account that was made in this transaction. Where its roles need a second person it
    comes without them, and what is returned waits: a wish alone would roll the account back."""
    membership.roles = sorted({Role(role).value for role in membership.roles})
    if not is_second_needed(membership, actor=actor):
        save_membership(membership, actor=actor, reason=reason)
        return None
    wanted, membership.roles = membership.roles, []
    check_roles(membership.user, wanted)
    save_membership(membership, actor=actor, reason=reason)
    return changes.ask(wish_of(_with_roles(membership, wanted), actor=actor, reason=reason))


def _with_roles(membership: Membership, roles: list[str]) -> Membership:
    wanted = copy(membership)
    wanted.roles = roles
    return wanted


def _store(membership: Membership, actor: User, reason: str) -> None:
    membership.full_clean()
    check_delegate(membership)
    membership.save_as(actor, reason)


def check_roles(user: User, roles: list[str]) -> None:
    """Machines integrate and people decide; nobody does both under one name."""
    if user.is_service and set(roles) - {Role.INTEGRATION}:
        raise ValidationError({"roles": "A service account has the role Integration and no other."})
    if not user.is_service and Role.INTEGRATION in roles:
        raise ValidationError({"roles": "The role Integration is for service accounts."})


def _refuse_own_roles(membership: Membership) -> None:
    stored = Membership.objects.filter(pk=membership.pk).values("roles", "is_active").first()
    if stored is None or sorted(stored["roles"]) != membership.roles or stored["is_active"] != membership.is_active:
        raise OwnRoles("Nobody changes their own roles: ask another tenant admin. Nothing was changed.")


def sync_groups(membership: Membership) -> None:
    """Bring the user's groups in this tenant in step with the membership."""
    wanted = {role_group(membership.tenant, role) for role in membership.roles} if membership.is_active else set()
    held = set(membership.user.groups.filter(name__startswith=f"{membership.tenant.slug}:"))
    membership.user.groups.remove(*(held - wanted))
    membership.user.groups.add(*(wanted - held))


# --- absence ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def set_absence(
    user: User,
    tenant: Tenant,
    *,
    actor: User,
    away_from: datetime | None,
    away_until: datetime | None = None,
    delegate: User | None = None,
    reason: str = "",
) -> Membership:
    """Say from when until when ``user`` is away and who stands in; without ``away_from`` they are back.

    Everybody may say it of themselves; of others, who may change people or queues. Raises ``Denied``, and Django's
    ``ValidationError`` for times in the wrong order and for a delegate who holds less authority.
    """
    if actor.pk != user.pk and not allowed(actor, "change_people", tenant):
        require(actor, "change_queue", tenant)
    membership = Membership.objects.select_for_update(of=("self",)).filter(user=user, tenant=tenant).first()
    if membership is None:
        raise Denied(actor, "change_people", tenant)
    membership.away_from, membership.away_until, membership.delegate = away_from, away_until, delegate
    _store(membership, actor, reason or "absence")
    return membership


def check_delegate(membership: Membership) -> None:
    """Whoever stands in holds at least the same authority. Raises Django's ``ValidationError`` with what is missing.

    Rights of the roles are compared here; ``DELEGATE_CHECKS`` are the rooms above, each ``(membership, delegate) ->
    what the delegate lacks, in words``. Asked when the delegate is named: what changes later is shown, not undone.
    """
    if membership.delegate_id is None:
        return
    place = Membership.objects.filter(user=membership.delegate, tenant=membership.tenant, is_active=True).first()
    if place is None or not (membership.delegate.is_active and membership.delegate.is_person):
        raise ValidationError({"delegate": "Choose a person who is an active member here."})
    if membership.away_from and place.is_away(membership.away_from):
        raise ValidationError(
            {"delegate": f"{membership.delegate} is away at that time as well. Choose somebody else."}
        )
    lacks = sorted(_rights(membership) - _rights(place))
    words = dict(Tenant._meta.permissions)
    missing = [f"“{words.get(right, right)}”" for right in lacks]
    for path in settings.DELEGATE_CHECKS:
        missing += import_string(path)(membership, membership.delegate)
    if missing:
        shown = ", ".join(missing[:5]) + (" and more" if len(missing) > 5 else "")
        raise ValidationError({"delegate": f"{membership.delegate} holds less authority: {shown} is missing."})


def _rights(membership: Membership) -> set[str]:
    return set().union(*(TENANT_RIGHTS[Role(role)] for role in membership.roles))


def stands_in_for(user: User, tenant: Tenant, now: datetime) -> Sequence[User]:
    """For whom ``user`` stands in at ``now``: those who are away and named them. They do not pass it on."""
    away = Membership.objects.away(now).filter(tenant=tenant, delegate=user).select_related("user")
    return [membership.user for membership in away.order_by("pk")]


def stand_in_of(user: User, tenant: Tenant, now: datetime) -> User | None:
    """Who has the personal work of ``user`` at ``now``: they themselves, or while they are away their delegate.

    None: they are away and nobody stands in, or their delegate is away too or has left. A delegate's own delegate does
    not count: nobody compared the two.
    """
    away = Membership.objects.away(now).filter(tenant=tenant, user=user).select_related("delegate").first()
    if away is None:
        return user
    if away.delegate is None or not away.delegate.is_active:
        return None
    place = Membership.objects.filter(user=away.delegate, tenant=tenant, is_active=True).first()
    return away.delegate if place and not place.is_away(now) else None
