"""When people work: the flag that they set, within their hours, unless they said until when they stay.

The answer and the instant at which it turns are kept on the reviewer's row: a claim then needs no calendar, and counts
of who is on shift stay one query. The sweep keeps them fresh; a claim after the turn works it out again by itself.
"""

from datetime import datetime

from cases.calendars import CalendarError, is_open, next_closing, next_opening
from cases.clock import db_now

from ..models import Reviewer


def is_in_hours(reviewer: Reviewer, at: datetime) -> bool:
    """Whether ``reviewer`` works at this instant by their hours; queries only past the turn that is known."""
    if reviewer.hours_turn_at is None and not reviewer.has_hours:
        return True
    if reviewer.hours_turn_at is not None and at < reviewer.hours_turn_at:
        return reviewer.in_hours
    return hours_at(reviewer, at)[0]


def hours_at(reviewer: Reviewer, at: datetime) -> tuple[bool, datetime | None]:
    """Whether they work at ``at``, and when that may change next; None: it does not.

    A calendar that cannot be read shuts nobody out: their flag alone counts until it is mended.
    """
    if reviewer.works_until and at < reviewer.works_until:
        return True, reviewer.works_until
    try:
        calendar = reviewer.as_calendar()
        if calendar is None:
            return True, None
        if is_open(calendar, at):
            return True, next_closing(calendar, at)
        return False, next_opening(calendar, at)
    except CalendarError:
        return True, None


def refresh(reviewer: Reviewer, at: datetime) -> bool:
    """Work out the hours of ``reviewer`` on the instance; whether anything changed. The caller saves."""
    before = reviewer.in_hours, reviewer.hours_turn_at
    reviewer.in_hours, reviewer.hours_turn_at = hours_at(reviewer, at)
    return before != (reviewer.in_hours, reviewer.hours_turn_at)


def sweep_shifts() -> int:
    """Everybody who has hours, as they stand now; returns for how many something changed. Idempotent."""
    now = db_now()
    with_hours = Reviewer.objects.exclude(calendar=None, own_hours={}, works_until=None, hours_turn_at=None)
    changed = [one for one in with_hours.select_related("calendar", "tenant") if refresh(one, now)]
    Reviewer.objects.bulk_update(changed, ["in_hours", "hours_turn_at"], batch_size=500)
    return len(changed)
