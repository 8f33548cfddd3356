"""Is it up, and does it keep its promises: read from the rows themselves, so that a dead beat shows by itself."""

from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from cases.clock import db_now
from cases.services import selftest
from cases.services.deliveries import backlog
from queues.models import Entry

# Sweeps run every few seconds; what they left undone for so long, nobody is sweeping.
GRACE = timedelta(seconds=90)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """200 while the process answers; asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and no sweep is behind, else 503; says what is wrong and nothing of any tenant."""
    try:
        problems = list(_problems())
    except DatabaseError:
        problems = ["The database does not answer."]
    body: dict[str, Any] = {"status": "failing" if problems else "ok", "problems": problems}
    return JsonResponse(body, status=503 if problems else 200)


def _problems():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    late = db_now() - GRACE
    if Entry.objects.due_before(late).filter(breached_at=None, paused_at=None).exists():
        yield "Missed deadlines are not being marked: is the beat or the worker down?"
    if Entry.objects.held().filter(lease_expires_at__lt=late).exists():
        yield "Lost leases are not being returned: is the beat or the worker down?"
    if backlog().late > GRACE:
        yield "Webhooks are not being sent: is the worker down?"
    if problem := selftest.problem(db_now()):
        yield problem
