"""Celery's door to the metrics."""

from celery import shared_task

from . import rollups


@shared_task
def refresh() -> None:
    """Sum marked hours anew. Idempotent; the marks are the truth."""
    rollups.refresh()
