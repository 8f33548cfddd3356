"""Changing a membership as a whole: roles, activity, absence."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from ..models import Membership, Tenant, User
from ..permissions import require
from ..vocabulary import Role
from .people import OwnRoles, sync_groups


@transaction.atomic
def save_membership(membership: Membership, *, actor: User, reason: str) -> Membership:
    """Save ``membership`` and bring its role groups in step.

    Raises ``Denied``, ``OwnRoles``, and Django's ``ValidationError`` for roles that do not fit the kind of account.
    """
    require(actor, "change_people", membership.tenant)
    membership.roles = sorted({Role(role).value for role in membership.roles})
    check_roles(membership.user, membership.roles)
    if membership.user_id == actor.pk and not actor.is_superuser:
        _refuse_own_roles(membership)
    membership.full_clean()
    membership.save_as(actor, reason)
    sync_groups(membership)
    return membership


def check_roles(user: User, roles: list[str]) -> None:
    """Machines integrate and people decide; nobody does both under one name."""
    if user.is_service and set(roles) - {Role.INTEGRATION}:
        raise ValidationError({"roles": "A service account has the role Integration and no other."})
    if not user.is_service and Role.INTEGRATION in roles:
        raise ValidationError({"roles": "The role Integration is for service accounts."})


def _refuse_own_roles(membership: Membership) -> None:
    stored = Membership.objects.filter(pk=membership.pk).values("roles", "is_active").first()
    if stored is None or sorted(stored["roles"]) != membership.roles or stored["is_active"] != membership.is_active:
        raise OwnRoles("You cannot change your own roles. Ask another tenant admin. Nothing was changed.")


def stands_in_for(user: User, tenant: Tenant, now: datetime) -> list[User]:
    """The active members of ``tenant`` who are away now and named ``user`` as their delegate."""
    absent = Membership.objects.filter(
        delegate=user, tenant=tenant, is_active=True, user__is_active=True, away_from__lte=now
    ).filter(Q(away_until=None) | Q(away_until__gt=now))
    return [membership.user for membership in absent.select_related("user").order_by("away_from", "pk")]
