"""What the home page warns supervisors of: near deadlines, and queues and notices that something is wrong with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.urls import reverse

from cases.models import Notice
from queues.models import Entry, Queue
from queues.services.warnings import staff_warnings

AT_RISK = timedelta(hours=1)
CASES, WARNINGS, NOTICES = 10, 10, 5
NOTICES_SINCE = timedelta(days=1)


@dataclass(frozen=True)
class Alert:
    """``what`` is ours; ``about`` may hold a name from the tenant."""

    about: str
    what: str
    url: str


def at_risk(tenants: Sequence[UUID], now: datetime) -> list[Entry]:
    """Open entries whose clock runs and that are due within ``AT_RISK`` or overdue: the earliest first."""
    running = Entry.objects.filter(tenant__in=tenants, paused_at=None, due_at__lt=now + AT_RISK)
    return list(running.select_related("case", "queue", "claimed_by").order_by("due_at")[:CASES])


def alerts_of(queues: Sequence[Queue], tenants: Sequence[UUID], now: datetime) -> list[Alert]:
    """What stands in the way of the work: queues that nobody works, then notices that failed. One query.

    What else is wrong with a queue, such as that nothing reaches it, stands on the list of queues.
    """
    alerts = [
        Alert(str(queue), warning.text, reverse("admin:queues_queue_change", args=[queue.pk]))
        for queue in queues
        for warning in staff_warnings(queue)
    ][:WARNINGS]
    failed = Notice.objects.filter(tenant__in=tenants, state=Notice.State.FAILED, created_at__gte=now - NOTICES_SINCE)
    for notice in failed.order_by("-id")[:NOTICES]:
        url = reverse("admin:cases_notice_change", args=[notice.pk])
        alerts.append(Alert(notice.text, "This notice could not be sent.", url))
    return alerts
