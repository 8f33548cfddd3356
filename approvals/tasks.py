"""Celery's door to the approvals."""

from celery import shared_task

from .services.proposals import sweep_ended_cases


@shared_task
def sweep() -> None:
    """Cancel the actions of cases that ended without approval. Idempotent; the rows are the truth."""
    sweep_ended_cases()
