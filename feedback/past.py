"""What happened to a case before: drafts, reviews, questions to colleagues, the timeline. Everything is bounded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cases.models import Case, CaseEvent, Draft, User
from cases.veil import before_outcome
from cases.vocabulary import Verdict
from cases.worddiff import Chunk, diff
from queues.models import Claim
from queues.services.consults import last_words

from . import exhibits
from .checklist import Finding, as_checked
from .models import Review
from .seeing import hides_votes, reviews_visible_to, without_votes
from .timeline import Line, timeline

EVENTS = 50
CLAIMS = 50
REVIEWS = 20
DRAFTS = 20
CONSULTATIONS = 10
UNDOABLE = (Review.Kind.DECISION, Review.Kind.VOTE)
DIFFED = 20_000  # characters of both texts together, beyond which an edit is shown without its diff

_TEXTS = {
    "notes": "Notes",
    "policy_reason": "Policy reason",
    "missing_evidence": "Missing evidence",
    "better_retrieval_query": "Better search",
}


@dataclass(frozen=True)
class PastReview:
    """A review of this case: its words, and the changes that it made to the draft."""

    who: str
    at: str
    verdict: str
    is_undo: bool
    is_undone: bool
    decision: str
    reason: str
    texts: list[tuple[str, str]]
    wrong: list[str]
    found: list[tuple[str, str]]
    answer: str
    changes: list[Chunk]


class Past:
    """What ``user`` may know of what happened to ``case`` so far. ``clock`` words an instant, ``reasons`` the tenant's
    reason codes; ``hides_outcome``: nothing that anybody has said of the draft. ``has_reviews``: False where nobody has
    reviewed it."""

    def __init__(
        self,
        case: Case,
        user: User,
        clock: Callable[[datetime], str],
        reasons: Mapping[str, str],
        *,
        hides_outcome: bool = False,
        has_reviews: bool = True,
    ) -> None:
        self.case, self.user, self.clock, self.reasons = case, user, clock, reasons
        self.hides_outcome, self.has_reviews = hides_outcome, has_reviews

    @cached_property
    def drafts(self) -> Sequence[Draft]:
        current = self.case.current_draft
        earlier = self.case.drafts.exclude(pk=current.pk).select_related("content", "release")
        return list(earlier.order_by("-number")[:DRAFTS]) if current.number > 1 else []

    @cached_property
    def _reviews(self) -> Sequence[Review]:
        if not self.has_reviews:
            return []
        rows = reviews_visible_to(self.user, Review.objects.filter(case=self.case)).select_related(
            "reviewer", "content", "draft__content", "superseded_by", "poll"
        )
        return list(rows.order_by("-id")[:REVIEWS])

    @property
    def last_decision(self) -> Review | None:
        return next((row for row in self._reviews if row.kind in UNDOABLE), None)

    @property
    def reviews(self) -> list[PastReview]:
        """Without the votes that whoever settles them sees side by side."""
        return [self._review(review) for review in self._reviews if not self._is_side(review)]

    def _is_side(self, review: Review) -> bool:
        return review.kind == Review.Kind.VOTE and review.poll.closed_at is None and review.reviewer_id != self.user.pk

    def _review(self, review: Review) -> PastReview:
        text = review.content.text
        before, after = review.draft.content.text.get("model_draft") or "", text.get("final_answer") or ""
        is_diffed = bool(after) and len(before) + len(after) <= DIFFED
        return PastReview(
            who=str(review.reviewer),
            at=self.clock(review.created_at),
            verdict=Verdict(review.verdict).label,
            is_undo=review.kind == Review.Kind.UNDO,
            is_undone=getattr(review, "superseded_by", None) is not None,
            decision=review.final_decision,
            reason=self.reasons.get(review.reason_code, review.reason_code),
            texts=[(label, text[name]) for name, label in _TEXTS.items() if text.get(name)],
            wrong=text.get("incorrect_evidence") or [],
            found=[
                (name, Finding(finding).label.lower()) for name, finding in as_checked(text.get("checked_evidence"))
            ],
            answer=after,
            changes=diff(before, after) if is_diffed else [],
        )

    @cached_property
    def _events(self) -> Sequence[CaseEvent]:
        events = CaseEvent.objects.filter(case=self.case).select_related("actor", "note")
        if self.hides_outcome:
            events = before_outcome(events)
        return list(events.order_by("-id")[:EVENTS])

    @property
    def escalation(self) -> CaseEvent | None:
        """The last time that a reviewer of this case escalated it, with their reason as its note."""
        return next((event for event in self._events if event.kind == CaseEvent.Kind.HANDED_UP), None)

    @cached_property
    def consultations(self) -> list[exhibits.Consulted]:
        """Questions to colleagues and their answers, oldest first: each of them is an event."""
        if self.hides_outcome:
            return []
        is_whole = len(self._events) < EVENTS
        if is_whole and not any(event.kind == CaseEvent.Kind.CONSULTED for event in self._events):
            return []
        return [exhibits.consulted(row, self.clock) for row in last_words(self.case.pk, CONSULTATIONS)]

    @cached_property
    def timeline(self) -> list[Line]:
        claims = Claim.objects.filter(case=self.case).select_related("user").order_by("-generation")
        if self.hides_outcome:
            claims = claims.filter(user=self.user)
        events, claims = self._events, claims[:CLAIMS]
        if any(event.kind in CaseEvent.OF_VOTES for event in events) and hides_votes(self.user, self.case):
            events, claims = without_votes(events, claims, self.user)
        return timeline(reversed(events), reversed(claims), reversed(self._reviews))

    @property
    def timed(self) -> list[tuple[str, Line]]:
        return [(self.clock(line.at), line) for line in self.timeline]
