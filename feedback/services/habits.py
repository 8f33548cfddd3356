"""How closely people look, from what is recorded of their decisions anyway. Only reads; bounded; a fixed number of
queries however many people they are."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Length

from cases.models import Case, Tenant, User
from cases.vocabulary import Verdict

from ..blind import Anchoring, Turn, anchoring, turn
from ..habits import Dwelt, Habits, Look, Share, habits
from ..models import ChallengeResult, FirstOpinion, Review, TrainingAlert
from .dwells import dwelt_since
from .friction import PEOPLE, Friction, friction_of_team

WINDOW = timedelta(days=30)
LOOKS = 5_000  # of a tenant; the latest
OPINIONS = 2_000
_KINDS = (Review.Kind.DECISION, Review.Kind.VOTE)


@dataclass(frozen=True)
class Person:
    name: str
    habits: Habits
    friction: Friction


def of_person(person: User, tenant: Tenant, *, now: datetime) -> Habits:
    """One's own, of the past ``WINDOW``."""
    found = _habits(tenant, now - WINDOW, Q(reviewer=person), Q(person=person), person=person.pk)
    return found.get(person.pk) or habits([], caught=Share(0, 0), anchored=Anchoring())


def of_team(tenant: Tenant, *, now: datetime) -> list[Person]:
    """Everybody's who decided something in the past ``WINDOW``, in the order of their names."""
    found = _habits(tenant, now - WINDOW, Q(), Q())
    people = list(User.objects.filter(pk__in=found).order_by("first_name", "last_name", "username")[:PEOPLE])
    taken = friction_of_team(people, tenant)
    return [Person(str(user), found[user.pk], taken[user.pk]) for user in people]


def _habits(
    tenant: Tenant, since: datetime, of_review: Q, of_person: Q, *, person: UUID | None = None
) -> dict[UUID, Habits]:
    looks = _looks(tenant, since, of_review, dwelt_since(tenant, since, most=LOOKS, person=person))
    caught, turns = _caught(tenant, since, of_person), _turns(tenant, since, of_person)
    return {
        key: habits(seen, caught=caught.get(key, Share(0, 0)), anchored=anchoring(turns[key]))
        for key, seen in looks.items()
    }


def _looks(tenant: Tenant, since: datetime, whose: Q, dwelt: Mapping[int, Dwelt]) -> dict[UUID, list[Look]]:
    """The reviews of real cases with a draft, newest first, by person."""
    texts = (("user_question", "case__content__body"), ("model_draft", "draft__content__body"))
    question, draft = (Coalesce(Length(KeyTextTransform(key, body)), Value(0)) for key, body in texts)
    rows = (
        Review.objects.filter(whose, tenant=tenant, kind__in=_KINDS, superseded_by=None, created_at__gte=since)
        .filter(case__purpose=Case.Purpose.REAL, draft__is_absent=False)
        .order_by("-created_at")
        .annotate(characters=question + draft)
        .values_list("reviewer", "verdict", "handling_seconds", "characters", "generation")
    )
    found: dict[UUID, list[Look]] = defaultdict(list)
    for person, verdict, seconds, characters, generation in rows[:LOOKS]:
        found[person].append(Look(verdict == Verdict.ACCEPT, seconds, characters, dwelt.get(generation)))
    return found


def _caught(tenant: Tenant, since: datetime, whose: Q) -> dict[UUID, Share]:
    results = ChallengeResult.objects.filter(whose, tenant=tenant, judged_at__gte=since).exclude(
        alert__outcome=TrainingAlert.Outcome.CHALLENGE_WRONG
    )
    rows = results.order_by().values("person").annotate(met=Count("pk"), found=Count("pk", filter=Q(is_caught=True)))
    return {row["person"]: Share(row["found"], row["met"]) for row in rows}


def _turns(tenant: Tenant, since: datetime, whose: Q) -> dict[UUID, list[Turn]]:
    """What became of the first opinions that can be compared with the AI's decision."""
    decided = Review.objects.filter(
        draft=OuterRef("draft"), reviewer=OuterRef("person"), kind__in=_KINDS, superseded_by=None
    )
    opinions = FirstOpinion.objects.filter(
        whose, tenant=tenant, created_at__gte=since, case__purpose=Case.Purpose.REAL
    ).exclude(decision="")
    rows = opinions.annotate(final=Subquery(decided.order_by("-id").values("final_decision")[:1]))
    found: dict[UUID, list[Turn]] = defaultdict(list)
    values = rows.exclude(final=None).order_by("-created_at")
    for person, first, ais, final in values.values_list("person", "decision", "draft__model_decision", "final")[
        :OPINIONS
    ]:
        if ais:
            found[person].append(turn(first, ais, final))
    return found
