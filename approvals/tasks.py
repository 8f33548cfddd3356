"""Celery's door to the approvals. Every task is safe to run twice; the rows are the truth."""

from time import monotonic

from celery import shared_task

from .services import lifetimes, work

RUN_SECONDS = 20  # Less than a lease and far less than Celery's own limit: the rest is the next run's.


@shared_task
def run_jobs() -> None:
    """Dry runs, executions and recoveries that are due."""
    until = monotonic() + RUN_SECONDS
    while monotonic() < until and work.run_next():
        pass


@shared_task
def sweep() -> None:
    """End what ran out of time, and the actions of cases that ended without approval."""
    lifetimes.expire_due()
    lifetimes.sweep_ended_cases()
