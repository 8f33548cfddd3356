"""One cap on friction: how much of a person's work is there to look at the person, and how much more may be.

Work of this kind are challenges, second looks, further votes (on a question that somebody else has answered, or given
blind to the draft because a rule asks for it) and opinions before the draft. What a case needs anyway is none: a first
vote, an adjudication.

The rule: of anybody's last ``LOOKED_AT`` reviews no more than the tenant's stated share is such work. Each door asks
before it gives some: blind first is not drawn, a challenge does not come in, a second look is not given, and a further
vote goes to somebody with room. What is begun and not handed in counts as done. Two kinds of further votes are given
all the same, counted, and said to be beyond the cap (``Poll.is_demanded``): those that a rule asks for because of the
stakes of a case, its risk or the impact of its action; and those for which nobody with room is at work in time, since
a case has a deadline. Who goes to a very case for its vote is not refused it; a second look they are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet

from cases.clock import db_now
from cases.models import Case, CaseEvent, Tenant, User
from queues.models import Claim

from .. import dose
from ..dose import DAY, DEFAULT_PERCENT, FEW, LOOKED_AT
from ..models import FirstOpinion, FrictionCap, PlantedChallenge, Poll, Review, SecondLook
from .lots import may_be_drawn, shares_of

PEOPLE = 500  # of a team that are looked at together
_COUNTED = (Review.Kind.DECISION, Review.Kind.VOTE, Review.Kind.SECOND)
_MEANT_FOR = 30 * DAY  # as long as a challenge can wait for its person
_ENDS = (CaseEvent.Kind.DECIDED, CaseEvent.Kind.WITHDRAWN)
_COLUMNS = ("reviewer", "kind", "case__purpose", "poll", "poll__is_demanded", "is_blind", "was_first", "follows")


@dataclass(frozen=True)
class Friction:
    """Of a person's last ``cases`` reviews, how many were challenges, further votes (``demanded`` of them could not
    be spared), second looks, and cases of which they gave an opinion before the draft was shown. ``percent`` is
    what the tenant states as the most."""

    percent: int
    cases: int = 0
    challenges: int = 0
    votes: int = 0
    looks: int = 0
    firsts: int = 0
    demanded: int = 0

    @property
    def taken(self) -> int:
        return self.challenges + self.votes + self.looks + self.firsts

    @property
    def among(self) -> int:
        """Of how many the share is: somebody with few cases is looked at as if they had more."""
        return max(self.cases, FEW)

    @property
    def share(self) -> float:
        return self.taken / self.among

    @property
    def percent_taken(self) -> int:
        return round(100 * self.share)

    @property
    def is_beyond(self) -> bool:
        """More than is stated: demanded votes alone can do that, or a cap that was lowered since."""
        return 100 * self.taken > self.percent * self.among

    @property
    def left(self) -> float:
        """In [0, 1]: what may still be taken; 0 where one more case of this kind would go beyond the cap."""
        return max(0.0, dose.share_left(self.taken, self.cases, self.percent))


def friction_of(person: User, tenant: Tenant, *, until: datetime | None = None) -> Friction:
    """How it stands now, or stood at ``until``, in two queries."""
    last = _work(tenant).filter(reviewer=person)
    if until is not None:
        last = last.filter(created_at__lt=until)
    rows = list(_described(last).order_by("-created_at").values_list(*_COLUMNS)[:LOOKED_AT])
    return _counted(rows, percent_of(tenant))


def friction_of_team(people: Iterable[User], tenant: Tenant) -> Mapping[UUID, Friction]:
    """How it stands now for each of ``people``, in three queries however many they are."""
    last = _work(tenant).filter(reviewer=OuterRef("pk")).order_by("-created_at").values("pk")[:LOOKED_AT]
    team = User.objects.filter(pk__in=[person.pk for person in people]).annotate(last=ArraySubquery(last))
    keys = [key for own in team.values_list("last", flat=True)[:PEOPLE] for key in own]
    rows: dict[UUID, list[tuple]] = defaultdict(list)
    for row in _described(Review.objects.filter(pk__in=keys)).values_list(*_COLUMNS):
        rows[row[0]].append(row)
    percent = percent_of(tenant)
    return {person.pk: _counted(rows[person.pk], percent) for person in people}


def has_room(person: User, tenant: Tenant, *, at: datetime | None = None) -> bool:
    """Whether one more case of this kind, now or at the instant ``at``, keeps within the cap."""
    found = friction_of(person, tenant, until=at)
    begun = _begun(person, tenant, at or db_now())
    return dose.has_room(found.taken + begun, found.cases + begun, found.percent)


def is_used_up(person: User, tenant: Tenant) -> bool:
    """For ``FRICTION_CAP``: whether ``person`` is to be spared further work of this kind."""
    return not has_room(person, tenant)


def percent_of(tenant: Tenant) -> int:
    stated = FrictionCap.objects.filter(tenant=tenant).values_list("percent", flat=True).first()
    return DEFAULT_PERCENT if stated is None else stated


def share_left(person: User, tenant: Tenant) -> float:
    """The share of a person's work, in [0, 1], that may still go into looking at them; 0 where nothing may."""
    return friction_of(person, tenant).left


