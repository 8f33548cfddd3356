"""Celery's door to feedback."""

import structlog
from celery import shared_task

from cases.models import Tenant

from .services import challenge_results, drifting, dwells, evidence_runs, export_runs, pushes
from .services.weekly import export_due

log = structlog.get_logger(__name__)


@shared_task
def export_overrides() -> None:
    """Every tenant's weeks that are due, each Monday on its own clock, and what was missed. Idempotent; runs by beat.

    A week whose writing outlasts the task's time limit is for ``manage.py weekly_overrides``, which has none.
    """
    for tenant in Tenant.objects.filter(is_active=True).order_by("slug"):
        try:
            export_due(tenant)
        except Exception:  # One tenant's storage is down: the others get theirs, this one with the next beat.
            log.exception("weekly_export_failed", tenant=tenant.slug)


@shared_task
def run_exports() -> None:
    """Make the files of exports that were asked for. Runs by beat, and by a nudge after each request."""
    export_runs.sweep()


@shared_task
def run_pushes() -> None:
    """Send exports to the tools that want them. Runs by beat, and by a nudge after each request."""
    pushes.sweep()


@shared_task
def sweep_challenges() -> None:
    """Judge what is final, let in what is due, forget how pages were read long ago. Runs by beat."""
    challenge_results.sweep()
    dwells.forget_old()


@shared_task
def watch_releases() -> None:
    """Compare new releases with what was before them, and tell what moved. Runs by beat."""
    drifting.sweep()


@shared_task
def run_evidence_packs() -> None:
    """Make the evidence packs that were asked for. Runs by beat, and by a nudge after each request."""
    evidence_runs.sweep()
