"""How the queues are doing, in one query."""

from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from cases.clock import db_now
from cases.models import Case, Tenant
from cases.vocabulary import DUE_SOON

from ..models import Queue


def queue_health(tenants: QuerySet[Tenant], *, for_people: bool = False) -> list[dict[str, Any]]:
    """Per queue: how many wait to be taken, are held, are kept for somebody (snoozed, given), stand still; how many of
    all are due within ``DUE_SOON`` and overdue; and since when the oldest waits.

    The first four add up to all that the queue has. A case whose clock stands still is neither due soon nor overdue.
    Only people count what only people see: a figure that leaves out a challenge would tell them which one it is.
    """
    now = db_now()
    counted = Q() if for_people else Q(entries__case__purpose=Case.Purpose.REAL)
    running = Q(entries__paused_at=None) & counted
    free = Q(entries__claimed_by=None, entries__kept_for=None)
    queues = (
        Queue.objects.filter(tenant__in=tenants)
        .select_related("tenant")
        .annotate(
            waiting=Count("entries", filter=running & free),
            held=Count("entries", filter=Q(entries__claimed_by__isnull=False) & counted),
            kept=Count("entries", filter=Q(entries__kept_for__isnull=False) & counted),
            paused=Count("entries", filter=Q(entries__paused_at__isnull=False) & counted),
            due_soon=Count("entries", filter=running & Q(entries__due_at__range=(now, now + DUE_SOON))),
            breached=Count("entries", filter=running & Q(entries__due_at__lt=now)),
            oldest_at=Min("entries__entered_at", filter=counted),
        )
        .order_by("tenant__slug", "position", "slug")
    )
    return [
        {
            "queue": queue.slug,
            "name": queue.name,
            "tenant_id": queue.tenant.slug,
            "waiting": queue.waiting,
            "held": queue.held,
            "kept": queue.kept,
            "paused": queue.paused,
            "due_soon": queue.due_soon,
            "breached": queue.breached,
            "oldest_at": queue.oldest_at,
        }
        for queue in queues
    ]
