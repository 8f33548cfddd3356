"""Celery's door to the queues."""

from celery import shared_task

from .services import sweeping


@shared_task
def sweep() -> None:
    """Return what is lost or lapsed, then take the steps that are due. Safe to run twice at once."""
    sweeping.sweep()
