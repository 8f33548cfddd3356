"""Celery's door to the metrics."""

from celery import shared_task

from ..services import route_quality
from . import rollups


@shared_task
def refresh() -> None:
    """Sum marked hours anew. Idempotent; the marks are the truth."""
    rollups.refresh()


@shared_task
def count_route_quality() -> None:
    """Sum up anew what people found in each domain of each release. Idempotent; runs by beat."""
    route_quality.refresh()
