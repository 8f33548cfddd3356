"""Who holds what until when, for whoever supervises: only reads, in a fixed number of queries, everything bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef

from cases.clock import db_now
from cases.models import Membership, User

from ..models import Consultation, Entry, Queue, Reviewer
from .shifts import is_in_hours
from .staffing import with_readers, with_staff
from .supervision import supervised
from .warnings import case_warnings, staff_warnings

QUEUES, PEOPLE, ENTRIES = 60, 200, 500


@dataclass
class Person:
    """A reviewer with what they have: claimed, kept for them, and waiting for their answer."""

    reviewer: Reviewer
    standing: str
    has: list[Entry] = field(default_factory=list)
    asked: list[Consultation] = field(default_factory=list)


@dataclass(frozen=True)
class Floor:
    """``queues`` with ``staff``, ``on_shift`` and what is ``wrong`` with each, but for its routing."""

    queues: Sequence[Queue]
    people: Sequence[Person]
    is_cut: bool  # There is more than is shown.


def floor_of(actor: User) -> Floor:
    """The people of the queues that ``actor`` supervises; who has most stands first."""
    now = db_now()
    queues = _queues_of(actor)
    away = Membership.objects.away(now).filter(user=OuterRef("user"), tenant=OuterRef("tenant"))
    tenants = {queue.tenant_id for queue in queues}
    reviewers = (
        Reviewer.objects.filter(tenant__in=tenants, user__is_active=True)
        .select_related("user", "tenant", "calendar")
        .annotate(is_away=Exists(away))
        .order_by("user__first_name", "user__username")[:PEOPLE]
    )
    people = {(one.tenant_id, one.user_id): Person(one, _standing(one, now)) for one in reviewers}
    entries = (
        Entry.objects.filter(queue__in=queues)
        .exclude(claimed_by=None, kept_for=None)
        .select_related("case", "queue")
        .by_urgency()[:ENTRIES]
    )
    questions = (
        Consultation.objects.filter(queue__in=queues, ended_at=None)
        .select_related("case", "asker")
        .order_by("answer_by")[:ENTRIES]
    )
    for entry in entries:
        entry.until = entry.lease_expires_at or (entry.back_at if entry.back_at > now else entry.kept_until)
        entry.how = "claimed" if entry.claimed_by_id else "snoozed" if entry.back_at > now else "kept"
        if person := people.get((entry.tenant_id, entry.claimed_by_id or entry.kept_for_id)):
            person.has.append(entry)
    for question in questions:
        if person := people.get((question.tenant_id, question.colleague_id)):
            person.asked.append(question)
    by_load = sorted(people.values(), key=lambda person: -len(person.has))
    return Floor(queues, by_load, len(people) == PEOPLE or len(entries) == ENTRIES)


def _queues_of(actor: User) -> list[Queue]:
    rows = with_readers(with_staff(supervised(actor))).select_related("tenant", "skill")
    queues = list(rows.order_by("tenant__slug", "position", "slug")[:QUEUES])
    of_cases = case_warnings(queues)
    for queue in queues:
        queue.wrong = [*staff_warnings(queue), *of_cases.get(queue.pk, ())]
    return queues


def _standing(reviewer: Reviewer, now) -> str:
    if reviewer.is_away:
        return "away"
    if reviewer.is_paused:
        return "paused"
    if not reviewer.is_on_shift:
        return "off shift"
    return "on shift" if is_in_hours(reviewer, now) else "outside their hours"
