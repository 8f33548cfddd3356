"""Celery's door to the queues."""

from celery import shared_task

from .services.claims import return_lost
from .services.deadlines import sweep_deadlines


@shared_task
def sweep() -> None:
    """Return lost leases, then take the steps that are due. Idempotent; the rows are the truth."""
    return_lost()
    sweep_deadlines()
