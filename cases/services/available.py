"""What a person may do with a case besides reviewing it: one list draws the buttons and gates each POST."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..models import Case, User
from ..outcome import is_final
from ..rights import HeldRights, read_rights
from ..states import OPEN, State
from . import lifecycle


@dataclass(frozen=True)
class CaseAction:
    """``run(case_id, actor=…, reason=…)`` does it; ``warning`` is read before it is confirmed."""

    name: str
    label: str
    right: str
    warning: str
    run: Callable[..., Case]


WITHDRAW = CaseAction(
    name="withdraw",
    label="Withdraw",
    right="withdraw_case",
    warning="The case leaves its queue and nobody decides it any more. This cannot be taken back.",
    run=lifecycle.withdraw,
)
RECALL = CaseAction(
    name="reopen",
    label="Recall",
    right="reopen_case",
    warning="The automatic approval no longer stands. The case waits for a person, before new ones.",
    run=lifecycle.reopen,
)
REOPEN = CaseAction(
    name="reopen",
    label="Reopen",
    right="reopen_case",
    warning="The decision no longer stands; it stays on record. The case waits for a person, before new ones.",
    run=lifecycle.reopen,
)


def available_actions(case: Case, actor: User, *, now: datetime, rights: HeldRights | None = None) -> list[CaseAction]:
    """The actions that the state of ``case`` allows and that ``actor`` has the right to."""
    fitting = []
    if case.content.is_erased:
        return fitting
    if case.state in OPEN:
        fitting.append(WITHDRAW)
    elif case.state == State.AUTO_APPROVED:
        fitting.append(RECALL)
    elif case.state in (State.APPROVED, State.REJECTED) and is_final(case, now):
        fitting.append(REOPEN)
    rights = rights or read_rights(actor)
    return [action for action in fitting if rights.allowed(action.right, case.tenant)]
