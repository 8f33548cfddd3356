"""Cases that are somebody's without a claim: set aside by them, given to them, or back from a colleague.

``kept_for`` is whose, ``back_at`` from when it is offered to them, before anything else; at ``kept_until`` it is
anybody's again. The bounds of skipping stand here too. The sweeps may run twice at once and lose nothing.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from cases.clock import db_now
from cases.models import CaseEvent, Membership, User
from cases.models.people import system_actor
from cases.services.events import record
from cases.services.members import stand_in_of

from ..models import Entry
from .claims import HOLDING
from .staffing import fitting

SKIPPED_FOR = timedelta(hours=4)
BATCH = 500


def keep(entry: Entry, user: User, *, back_at: datetime, kept_until: datetime) -> None:
    """Keep a locked, free entry for ``user``."""
    entry.kept_for, entry.back_at, entry.kept_until = user, back_at, kept_until
    entry.save(update_fields=HOLDING)


def sweep_kept() -> int:
    """What nobody came back for in time, and what is overdue, is anybody's again; returns how many.

    What is kept for somebody who is away goes to their delegate, or to anybody.
    """
    now = db_now()
    with transaction.atomic():  # As long as the rows are locked.
        over = _some(Entry.objects.exclude(kept_for=None).filter(Q(kept_until__lte=now) | Q(due_at__lte=now)))
        count = Entry.objects.filter(pk__in=over).update(kept_for=None, back_at=None, kept_until=None)
    away = Membership.objects.away(now).filter(user=OuterRef("kept_for"), tenant=OuterRef("tenant"))
    for entry_id in list(
        Entry.objects.exclude(kept_for=None).filter(Exists(away)).values_list("pk", flat=True)[:BATCH]
    ):
        count += _pass_on(entry_id, now)
    return count


@transaction.atomic
def _pass_on(entry_id: UUID, now: datetime) -> int:
    entry = (
        Entry.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("queue", "kept_for", "tenant", "case__tenant", "case__current_draft")
        .filter(pk=entry_id)
        .exclude(kept_for=None)
        .first()
    )
    if entry is None:
        return 0
    delegate = stand_in_of(entry.kept_for, entry.tenant, now)
    if delegate is not None and delegate.pk == entry.kept_for_id:
        return 0  # Back meanwhile.
    if delegate is not None and all(one.user_id != delegate.pk for one in fitting(entry)):
        delegate = None
    back_at, kept_until = entry.back_at, entry.kept_until
    entry.kept_for = entry.back_at = entry.kept_until = None
    if delegate is None:
        entry.save(update_fields=HOLDING)
    else:
        keep(entry, delegate, back_at=back_at, kept_until=kept_until)
        record(entry.case, CaseEvent.Kind.ASSIGNED, system_actor(), at=now, to=delegate.username)
    return 1


@transaction.atomic
def sweep_passed() -> int:
    """Who skipped a case is offered it again once it has lain for ``SKIPPED_FOR``; returns how many cases."""
    lain = _some(Entry.objects.filter(passed_at__lte=db_now() - SKIPPED_FOR))
    return Entry.objects.filter(pk__in=lain).update(passed_by=[], passed_at=None)


def _some(entries):
    """The keys of a batch of them that nobody is changing; the rest is the next sweep's."""
    return entries.order_by("pk").select_for_update(skip_locked=True, of=("self",)).values("pk")[:BATCH]
