"""What the signed-in person may do in each tenant, read once per request: the lists' side of ``permissions.allowed``.

A page asks some forty times (each column, button, filter and menu entry); this is one query. It draws; every write asks
``permissions.require`` again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.http import HttpRequest

from .clock import clock_column, db_now
from .models import AutomationSwitch, Membership, Tenant, TenantGroupPermission, TenantUserPermission, User
from .models.tenants import SANDBOX_ID

SWITCHES = 1_000  # so many scopes are looked at


@dataclass(frozen=True)
class HeldRights:
    """``by_tenant`` holds the active memberships' rights, ``places`` their tenants, both as of ``read_at`` by the
    database's clock; a superuser holds every right."""

    is_superuser: bool = False
    by_tenant: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    places: tuple[Tenant, ...] = ()
    owes_second_factor: bool = False
    read_at: datetime | None = None  # Without a membership nothing was read.

    @cached_property
    def now(self) -> datetime:
        """The database's clock, asked once for everything that a page shows as of now."""
        return self.read_at or db_now()

    @cached_property
    def _every_tenant(self) -> tuple[Tenant, ...]:
        return tuple(Tenant.objects.exclude(pk=SANDBOX_ID))

    @cached_property
    def switches(self) -> tuple[AutomationSwitch, ...]:
        """Every row of the automation switch that concerns the person's tenants, read once: for the frame's banner and
        for the pages under it."""
        mine = ~Q(tenant=SANDBOX_ID) if self.is_superuser else Q(tenant=None) | Q(tenant__in=list(self.by_tenant))
        rows = AutomationSwitch.objects.filter(mine).select_related("tenant", "changed_by")
        return tuple(rows.order_by("pk")[:SWITCHES])

    def has(self, right: str, tenant_id: UUID | None = None) -> bool:
        """Whether ``right`` is held in this tenant, or without one in any."""
        if self.is_superuser:
            return True
        if tenant_id is None:
            return any(right in held for held in self.by_tenant.values())
        return right in self.by_tenant.get(tenant_id, ())

    def tenant_ids(self, right: str) -> list[UUID]:
        """The tenants in which ``right`` is held by a membership; a superuser's is every tenant and not listed here."""
        return [tenant_id for tenant_id, held in self.by_tenant.items() if right in held]

    def within(self, rows: QuerySet, right: str, path: str = "tenant") -> QuerySet:
        """The ``rows`` whose tenant, found at ``path``, grants ``right``. The sandbox's are shown to nobody."""
        if self.is_superuser:
            return rows.exclude(**{path: SANDBOX_ID})
        return rows.filter(**{f"{path}__in": self.tenant_ids(right)})

    def allowed(self, right: str, tenant: Tenant) -> bool:
        """The same question in the words of ``permissions.Rights``, for those who draw what it would allow."""
        return self.has(right, tenant.pk)

    def tenants(self, right: str) -> QuerySet[Tenant]:
        return self.within(Tenant.objects.all(), right, "pk")

    def places_of(self, right: str) -> list[Tenant]:
        """``tenants`` as they are known already, by slug: for a page that names them several times."""
        return [
            tenant
            for tenant in (self._every_tenant if self.is_superuser else self.places)
            if self.has(right, tenant.pk)
        ]

    def sees_several(self) -> bool:
        """Whether lists name the tenant of each row."""
        return self.is_superuser or len(self.by_tenant) > 1


def rights_of(request: HttpRequest) -> HeldRights:
    """The rights of the signed-in person, kept for the length of the request."""
    held = getattr(request, "_rights", None)
    if held is None:
        held = request._rights = read_rights(request.user)
    return held


def read_rights(user: User) -> HeldRights:
    """The rights of ``user``; agrees with ``permissions.allowed`` on every tenant (a test says so)."""
    if not user.is_authenticated or not user.is_active:
        return HeldRights()
    by_group = TenantGroupPermission.objects.filter(content_object=OuterRef("tenant"), group__user=OuterRef("user"))
    by_user = TenantUserPermission.objects.filter(content_object=OuterRef("tenant"), user=OuterRef("user"))
    memberships = (
        Membership.objects.filter(user=user, is_active=True, tenant__is_active=True)
        .annotate(
            group_rights=ArraySubquery(by_group.values("permission__codename")),
            user_rights=ArraySubquery(by_user.values("permission__codename")),
            seen_at=clock_column(),
        )
        .select_related("tenant")
        .order_by("tenant__slug")
    )
    by_tenant, roles, places, owes, read_at = {}, set(), [], settings.SECOND_FACTOR_REQUIRED, None
    for membership in memberships:
        by_tenant[membership.tenant_id] = frozenset([*membership.group_rights, *membership.user_rights])
        roles.update(membership.roles)
        places.append(membership.tenant)
        read_at = membership.seen_at
        owes = owes or not set(membership.roles).isdisjoint(membership.tenant.second_factor_roles)
    return HeldRights(user.is_superuser, by_tenant, frozenset(roles), tuple(places), owes, read_at)