# --- what counts ------------------------------------------------------------------------------------------------------


def _work(tenant: Tenant) -> QuerySet[Review]:
    return Review.objects.filter(tenant=tenant, kind__in=_COUNTED, superseded_by=None)


def _described(reviews: QuerySet[Review]) -> QuerySet[Review]:
    """With ``was_first``, an opinion came before the draft, and ``follows``, somebody else's vote came before."""
    own_opinion = FirstOpinion.objects.filter(draft=OuterRef("draft"), person=OuterRef("reviewer"))
    earlier = Review.objects.filter(poll=OuterRef("poll"), kind=Review.Kind.VOTE, pk__lt=OuterRef("pk"))
    others = earlier.exclude(reviewer=OuterRef("reviewer"))
    return reviews.annotate(was_first=Exists(own_opinion), follows=Exists(others))


def _counted(rows: Sequence[tuple], percent: int) -> Friction:
    kinds = Counter(kind for row in rows for kind in _kinds_of(*row[1:]))
    return Friction(percent=percent, cases=len(rows), **kinds)


def _kinds_of(
    kind: str, purpose: str, poll: UUID | None, is_demanded: bool, is_blind: bool, was_first: bool, follows: bool
) -> tuple[str, ...]:
    """The counts of ``Friction`` that one review belongs to. An adjudicator's, not blind, is none."""
    if purpose == Case.Purpose.CHALLENGE:
        return ("challenges",)
    if kind == Review.Kind.SECOND:
        return ("looks",)
    if poll is not None and is_blind and (follows or was_first):
        return ("votes", "demanded") if is_demanded else ("votes",)
    return ("firsts",) if poll is None and was_first else ()


def _begun(person: User, tenant: Tenant, at: datetime) -> int:
    """How many cases of this kind ``person`` had before them at the instant ``at``: meant for them or in their hands,
    and not handed in. Nothing that happens later changes the answer."""
    before_then = CaseEvent.objects.filter(case=OuterRef("case"), kind__in=_ENDS, at__lt=at)
    handed_in = Review.objects.filter(case=OuterRef("case"), reviewer=person, created_at__lt=at)
    planted = PlantedChallenge.objects.filter(
        ~Exists(before_then), ~Exists(handed_in), person=person, tenant=tenant, planted_at__range=(at - _MEANT_FOR, at)
    )
    meant = set(planted.values_list("case", flat=True))
    open_then = Q(ended_at=None) | Q(ended_at__gte=at)
    claims = Claim.objects.filter(open_then, user=person, tenant=tenant, claimed_at__lt=at).select_related("case")
    held = {claim.case_id: claim.case for claim in claims}
    if not held:
        return len(meant)
    looks = SecondLook.objects.filter(open_then, case__in=held, asked_at__lt=at)
    polls = Poll.objects.filter(Q(closed_at=None) | Q(closed_at__gte=at), case__in=held, opened_at__lt=at)
    shares = shares_of(tenant)
    asked = {key for key, case in held.items() if may_be_drawn(case, person, shares)}
    return len(meant | asked | {*looks.values_list("case", flat=True), *polls.values_list("case", flat=True)})
