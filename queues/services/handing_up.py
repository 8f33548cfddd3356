"""A reviewer escalates a case that they hold: to where its queue's overdue cases go, or else to a supervisor."""

from uuid import UUID

from django.db import transaction
from django.urls import reverse

from cases.clock import db_now
from cases.models import CaseEvent, User
from cases.services.notices import News, tell
from cases.vocabulary import Risk

from ..models import Aside, Claim, Entry, Queue
from .alarms import supervisors_of
from .asides import checked, set_aside
from .claims import hold
from .entries import CAME_BACK, PRIORITY
from .keeping import keep
from .staffing import fitting
from .supervision import GIVEN_FOR, loads

TOLD = "case.handed_up"


@transaction.atomic
def hand_up(case_id: UUID, user: User, generation: int, *, reason: str) -> Queue | User | None:
    """Escalate the case, with a reason that whoever has it next reads as well; returns the queue or the supervisor that
    it went to. None: it stays in its queue, before the others of its risk.

    It is not offered to ``user`` again as after a skip, its deadline goes on running, and the queue's supervisors are
    told. Raises ``StaleClaim``, ``NotClaimed`` or ``AsideInvalid``.
    """
    reason = checked(reason, "reason")
    entry = hold(case_id, user, generation)
    home, target, now = entry.queue, entry.queue.escalation_target, db_now()
    to = {"to": target.slug} if target else {}
    kinds = Claim.End.RAISED, Aside.Kind.HAND_UP, CaseEvent.Kind.HANDED_UP
    set_aside(entry, user, *kinds, reason=reason, at=now, note=reason, **to)
    entry.passed_by, entry.passed_at = sorted({*entry.passed_by, user.pk}), now
    entry.priority = max(entry.priority, PRIORITY[Risk(entry.risk)] + CAME_BACK)
    if target:
        entry.queue, entry.moves_when_free, entry.next_step_at = target, False, now
        entry.queue_reason = f"{target.slug}: escalated by a reviewer of {home.slug}"
    entry.save(
        update_fields=[
            "passed_by",
            "passed_at",
            "priority",
            "queue",
            "queue_reason",
            "moves_when_free",
            "next_step_at",
        ]
    )
    supervisors = supervisors_of({entry.queue_id}).get(entry.queue_id, [])
    _tell(entry, generation, [one for one in supervisors if one != user.pk])
    if target:
        return target
    person = _at_work(entry, {*supervisors} - {user.pk})
    if person:
        keep(entry, person, back_at=now, kept_until=now + GIVEN_FOR)
    return person


def _at_work(entry: Entry, supervisors: set[UUID]) -> User | None:
    """The supervisor who reviews, works now and has least in hand."""
    able = [one.user for one in fitting(entry) if one.at_work and one.user_id in supervisors]
    has = loads(entry.tenant_id, [one.pk for one in able])
    return min(able, key=lambda one: (has[one.pk], one.pk), default=None)


def _tell(entry: Entry, generation: int, supervisors: list[UUID]) -> None:
    wire_id = entry.case.wire_id
    news = News(
        tenant_id=entry.tenant_id,
        kind=TOLD,
        text=f"Escalated by its reviewer: {wire_id} in {entry.queue.slug} is due {entry.due_at:%d %b %Y %H:%M} UTC.",
        key=f"handed_up:{entry.case_id.hex}:{generation}",
        to=supervisors,
        subject=wire_id,
        path=reverse("admin:cases_case_change", args=[entry.case_id]),
    )
    tell([news])
