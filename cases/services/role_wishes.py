"""What is asked of a second person about roles, where the tenant wants four eyes on them: roles that somebody gets.

A role that is taken away never waits, and neither does an absence.
"""

from typing import Any

from ..models import Membership, User
from ..vocabulary import FourEyes, Role
from .changes import Second, SecondNeeded, Wish, needed

KIND = "roles"


def is_second_needed(membership: Membership, *, actor: User, second: Second | None = None) -> bool:
    """Whether saving ``membership`` gives somebody a role, and the tenant wants two people for that."""
    stored = _stored(membership)
    gets = _held(membership) - (_held(stored) if stored else set())
    return bool(gets) and needed(membership.tenant, FourEyes.ROLES, actor, second)


def require_second(membership: Membership, *, actor: User, reason: str, second: Second | None) -> None:
    """Raise ``SecondNeeded`` where saving ``membership`` has to wait."""
    if is_second_needed(membership, actor=actor, second=second):
        raise SecondNeeded(wish_of(membership, actor=actor, reason=reason))


def wish_of(membership: Membership, *, actor: User, reason: str) -> Wish:
    """The membership as a whole. It is known by its person, so that one that is new has a subject too."""
    stored = _stored(membership)
    return Wish(
        kind=KIND,
        tenant=membership.tenant,
        right="change_people",
        subject=membership,
        subject_id=membership.user_id,
        document={
            "roles": membership.roles,
            "is_active": membership.is_active,
            "away_from": membership.away_from,
            "away_until": membership.away_until,
            "delegate": membership.delegate_id,
        },
        actor=actor,
        reason=reason,
        before=_told(stored) if stored else {},
        after=_told(membership),
    )


def _stored(membership: Membership) -> Membership | None:
    return Membership.objects.filter(user=membership.user, tenant=membership.tenant).select_related("delegate").first()


def _held(membership: Membership) -> set[str]:
    return set(membership.roles) if membership.is_active else set()


def _told(membership: Membership) -> dict[str, Any]:
    return {
        "roles": [Role(role).label for role in membership.roles],
        "is active": membership.is_active,
        "away from": membership.away_from,
        "away until": membership.away_until,
        "delegate": str(membership.delegate) if membership.delegate_id else None,
    }
