"""One cap on friction: how much of a person's work is there to look at the person, and how much more may be.

Whatever gives people such work asks ``share_left`` before it does. What counts stands in ``friction_of``.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from cases.models import Case, Tenant, User

from .. import dose
from ..dose import DEFAULT_PERCENT, FEW, LOOKED_AT
from ..models import FirstOpinion, FrictionCap, Review

_COUNTED = (Review.Kind.DECISION, Review.Kind.VOTE, Review.Kind.SECOND)


@dataclass(frozen=True)
class Friction:
    """Of a person's last ``cases`` reviews, how many were challenges, second votes (a vote on a question that somebody
    else has answered, too), second looks, and real cases of which they gave an opinion before the draft was shown. A
    vote that was asked for blind is one vote. ``percent`` is what the tenant states as the most."""

    percent: int
    cases: int
    challenges: int
    votes: int
    looks: int
    firsts: int = 0

    @property
    def taken(self) -> int:
        return self.challenges + self.votes + self.looks + self.firsts

    @property
    def share(self) -> float:
        return self.taken / max(self.cases, FEW)

    @property
    def left(self) -> float:
        """In [0, 1]: what may still be taken; 0 where one more case of this kind would go beyond the cap."""
        return max(0.0, dose.share_left(self.taken, self.cases, self.percent))


def friction_of(person: User, tenant: Tenant, *, until: datetime | None = None) -> Friction:
    """How it stands now, or stood at ``until``, in two queries."""
    last = Review.objects.filter(reviewer=person, tenant=tenant, kind__in=_COUNTED, superseded_by=None)
    if until is not None:
        last = last.filter(created_at__lt=until)
    own_opinion = FirstOpinion.objects.filter(draft=OuterRef("draft"), person=person)
    last = last.annotate(was_first=Exists(own_opinion)).order_by("-created_at")
    rows = list(last.values_list("kind", "case__purpose", "poll", "was_first")[:LOOKED_AT])
    challenges = sum(purpose == Case.Purpose.CHALLENGE for _, purpose, *_ in rows)
    real = [(kind, poll, was_first) for kind, purpose, poll, was_first in rows if purpose == Case.Purpose.REAL]
    return Friction(
        percent=percent_of(tenant),
        cases=len(rows),
        challenges=challenges,
        votes=sum(poll is not None for _, poll, _ in real),
        looks=sum(kind == Review.Kind.SECOND for kind, *_ in real),
        firsts=sum(was_first and poll is None and kind != Review.Kind.SECOND for kind, poll, was_first in real),
    )


def percent_of(tenant: Tenant) -> int:
    stated = FrictionCap.objects.filter(tenant=tenant).values_list("percent", flat=True).first()
    return DEFAULT_PERCENT if stated is None else stated


def share_left(person: User, tenant: Tenant) -> float:
    """The share of a person's work, in [0, 1], that may still go into looking at them; 0 where nothing may."""
    return friction_of(person, tenant).left
