"""The states of a case and the only moves between them.

``Case.state``'s transitions and the database trigger ``legal_state`` are both built from ``MOVES``.
"""

from dataclasses import dataclass

from django.db.models import TextChoices


class State(TextChoices):
    AUTO_APPROVED = "auto_approved", "Approved automatically"
    PENDING_REVIEW = "pending_review", "Waiting for a person"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    NEEDS_EDIT = "needs_edit", "Waiting for a new draft"
    WITHDRAWN = "withdrawn", "Withdrawn"


@dataclass(frozen=True)
class Move:
    """One named transition: from any of ``source`` to ``target``."""

    name: str
    source: tuple[str, ...]
    target: str
    why: str


INITIAL = (State.AUTO_APPROVED, State.PENDING_REVIEW)

MOVES = (
    Move("approve", (State.PENDING_REVIEW,), State.APPROVED, "review or quorum"),
    Move("reject", (State.PENDING_REVIEW,), State.REJECTED, "review or quorum"),
    Move("ask_for_draft", (State.PENDING_REVIEW,), State.NEEDS_EDIT, "review or quorum"),
    Move("withdraw", (State.PENDING_REVIEW, State.NEEDS_EDIT), State.WITHDRAWN, "the caller cancelled"),
    Move(
        "resume_review",
        (State.NEEDS_EDIT,),
        State.PENDING_REVIEW,
        "a new draft arrived, its deadline passed, or the request was undone",
    ),
    Move(
        "recall",
        (State.AUTO_APPROVED,),
        State.PENDING_REVIEW,
        "recalled, the customer asked for a person, low satisfaction, or an audit overturned it",
    ),
    Move(
        "reopen",
        (State.APPROVED, State.REJECTED),
        State.PENDING_REVIEW,
        "undone before it was final; appealed or reopened after",
    ),
)

DECIDED = (State.AUTO_APPROVED, State.APPROVED, State.REJECTED)
OPEN = (State.PENDING_REVIEW, State.NEEDS_EDIT)


def legal_moves(moves: tuple[Move, ...]) -> set[tuple[str, str]]:
    """Every legal (from, to) pair as plain strings."""
    return {(str(source), str(move.target)) for move in moves for source in move.source}
