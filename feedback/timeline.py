"""What happened to a case, in the order in which it happened: events, claims and reviews in one list. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cases.models import CaseEvent
from cases.vocabulary import Route, Verdict
from queues.models import Claim

from .models import Review

_REVIEWED = frozenset(
    {
        CaseEvent.Kind.DECIDED,
        CaseEvent.Kind.DRAFT_REQUESTED,
        CaseEvent.Kind.UNDONE,
        CaseEvent.Kind.AUDITED,
        CaseEvent.Kind.VOTED,
        CaseEvent.Kind.LOOKED_AGAIN,
    }
)


@dataclass(frozen=True)
class Line:
    """One thing that happened. ``what`` is ours; ``detail`` may hold words from outside."""

    at: datetime
    what: str
    who: str
    detail: str = ""


def timeline(events: Iterable[CaseEvent], claims: Iterable[Claim], reviews: Iterable[Review]) -> list[Line]:
    """All of them, oldest first. A review stands for the event that it caused, recorded at the same instant."""
    reviews = list(reviews)
    written = {review.created_at for review in reviews}
    lines = [_of_review(review) for review in reviews]
    lines += [_of_event(event) for event in events if not (event.kind in _REVIEWED and event.at in written)]
    for claim in claims:
        lines.append(Line(claim.claimed_at, "Taken", str(claim.user)))
        if claim.ended_at and claim.end in (Claim.End.RELEASED, Claim.End.LOST):
            lines.append(Line(claim.ended_at, claim.get_end_display(), str(claim.user)))
    return sorted(lines, key=lambda line: line.at)


def _of_review(review: Review) -> Line:
    if review.kind == Review.Kind.UNDO:
        return Line(review.created_at, "Decision undone", str(review.reviewer))
    said = {Review.Kind.VOTE: "Vote", Review.Kind.SECOND: "Second look"}.get(review.kind, "Review")
    details = [review.final_decision, review.reason_code.replace("_", " ")]
    return Line(
        review.created_at,
        f"{said}: {Verdict(review.verdict).label}",
        str(review.reviewer),
        ", ".join(filter(None, details)),
    )


def _of_event(event: CaseEvent) -> Line:
    return Line(event.at, event.get_kind_display(), str(event.actor), _detail(event))


def _detail(event: CaseEvent) -> str:
    data = event.data
    parts = []
    if route := data.get("route"):
        parts.append(Route(route).label.lower() if route in Route.values else route)
    if "number" in data:
        parts.append(f"draft {data['number']}")
    if verdict := data.get("verdict"):
        parts.append(Verdict(verdict).label.lower() if verdict in Verdict.values else verdict)
    if action := data.get("action"):
        parts.append(f"{action}, {data['impact']} impact" if data.get("impact") else str(action))
    if "score" in data:
        parts.append(f"{data['score']} of 5")
    if queue := data.get("queue"):
        parts.append(f"queue {queue}")
    for name in ("to", "colleague", "holder"):
        if data.get(name):
            parts.append(f"{name} {data[name]}")
    if event.kind == CaseEvent.Kind.DEADLINE_SET:
        parts.append(" to ".join(data[name].replace("T", " ").replace("+00:00", " UTC") for name in ("was", "due_at")))
    for name in ("trigger", "reason_code", "how"):
        if data.get(name):
            parts.append(str(data[name]).replace("_", " "))
    if event.note and (note := event.note.text.get("note")):
        parts.append(f"“{note}”")
    return ", ".join(parts)
