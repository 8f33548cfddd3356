"""Who sees which vote: one rule for the page, the lists, the API and the timeline.

While a question is open, everybody sees their own votes and nobody else's, whatever their role: who is not asked today
may be asked next. Once the votes are split, those who may adjudicate and have no vote in it see all sides. When the
case is decided, who may see its reviews sees its votes; but for whom its outcome is veiled (``cases.veil``), who sees
their own. Webhooks and callers are never told of votes at all
(``CaseEvent.INTERNAL``), and who voted when is told to people as ``permissions.fields_visible_to`` says.
"""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from cases.models import Case, CaseEvent, User
from cases.permissions import tenants_of
from cases.states import State
from cases.veil import veiled
from queues.models import Claim

from .models import Review
from .quorum import WAITS_FOR_ADJUDICATOR

_IS_OPEN = Q(poll__closed_at=None, poll__isnull=False, case__state=State.PENDING_REVIEW)


def reviews_visible_to(actor: User, reviews: QuerySet[Review]) -> QuerySet[Review]:
    """Those of ``reviews`` that ``actor`` may read, by the rule above; the right to see reviews is asked elsewhere."""
    own_votes = Review.objects.filter(poll=OuterRef("poll"), reviewer=actor, kind=Review.Kind.VOTE)
    settles = Q(poll__standing__in=WAITS_FOR_ADJUDICATOR, tenant__in=tenants_of(actor, "adjudicate_case"))
    seen = reviews.filter(~_IS_OPEN | Q(reviewer=actor) | (settles & ~Exists(own_votes)))
    return seen.exclude(veiled(actor, "case"), ~Q(reviewer=actor))


def hides_votes(actor: User, case: Case) -> bool:
    """Whether ``case`` has an open question of whose votes ``actor`` may not even know who gave them."""
    if case.state != State.PENDING_REVIEW:
        return False
    votes = Review.objects.filter(case=case, poll__closed_at=None, poll__isnull=False)
    return votes.exclude(pk__in=reviews_visible_to(actor, votes).values("pk")).exists()


def without_votes(
    events: Iterable[CaseEvent], claims: Iterable[Claim], actor: User
) -> tuple[list[CaseEvent], list[Claim]]:
    """The timeline's rows, in their order, without what others did in an open question."""
    return (
        [event for event in events if event.kind not in CaseEvent.OF_VOTES or event.actor_id == actor.pk],
        [claim for claim in claims if claim.end != Claim.End.VOTED or claim.user_id == actor.pk],
    )
