"""What supervisors do with the order in which cases wait: setting a priority, putting a case off."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import IntegerChoices

from cases.clock import db_now
from cases.models import CaseEvent, User
from cases.services.events import record

from ..errors import AsideInvalid, Unassignable
from ..models.entries import LEAST_PRIORITY, MOST_PRIORITY
from . import asides
from .asides import check_until
from .keeping import keep
from .supervision import REASON_LENGTH, locked

ENDS = timedelta(seconds=1)  # after which what was put off is anybody's: its supervisor need not be a reviewer


class Place(IntegerChoices):
    """A priority in words. Ten points are worth eight hours of deadline: see ``Entry.ranked_at``."""

    FIRST = MOST_PRIORITY, "Before all others"
    CRITICAL = 30, "As a critical risk"
    HIGH = 20, "As a high risk"
    MEDIUM = 10, "As a medium risk"
    LOW = 0, "As a low risk"
    LAST = LEAST_PRIORITY, "After all others"


@transaction.atomic
def prioritise(entry_id: UUID, *, actor: User, priority: int, reason: str) -> None:
    """Give a waiting case another place; its deadline stays. Raises ``AsideInvalid`` beyond the bounds, ``Denied``."""
    if not LEAST_PRIORITY <= priority <= MOST_PRIORITY:
        raise AsideInvalid(
            f"A priority lies between {LEAST_PRIORITY} and {MOST_PRIORITY}. Nothing was changed.", pointer="/priority"
        )
    entry = locked(entry_id, actor)
    if entry.priority == priority:
        return
    before, entry.priority = entry.priority, priority
    entry.save(update_fields=["priority"])
    note = reason.strip()[:REASON_LENGTH]
    record(entry.case, CaseEvent.Kind.PRIORITISED, actor, note=note, priority=priority, before=before)


@transaction.atomic
def put_off(entry_id: UUID, *, actor: User, until: datetime, reason: str) -> None:
    """Snooze a waiting case: nobody is offered it before ``until``, and its deadline goes on running.

    What ``actor`` holds they snooze as they would on its page; nobody else's work is taken out of their hands. Raises
    ``Unassignable`` for what somebody else has, ``AsideInvalid`` as ``asides.snooze`` does, and ``Denied``.
    """
    entry = locked(entry_id, actor)
    if entry.claimed_by_id == actor.pk:
        asides.snooze(entry.case_id, actor, entry.generation, until=until, reason=reason)
        return
    if entry.claimed_by_id or entry.kept_for_id not in (None, actor.pk):
        raise Unassignable(f"{entry.case}: {entry.claimed_by or entry.kept_for} has it. Nothing was changed.")
    if entry.paused_at:
        raise Unassignable(f"{entry.case} is on hold ({entry.pause_reason.lower()}). Nothing was changed.")
    now = db_now()
    check_until(entry, until, now)
    keep(entry, actor, back_at=until, kept_until=until + ENDS)
    note = reason.strip()[:REASON_LENGTH]
    record(
        entry.case,
        CaseEvent.Kind.SNOOZED,
        actor,
        at=now,
        note=note,
        queue=entry.queue.slug,
        until=until.isoformat(timespec="minutes"),
    )
