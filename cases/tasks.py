"""What workers run, and how they are woken. PostgreSQL holds the work; a message only says that there is some."""

import functools
import time

import structlog
from celery import Celery, Task, shared_task
from kombu import Connection, pools

from .services import deliveries, lifecycle

log = structlog.get_logger(__name__)

BROKER_SECONDS = 0.04  # per step of a nudge: to a connection, to connect, to an answer
QUIET_SECONDS = 5.0  # After a failure nobody asks the broker so long: the sweeps of beat do its work meanwhile.

_quiet_until = 0.0


@shared_task
def sweep_deliveries() -> None:
    """Send webhooks until nothing is due or a minute has passed. Runs by beat, and by a nudge after each event."""
    deliveries.sweep(seconds=60)


@shared_task
def sweep_redrafts() -> None:
    """Cases whose new draft did not come in time go back to people. Runs by beat."""
    lifecycle.resume_overdue_redrafts()


def nudge(task: Task) -> bool:
    """Ask the workers to run ``task`` now; False if the broker did not take the message, which loses nothing but time.

    Never raises and never holds the caller for long: a step takes ``BROKER_SECONDS`` at most (but for a look-up of the
    broker's name), nothing is tried twice, and for ``QUIET_SECONDS`` after a failure nothing is tried at all.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        with pools.producers[_broker(task.app)].acquire(block=True, timeout=BROKER_SECONDS) as producer:
            task.apply_async(producer=producer, retry=False, ignore_result=True)
    except Exception as error:  # Of the broker's client, of its transport or of the pool: none is the caller's matter.
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("nudge_not_sent", task=task.name, error=type(error).__name__, quiet_seconds=QUIET_SECONDS)
        return False
    return True


@functools.cache
def _broker(app: Celery) -> Connection:
    """A connection of its own: Celery's waits for a lost broker, with retries and the workers' long timeouts."""
    return app.connection_for_write(
        connect_timeout=BROKER_SECONDS,
        transport_options={
            "socket_timeout": BROKER_SECONDS,
            "socket_connect_timeout": BROKER_SECONDS,
            "max_retries": 0,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        },
    )
