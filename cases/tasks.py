"""Celery's door to the ground floor. Each task is idempotent: the rows are the truth."""

from celery import shared_task
from django.core.management import call_command

from . import audit_keys
from .services import (
    breakers,
    customer_notices,
    customer_sending,
    deliveries,
    evaluation_counts,
    head_publishing,
    heartbeats,
    lifecycle,
    notices,
    recalls,
    retention,
    seal_rounds,
    sealing,
    selftest,
)
from .wire import idempotency


@shared_task
def sweep_deliveries() -> None:
    """Send webhooks until nothing is due or a minute has passed. Runs by beat, and by a nudge after each event."""
    deliveries.sweep(seconds=60)


@shared_task
def sweep_redrafts() -> None:
    """Cases whose new draft did not come in time go back to people. Runs by beat."""
    lifecycle.resume_overdue_redrafts()


@shared_task
def sweep_recalls() -> None:
    """Take automatic approvals back, as far as people asked for it. Runs by beat, and by a nudge after each wish."""
    recalls.sweep(seconds=60)


@shared_task
def test_the_switch() -> None:
    """Prove in the sandbox that a stop stops, if the last proof is old enough. Runs by beat."""
    selftest.run_if_due()


@shared_task
def sweep_breakers() -> None:
    """Breakers read on from their marks. Runs by beat."""
    breakers.sweep(seconds=40)


@shared_task
def seal_audit() -> None:
    """Seal what was committed since the last seal, where this installation has a key. Runs by beat."""
    if audit_keys.is_set():
        sealing.seal_due(seconds=40)


@shared_task
def verify_audit() -> None:
    """Read on in the day's verification of the seals, if it is not through. Runs by beat."""
    if audit_keys.is_set():
        seal_rounds.go_on(seconds=40)


@shared_task
def publish_heads() -> None:
    """Publish the newest head to everybody whose time has come. Runs by beat."""
    head_publishing.publish_due()


@shared_task
def purge_keys() -> None:
    """Answers kept for idempotency keys and counts of evaluations go after a week, sent notices after a month. Runs by
    beat."""
    idempotency.purge()
    notices.purge()
    heartbeats.forget_replaced()
    evaluation_counts.purge()


@shared_task
def forget_sessions() -> None:
    """Sessions that are over go: each holds who signed in. Runs by beat."""
    call_command("clearsessions")


@shared_task
def erase_old_texts() -> None:
    """Texts that are older than their tenant keeps them are erased, batch by batch. Runs by beat."""
    retention.sweep(seconds=40)


@shared_task
def send_notices() -> None:
    """Send notices until nothing is due or 40 seconds have passed. Runs by beat."""
    notices.send_due(seconds=40)


@shared_task
def tell_customers() -> None:
    """Warn of promises that will be missed, then write to customers until nothing is due or 40 seconds have passed.
    Runs by beat."""
    customer_notices.warn_of_delays()
    customer_sending.send_due(seconds=40)
