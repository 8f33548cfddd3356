"""Opening, pausing and closing entries as cases come and go."""

from datetime import datetime, timedelta

from cases.calendars import CalendarError, due_at
from cases.models import Case, CaseEvent, Draft, User
from cases.models.people import system_actor
from cases.services.events import record
from cases.vocabulary import Risk, Route, Trigger

from ..models import Claim, Entry, Passage, Queue
from ..routing import CaseFacts, QueueFacts, choose
from .claims import free, hand_to

# Higher goes first. A customer who asked for a person, and a case that came back, stand before new ones of their risk.
PRIORITY = {Risk.LOW: 0, Risk.MEDIUM: 10, Risk.HIGH: 20, Risk.CRITICAL: 30}
CAME_BACK = 5
AUDIT_PRIORITY = -10  # Nobody waits for the second look at a sampled approval.
FALLBACK_SLA = timedelta(days=1)
MAX_PAUSE_SHIFT = 7 * 24 * 3600  # seconds: a pause moves a deadline by a week at most.


def open_entry(
    case: Case, draft: Draft, *, at: datetime, kind: Entry.Kind = Entry.Kind.REVIEW, came_back: bool = False
) -> Entry:
    """Put ``case`` into the queue that routing chooses, with a deadline; a caller's earlier one wins."""
    queues = list(Queue.objects.filter(tenant=case.tenant).select_related("sla_policy__calendar"))
    route = Route.QUICK_REVIEW if draft.route == Route.AUTO_APPROVE else Route(draft.route)
    facts = CaseFacts(domain=case.domain, language=case.language, risk=case.risk, route=route)
    chosen, reason = choose(facts, map(queue_facts, queues))
    queue = next(queue for queue in queues if queue.slug == chosen.slug)
    due, reason = _deadline(queue, case, at, reason)
    priority = AUDIT_PRIORITY
    if kind == Entry.Kind.REVIEW:
        urgent = came_back or Trigger.USER_ESCALATION in draft.triggers
        priority = PRIORITY[Risk(case.risk)] + (CAME_BACK if urgent else 0)
    entry = Entry(
        tenant=case.tenant,
        case=case,
        kind=kind,
        queue=queue,
        queue_reason=reason[:400],
        route=route,
        risk=case.risk,
        language=case.language,
        priority=priority,
        entered_at=at,
        due_at=due,
    )
    entry.save(force_insert=True)
    if due <= at:
        mark_breached(entry, at)
    return entry


def _deadline(queue: Queue, case: Case, at: datetime, reason: str) -> tuple[datetime, str]:
    try:
        return due_at(queue.sla_policy.duration, at, queue.sla_policy.clock, caller_deadline=case.wanted_by), reason
    except CalendarError as error:  # A broken calendar must not turn a case away.
        return at + FALLBACK_SLA, f"{reason}; its calendar failed ({error}), so that one day was set"


def queue_facts(queue: Queue) -> QueueFacts:
    return QueueFacts(
        slug=queue.slug,
        position=queue.position,
        is_fallback=queue.is_fallback,
        domains=frozenset(queue.domains),
        languages=frozenset(queue.languages),
        risks=frozenset(queue.risks),
        routes=frozenset(queue.routes),
        authority_code=queue.authority_code,
    )


def locked_entry(case: Case) -> Entry | None:
    """The open entry under its lock. Always taken after the case's lock, never before."""
    return (
        Entry.objects.select_for_update(of=("self",))
        .select_related("queue__sla_policy__calendar")
        .filter(case=case)
        .first()
    )


def close_entry(case: Case, *, at: datetime, end: str) -> None:
    """The case has left: what was hot goes, its passage stays."""
    entry = locked_entry(case)
    if entry is None:
        return
    _count_pause(entry, at)
    Claim.objects.filter(generation=entry.generation, ended_at=None).update(
        ended_at=at, end=Claim.End.DECIDED if end == CaseEvent.Kind.DECIDED else Claim.End.CLOSED
    )
    Passage(
        id=entry.pk,
        tenant_id=entry.tenant_id,
        case=case,
        kind=entry.kind,
        queue=entry.queue,
        route=entry.route,
        entered_at=entry.entered_at,
        due_at=entry.due_at,
        breached_at=entry.breached_at,
        paused_seconds=entry.paused_seconds,
        left_at=at,
        end=end,
    ).save(force_insert=True)
    entry.delete()


def pause_entry(case: Case, *, at: datetime, reason: str) -> None:
    """Stop the clock: the case waits for somebody else. Its claim ends."""
    entry = locked_entry(case)
    if entry is None or entry.paused_at:
        return
    free(entry, Claim.End.DECIDED)
    entry.paused_at, entry.pause_reason = at, reason
    entry.save(update_fields=["paused_at", "pause_reason"])


def resume_entry(case: Case, draft: Draft, *, at: datetime) -> Entry | None:
    """Start the clock again; the deadline moves by the pause, within a bound."""
    entry = locked_entry(case)
    if entry is None:
        return None
    _count_pause(entry, at)
    entry.route = Route.QUICK_REVIEW if draft.route == Route.AUTO_APPROVE else draft.route
    entry.save(update_fields=["paused_at", "pause_reason", "paused_seconds", "due_at", "route"])
    return entry


def restore_entry(case: Case, draft: Draft, *, at: datetime, to: User) -> Entry:
    """A decision was undone: the case stands before its reviewer again, with the deadline that it had."""
    entry = locked_entry(case)
    if entry is not None:  # It only waited for a draft.
        _count_pause(entry, at)
        entry.save(update_fields=["paused_at", "pause_reason", "paused_seconds", "due_at"])
    else:
        entry = open_entry(case, draft, at=at, came_back=True)
        last = Passage.objects.filter(case=case).order_by("-left_at").first()
        if last:
            entry.entered_at, entry.due_at, entry.breached_at = last.entered_at, last.due_at, last.breached_at
            entry.save(update_fields=["entered_at", "due_at", "breached_at"])
    return hand_to(entry, to)


def hurry(case: Case) -> Entry | None:
    """The customer asked for a person: the case goes before the others of its risk."""
    entry = locked_entry(case)
    if entry is not None:
        entry.priority = max(entry.priority, PRIORITY[Risk(case.risk)] + CAME_BACK)
        entry.save(update_fields=["priority"])
    return entry


def _count_pause(entry: Entry, at: datetime) -> None:
    if entry.paused_at is None:
        return
    pause = min(at - entry.paused_at, timedelta(seconds=MAX_PAUSE_SHIFT - entry.paused_seconds))
    entry.paused_seconds += max(0, round(pause.total_seconds()))
    if entry.breached_at is None:
        entry.due_at += pause
    entry.paused_at, entry.pause_reason = None, ""


def mark_breached(entry: Entry, now: datetime) -> None:
    """The deadline has passed: said once, in the timeline and to the webhooks."""
    entry.breached_at = now
    entry.save(update_fields=["breached_at"])
    record(
        entry.case,
        CaseEvent.Kind.SLA_BREACHED,
        system_actor(),
        at=now,
        queue=entry.queue.slug,
        due_at=entry.due_at.isoformat(),
    )
