"""What a person may do with a waiting case besides deciding it: one list draws the buttons and gates each POST."""

from dataclasses import dataclass, replace
from datetime import datetime

from cases.clock import db_now
from cases.models import User

from ..models import Entry
from .consults import may_answer, waiting_for


@dataclass(frozen=True)
class EntryAction:
    """``needs`` are the fields that are asked for; ``says`` what becomes of the case, read before it is sent."""

    name: str
    label: str
    says: str
    needs: tuple[str, ...] = ()


RELEASE = EntryAction(
    "release",
    "Give back",
    "The case waits in its old place; it may be offered to you again. Supervisors see the reason, if you give one.",
    ("reason",),
)
SKIP = EntryAction(
    "skip",
    "Skip",
    "The case waits in its old place for somebody else. It comes back to you when everybody who fits has had it, "
    "or after four hours.",
    ("reason",),
)
SNOOZE = EntryAction(
    "snooze",
    "Snooze",
    "The case stays yours and nobody else sees it until then. Its deadline goes on running.",
    ("until", "reason"),
)
CONSULT = EntryAction(
    "consult",
    "Ask a colleague",
    "The clock stands until your colleague answers, at most as long as you say. Then the case is yours again.",
    ("colleague", "question", "hours"),
)
DECLINE = EntryAction(
    "decline",
    "Decline",
    "For a conflict of interest: the case is never given to you again. Supervisors see the reason.",
    ("reason",),
)
HAND_UP = EntryAction(
    "escalate",
    "Escalate",
    "It goes to a supervisor who is at work, or else waits before the others of its risk, and supervisors are told. "
    "Whoever has it next reads your reason.",
    ("reason",),
)
STOP_WAITING = EntryAction("stop-waiting", "Go on without the answer", "The clock runs again, and the case is yours.")
ANSWER = EntryAction("answer", "Answer", "Your answer stands beside the case, and its clock runs again.", ("answer",))


def entry_actions(entry: Entry | None, user: User, *, now: datetime | None = None) -> list[EntryAction]:
    """What ``user`` may do with ``entry`` now. Each service asks again, under its lock."""
    if entry is None:
        return []
    if entry.claimed_by_id == user.pk:
        return [SKIP, SNOOZE, CONSULT, _hand_up(entry), DECLINE, RELEASE]
    if not entry.paused_at:
        return []
    waiting = waiting_for(entry.case_id)
    if waiting is None:
        return []
    if waiting.asker_id == user.pk:
        return [STOP_WAITING]
    return [ANSWER] if may_answer(waiting, user, now or db_now()) else []


def _hand_up(entry: Entry) -> EntryAction:
    """Said with the name of the queue, where there is one to go to."""
    target = entry.queue.escalation_target
    if target is None:
        return HAND_UP
    says = f"It goes to {target}, and supervisors are told. Whoever has it next reads your reason."
    return replace(HAND_UP, says=says)
