"""Whether a delegate may sign what somebody may: this room's part of ``DELEGATE_CHECKS``."""

from cases.models import Membership, User

from .authorities import exercisable

NAMED = 5


def lacks(membership: Membership, delegate: User) -> list[str]:
    """The authorities that the away person holds and ``delegate`` does not, in words."""
    theirs = exercisable(membership.user, [membership.tenant_id])
    own = exercisable(delegate, [membership.tenant_id])
    missing = theirs.exclude(pk__in=own.values("pk")).order_by("name")
    return [f"sign “{name}”" for name in missing.values_list("name", flat=True)[:NAMED]]
