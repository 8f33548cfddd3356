"""The sides of a disagreement, beside one another, for whoever settles it: taken as they are, merged or left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.models import Case, User
from cases.permissions import allowed
from cases.vocabulary import Verdict
from cases.worddiff import Chunk, diff
from queues.models import Entry

from .models import Poll, Review
from .quorum import Standing
from .seeing import reviews_visible_to
from .services.votes import standing_votes

DIFFED = 20_000  # characters of both texts together, beyond which a text is shown without its changes


@dataclass(frozen=True)
class Side:
    """One vote: what it says, and why. ``start`` is what the decision form holds for whoever starts from it."""

    review_id: UUID
    number: int
    who: str
    at: str
    verdict: str
    decision: str
    reason: str
    notes: str
    answer: str
    changes: Sequence[Chunk]
    start: Mapping[str, str]


@dataclass(frozen=True)
class Sides:
    """``may_strike``: the person supervises the queue, and may take a vote out for cause."""

    is_text: bool
    why: str
    each: Sequence[Side]
    may_strike: bool

    def named(self, review_id: str) -> Side | None:
        return next((side for side in self.each if str(side.review_id) == review_id), None)


def sides_of(
    case: Case, entry: Entry | None, user: User, clock: Callable[[datetime], str], reasons: Mapping[str, str]
) -> Sides | None:
    """What ``user`` may weigh; None where nothing is to be settled, or not by them. ``clock`` words an instant and
    ``reasons`` are the tenant's codes."""
    if entry is None or not entry.for_adjudicator:
        return None
    poll = Poll.objects.filter(case=case, closed_at=None).select_related("queue__tenant").first()
    if poll is None:
        return None
    votes = standing_votes(poll)
    seen = list(reviews_visible_to(user, votes).select_related("reviewer", "content", "draft__content"))
    if len(seen) != votes.count():
        return None  # Who has voted sees their own, and settles nothing.
    each = [_side(number, review, clock, reasons) for number, review in enumerate(seen, start=1)]
    return Sides(poll.standing == Standing.TEXT, poll.why, each, allowed(user, "supervise_queue", poll.queue))


def _side(number: int, review: Review, clock: Callable[[datetime], str], reasons: Mapping[str, str]) -> Side:
    text, shown = review.content.text, review.draft.content.text.get("model_draft") or ""
    answer = text.get("final_answer") or ""
    is_diffed = bool(answer) and len(shown) + len(answer) <= DIFFED
    notes = [text.get(name) or "" for name in ("policy_reason", "notes")]
    return Side(
        review_id=review.pk,
        number=number,
        who=str(review.reviewer),
        at=clock(review.created_at),
        verdict=Verdict(review.verdict).label,
        decision=review.final_decision,
        reason=reasons.get(review.reason_code, review.reason_code),
        notes="\n".join(note for note in notes if note),
        answer=answer,
        changes=diff(shown, answer) if is_diffed else (),
        start={name: value for name, value in _start(review, answer, shown).items() if value},
    )


def _start(review: Review, answer: str, draft: str) -> dict[str, str]:
    return {
        "final_answer": answer or draft,
        "final_decision": review.final_decision,
        "reason_code": review.reason_code,
    }
