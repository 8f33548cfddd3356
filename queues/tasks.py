"""Celery's door to the queues."""

from celery import shared_task

from .services.claims import return_lost
from .services.consults import sweep_consultations
from .services.deadlines import sweep_deadlines
from .services.keeping import sweep_kept, sweep_passed
from .services.shifts import sweep_shifts


@shared_task
def sweep() -> None:
    """Return lost leases and what is set aside, then take the steps that are due. Safe to run twice at once."""
    return_lost()
    sweep_consultations()
    sweep_kept()
    sweep_passed()
    sweep_shifts()
    sweep_deadlines()
