"""What a vote does to the waiting case: it goes back to the front for somebody who has no part in it yet.

Called by the room above under the locks of the case and its entry.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from cases.models import Case, User

from ..models import Claim, Entry
from ..models.entries import MOST_PRIORITY
from ..quorum import required
from .claims import free, hand_to
from .entries import locked_entry


def reviews_required(entry: Entry, *, risk: str, impact: str) -> tuple[int, str]:
    """How many independent reviews ``entry`` takes, and why."""
    rules = entry.queue.tenant.quorum_rules.filter(is_active=True).order_by("name")
    return required(
        entry.queue.required_reviews,
        [rule.as_demand() for rule in rules],
        queue=entry.queue_id,
        risk=risk,
        impact=impact,
    )


def is_demanded(entry: Entry, *, risk: str, impact: str) -> bool:
    """Whether several reviews of ``entry`` are asked for by a rule for its stakes, a risk or an impact."""
    rules = entry.queue.tenant.quorum_rules.filter(is_active=True)
    demands = [rule.as_demand() for rule in rules]
    return any(one.is_of_stakes and one.holds(queue=entry.queue_id, risk=risk, impact=impact) for one in demands)


def spare(entry: Entry, until: datetime | None) -> None:
    """Until then nobody whose share of such work is used up is given ``entry``; None: anybody who fits may have it."""
    entry.spares_until = until
    entry.save(update_fields=["spares_until"])


def pass_on(entry: Entry, voter: User, *, to_adjudicator: bool) -> None:
    """``voter`` has voted: the entry waits at the front, for somebody else, or for who may settle a disagreement."""
    free(entry, Claim.End.VOTED)
    entry.excluded = sorted({*entry.excluded, voter.pk})
    entry.passed_by = [user_id for user_id in entry.passed_by if user_id != voter.pk]
    entry.priority, entry.for_adjudicator = MOST_PRIORITY, to_adjudicator
    entry.save(update_fields=["excluded", "passed_by", "priority", "for_adjudicator"])


def reopen_to(case: Case, voter: User) -> bool:
    """``voter`` took a vote back: they may have the case again, and have it at once unless somebody else does."""
    entry = locked_entry(case)
    entry.excluded = [user_id for user_id in entry.excluded if user_id != voter.pk]
    entry.for_adjudicator, entry.spares_until = False, None
    entry.save(update_fields=["excluded", "for_adjudicator", "spares_until"])
    if entry.claimed_by_id or entry.kept_for_id or entry.paused_at:
        return False
    hand_to(entry, voter)
    return True


def keep_out(case: Case, user_ids: Collection[UUID], *, for_adjudicator: bool = False) -> None:
    """Nobody of ``user_ids`` is given the case, whose entry has just opened or come back."""
    if entry := locked_entry(case):
        entry.excluded = sorted({*entry.excluded, *user_ids})
        entry.for_adjudicator = for_adjudicator
        entry.save(update_fields=["excluded", "for_adjudicator"])


def let_in(case: Case, user_ids: Collection[UUID]) -> None:
    """A new draft is a new question: who voted on the last one may have it again, and nobody has to settle it."""
    if entry := locked_entry(case):
        entry.excluded = sorted({*entry.excluded} - {*user_ids})
        entry.for_adjudicator, entry.spares_until = False, None
        entry.save(update_fields=["excluded", "for_adjudicator", "spares_until"])


def ask_again(entry: Entry) -> None:
    """A vote was struck: the question is open again, for one more reviewer."""
    if entry.for_adjudicator:
        entry.for_adjudicator = False
        entry.save(update_fields=["for_adjudicator"])
