"""Carrying out what a second person has confirmed about somebody's roles."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from ..models import ChangeRequest, Membership, Tenant
from .changes import Second
from .members import save_membership


class RoleChange:
    """Through ``members.save_membership``, which lets nobody confirm roles of their own."""

    model = Membership

    @staticmethod
    def subjects(tenant: Tenant, user_id: UUID) -> QuerySet[Membership]:
        """A membership has no key that a wish could hold before it is there: its person names it."""
        return Membership.objects.filter(tenant=tenant, user=user_id)

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        membership = RoleChange.subjects(asked.tenant, asked.subject_id).first()
        membership = membership or Membership(tenant=asked.tenant, user_id=asked.subject_id)
        said = asked.document
        membership.roles, membership.is_active = said["roles"], said["is_active"]
        membership.away_from, membership.away_until = (
            parse_datetime(said[name]) if said[name] else None for name in ("away_from", "away_until")
        )
        membership.delegate_id = said["delegate"]
        save_membership(membership, actor=second.by, reason=second.reason, second=second)
