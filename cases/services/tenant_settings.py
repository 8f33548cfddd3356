"""A tenant's settings. Whoever takes a safeguard away needs a second person for that, or it would guard nothing."""

from typing import Any

from django.db import transaction

from ..models import ChangeRequest, Tenant, User
from ..permissions import require
from ..vocabulary import FourEyes, KeepViews
from .changes import Second, SecondNeeded, Wish

NOT_SETTINGS = {"id", "slug"}


@transaction.atomic
def save_settings(tenant: Tenant, *, actor: User, reason: str, second: Second | None = None) -> Tenant:
    """Save ``tenant`` as it was changed. Raises ``Denied``, and ``SecondNeeded`` where less would need two people."""
    require(actor, "change_tenant", tenant)
    stored = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if second is None and not actor.is_system and _loosens(stored, tenant):
        raise SecondNeeded(
            Wish(
                kind="tenant",
                tenant=stored,
                right="change_tenant",
                subject=stored,
                document=_settings(tenant),
                actor=actor,
                reason=reason,
                before=_settings(stored),
                after=_settings(tenant),
            )
        )
    tenant.save_as(actor, reason)
    return tenant


def _loosens(before: Tenant, after: Tenant) -> bool:
    if FourEyes.RECORDS in before.four_eyes and _kept(after) < _kept(before):
        return True
    return bool(set(before.four_eyes) - set(after.four_eyes)) or before.resume_needs_two > after.resume_needs_two


def _kept(tenant: Tenant) -> int:
    """How much is kept of who looked at what, for comparing."""
    return KeepViews.values.index(tenant.keep_views)


def _settings(tenant: Tenant) -> dict[str, Any]:
    return {f.name: getattr(tenant, f.name) for f in Tenant._meta.concrete_fields if f.name not in NOT_SETTINGS}


class TenantChange:
    """Carries it out through ``save_settings``."""

    model = Tenant

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        tenant = Tenant.objects.get(pk=asked.subject_id)
        for name, value in asked.document.items():
            setattr(tenant, name, value)
        tenant.full_clean()
        save_settings(tenant, actor=second.by, reason=second.reason, second=second)
