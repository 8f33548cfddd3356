"""Celery's door to the queues."""

from celery import shared_task

from .services.claims import return_lost
from .services.deadlines import sweep_breaches


@shared_task
def sweep() -> None:
    """Return lost leases, mark missed deadlines. Idempotent; the rows are the truth."""
    return_lost()
    sweep_breaches()
