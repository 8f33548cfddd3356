"""One cap on friction: how much of a person's work is there to look at the person, and how much more may be.

Whatever gives people such work asks ``share_left`` before it does. What counts stands in ``friction_of``.
"""

from dataclasses import dataclass

from cases.models import Case, Tenant, User

from .. import dose
from ..dose import DEFAULT_PERCENT, FEW, LOOKED_AT
from ..models import FrictionCap, Review

_COUNTED = (Review.Kind.DECISION, Review.Kind.VOTE, Review.Kind.SECOND)


@dataclass(frozen=True)
class Friction:
    """Of a person's last ``cases`` reviews, how many were challenges, second votes (a vote on a question that somebody
    else has answered, too) and second looks. ``percent`` is what the tenant states as the most."""

    percent: int
    cases: int
    challenges: int
    votes: int
    looks: int

    @property
    def taken(self) -> int:
        return self.challenges + self.votes + self.looks

    @property
    def share(self) -> float:
        return self.taken / max(self.cases, FEW)

    @property
    def left(self) -> float:
        """In [0, 1]: what may still be taken; 0 where one more case of this kind would go beyond the cap."""
        return max(0.0, dose.share_left(self.taken, self.cases, self.percent))


def friction_of(person: User, tenant: Tenant) -> Friction:
    """How it stands now, in two queries."""
    last = Review.objects.filter(reviewer=person, tenant=tenant, kind__in=_COUNTED, superseded_by=None)
    rows = list(last.order_by("-created_at").values_list("kind", "case__purpose", "poll")[:LOOKED_AT])
    challenges = sum(purpose == Case.Purpose.CHALLENGE for _, purpose, _ in rows)
    real = [(kind, poll) for kind, purpose, poll in rows if purpose == Case.Purpose.REAL]
    return Friction(
        percent=percent_of(tenant),
        cases=len(rows),
        challenges=challenges,
        votes=sum(poll is not None for _, poll in real),
        looks=sum(kind == Review.Kind.SECOND for kind, _ in real),
    )


def percent_of(tenant: Tenant) -> int:
    stated = FrictionCap.objects.filter(tenant=tenant).values_list("percent", flat=True).first()
    return DEFAULT_PERCENT if stated is None else stated


def share_left(person: User, tenant: Tenant) -> float:
    """The share of a person's work, in [0, 1], that may still go into looking at them; 0 where nothing may."""
    return friction_of(person, tenant).left
