"""An entry's clock: how its policy's steps meet its deadline. Changes memory only; the callers save."""

from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from cases.calendars import ALWAYS, Calendar, CalendarError, add_working, working_between
from cases.ids import new_id

from ..models import Entry, Queue, SlaPolicy
from ..steps import STANDARD, Clock, Step, looked_at_next

MAX_PAUSE_SHIFT = 7 * 24 * 3600  # seconds: pauses move a deadline by a week at most.

CLOCK_COLUMNS = ("due_at", "clock", "clock_started_at", "share_done", "next_step_at")


class Rules:
    """What the clocks of one SLA policy go by, read once. ``policy.steps`` should be prefetched for many."""

    def __init__(self, policy: SlaPolicy) -> None:
        self._policy = policy

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step.as_step() for step in self._policy.steps.all()) or STANDARD

    @cached_property
    def calendar(self) -> Calendar:
        """Broken hours count as clock time: they must not stop anybody's clock."""
        try:
            return self._policy.clock
        except CalendarError:
            return ALWAYS

    def clock_of(self, entry: Entry) -> Clock:
        return Clock(entry.clock_started_at, entry.due_at, self.calendar)

    def look_again(self, entry: Entry) -> None:
        """Set when the sweep has to look at ``entry`` next."""
        entry.next_step_at = looked_at_next(
            self.steps, entry.share_done, self.clock_of(entry), is_missed=entry.breached_at is not None
        )

    def end_pause(self, entry: Entry, at: datetime, wanted_by: datetime | None) -> None:
        """Start a stopped clock again: what is ahead moves by the open time of the pause, within the bound.

        A deadline that had passed when the clock stopped stays where it is, and no pause moves the caller's own,
        ``wanted_by``.
        """
        if entry.paused_at is None:
            return
        left = timedelta(seconds=MAX_PAUSE_SHIFT - entry.paused_seconds)
        counted = max(timedelta(0), min(at - entry.paused_at, left))
        if entry.due_at > entry.paused_at:
            shifted = self._later(entry.due_at, entry.paused_at, counted)
            entry.due_at = min(shifted, max(wanted_by, entry.due_at)) if wanted_by else shifted
            entry.clock_started_at = self._later(entry.clock_started_at, entry.paused_at, counted)
        entry.paused_seconds += round(counted.total_seconds())
        entry.paused_at, entry.pause_reason = None, ""
        self.look_again(entry)

    def _later(self, at: datetime, since: datetime, pause: timedelta) -> datetime:
        try:
            return add_working(self.calendar, at, working_between(self.calendar, since, since + pause))
        except CalendarError:
            return at + pause


def open_time_left(entry: Entry, now: datetime) -> timedelta | None:
    """The open time until the deadline of ``entry``; None where every minute counts or it has passed."""
    calendar = Rules(entry.queue.sla_policy).calendar
    if calendar is ALWAYS or entry.due_at <= now:
        return None
    try:
        return working_between(calendar, now, entry.due_at)
    except CalendarError:
        return None


def rules_by_queue(queue_ids: set[UUID]) -> dict[UUID, tuple[Queue, Rules]]:
    """Per queue itself, with its escalation target, and its rules: two queries, however many."""
    queues = Queue.objects.filter(pk__in=queue_ids).select_related("sla_policy__calendar", "escalation_target")
    return {queue.pk: (queue, Rules(queue.sla_policy)) for queue in queues.prefetch_related("sla_policy__steps")}


def restart(entry: Entry, rules: Rules, due_at: datetime) -> None:
    """Give a locked entry another deadline: a clock of its own that began when the case came in.

    Steps that the new deadline puts ahead are taken again, for it; those that have passed by it are taken for it at
    the next sweep. A deadline that was missed stays missed, in the metrics too: no later one unsays it.
    """
    entry.due_at, entry.clock, entry.share_done = due_at, new_id(), 0
    rules.look_again(entry)
