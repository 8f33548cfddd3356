"""Accounts, memberships and the role groups behind them."""

from datetime import timedelta

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from guardian.shortcuts import assign_perm, get_group_perms, remove_perm
from knox.models import AuthToken

from ..errors import NotPermitted
from ..models import Membership, Tenant, TenantGroupPermission, User
from ..models.people import system_actor
from ..permissions import TENANT_RIGHTS, require
from ..vocabulary import Role


class OwnRoles(NotPermitted):
    code = "own_roles"


TOKEN_LIFE = timedelta(days=90)


def ensure_system_actor(**kwargs) -> None:
    """After each migrate: the row that everything automatic is recorded under."""
    system = system_actor()
    User.objects.get_or_create(
        pk=system.pk,
        defaults={
            "username": system.username,
            "first_name": system.first_name,
            "kind": system.kind,
            "is_active": False,
            "password": "!",
        },
    )


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


@transaction.atomic
def create_tenant(*, actor: User, slug: str, name: str, **settings) -> Tenant:
    """A tenant with its role groups. Automation stays off until somebody resumes it; it needs a policy and queues."""
    tenant = Tenant(slug=slug, name=name, **settings)
    tenant.full_clean()
    tenant.save_as(actor, "tenant created")
    for role in Role:
        role_group(tenant, role)
    return tenant


@transaction.atomic
def assign_roles(user: User, tenant: Tenant, roles: list[str], *, actor: User) -> Membership:
    """Make ``user`` a member with exactly ``roles``; groups follow. Nobody changes their own roles."""
    require(actor, "change_people", tenant)
    if actor.pk == user.pk and not actor.is_superuser:
        raise OwnRoles("Nobody changes their own roles: ask another tenant admin. Nothing was changed.")
    membership = Membership.objects.select_for_update().filter(user=user, tenant=tenant).first()
    membership = membership or Membership(user=user, tenant=tenant)
    membership.roles = sorted(Role(role).value for role in roles)
    membership.full_clean()
    membership.save_as(actor, "roles assigned")
    sync_groups(membership)
    return membership


def sync_groups(membership: Membership) -> None:
    """Bring the user's groups in this tenant in step with the membership."""
    wanted = {role_group(membership.tenant, role) for role in membership.roles} if membership.is_active else set()
    held = set(membership.user.groups.filter(name__startswith=f"{membership.tenant.slug}:"))
    membership.user.groups.remove(*(held - wanted))
    membership.user.groups.add(*(wanted - held))


def issue_token(user: User, *, actor: User, tenant: Tenant, life: timedelta | None = TOKEN_LIFE) -> str:
    """A new API token; its plain text is returned once and only its digest is kept. People may make their own."""
    if actor.pk != user.pk:
        require(actor, "change_people", tenant)
    _, token = AuthToken.objects.create(user=user, expiry=life)
    return token
