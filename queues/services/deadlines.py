"""The sweep over deadlines."""

from django.db import transaction

from cases.clock import db_now

from ..models import Entry
from .entries import mark_breached

BATCH = 200


def sweep_breaches() -> int:
    """Mark every entry whose deadline has passed, once; an overdue case moves to its queue's escalation target.

    Returns how many. Each batch is a transaction of its own: a worker killed in the middle loses only its batch, and
    two sweeps at once share the rows.
    """
    total = 0
    while True:
        with transaction.atomic():
            now = db_now()
            due = list(
                Entry.objects.due_before(now)
                .filter(breached_at=None, paused_at=None)
                .order_by("due_at")
                .select_related("queue__escalation_target", "case__tenant", "case__current_draft")
                .select_for_update(skip_locked=True, of=("self",))[:BATCH]
            )
            for entry in due:
                mark_breached(entry, now)
                if entry.queue.escalation_target_id and entry.claimed_by_id is None:
                    entry.queue_reason = f"{entry.queue.escalation_target.slug}: overdue in {entry.queue.slug}"
                    entry.queue = entry.queue.escalation_target
                    entry.save(update_fields=["queue", "queue_reason"])
        total += len(due)
        if len(due) < BATCH:
            return total
