"""Who hears of a step of an SLA, and in which words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from cases.models import Membership
from cases.services.notices import News

from ..models import Entry, Queue, QueueGroupPermission, QueueUserPermission
from ..steps import StepKind

SUPERVISORS = 20  # of one queue that are told; more would be nobody's task

# Nobody is told that a case has gone up; the others say the more the later.
_TELLS_HOLDER = {StepKind.WARN, StepKind.NOTIFY, StepKind.ESCALATE}
_TELLS_SUPERVISORS = {StepKind.NOTIFY, StepKind.ESCALATE}


@dataclass(frozen=True)
class Alarm:
    """A step that was taken for ``entry`` while it was in ``queue``."""

    entry: Entry
    queue: Queue
    kind: StepKind
    share: int


def news_of(alarms: Sequence[Alarm]) -> list[News]:
    """The news of ``alarms``. A sample of an automatic approval is nobody's hurry and is told to nobody."""
    told = [alarm for alarm in alarms if alarm.kind in _TELLS_HOLDER and alarm.entry.kind == Entry.Kind.REVIEW]
    supervisors = supervisors_of({alarm.queue.pk for alarm in told if alarm.kind in _TELLS_SUPERVISORS})
    return [_news(alarm, supervisors.get(alarm.queue.pk, [])) for alarm in told]


def _news(alarm: Alarm, supervisors: Iterable[UUID]) -> News:
    entry, case = alarm.entry, alarm.entry.case
    holder = [entry.claimed_by_id] if entry.claimed_by_id else []
    return News(
        tenant_id=entry.tenant_id,
        kind=f"sla.{alarm.kind}",
        text=_words(alarm),
        key=f"sla:{entry.clock.hex}:{alarm.share}:{alarm.kind}",
        to=[*holder, *(supervisors if alarm.kind in _TELLS_SUPERVISORS else ())],
        subject=case.wire_id,
        path=reverse("admin:cases_case_change", args=[case.pk]),
    )


def _words(alarm: Alarm) -> str:
    """Ids, queue and times; nothing of the case's content."""
    due = f"{alarm.entry.due_at:%d %b %Y %H:%M} UTC"
    where = f"{alarm.entry.case.wire_id} in {alarm.queue.slug}"
    held = "It is held." if alarm.entry.claimed_by_id else "Nobody holds it."
    if alarm.entry.breached_at:
        return f"Overdue: {where} was due {due} ({alarm.share} % of its time). {held}{_goes_to(alarm)}"
    return f"{alarm.share} % of the time is used: {where} is due {due}. {held}{_goes_to(alarm)}"


def _goes_to(alarm: Alarm) -> str:
    target = alarm.queue.escalation_target
    if alarm.kind != StepKind.ESCALATE or target is None:
        return ""
    return f" It moves to {target.slug}{' once it is let go' if alarm.entry.claimed_by_id else ''}."


def supervisors_of(queue_ids: set[UUID]) -> dict[UUID, list[UUID]]:
    """Per queue the active members who supervise it, at most ``SUPERVISORS`` each: three queries, however many."""
    if not queue_ids:
        return {}
    held = {"permission__codename": "supervise_queue", "content_object__in": queue_ids}
    by_group = QueueGroupPermission.objects.filter(**held, group__user__is_active=True)
    by_user = QueueUserPermission.objects.filter(**held, user__is_active=True)
    pairs = {
        *by_group.values_list("content_object_id", "content_object__tenant", "group__user"),
        *by_user.values_list("content_object_id", "content_object__tenant", "user"),
    }
    members = set(
        Membership.objects.filter(
            tenant__in={tenant for _, tenant, _ in pairs}, user__in={user for *_, user in pairs}, is_active=True
        ).values_list("tenant", "user")
    )
    found: dict[UUID, list[UUID]] = {}
    for queue, tenant, user in sorted(pairs):
        if (tenant, user) in members and len(found.setdefault(queue, [])) < SUPERVISORS:
            found[queue].append(user)
    return found
