"""Waking the workers. A nudge only says that there is work; PostgreSQL holds the work itself."""

import functools
import time

import structlog
from celery import Celery, current_app
from kombu import Connection, pools

log = structlog.get_logger(__name__)

SWEEP_DELIVERIES = "cases.tasks.sweep_deliveries"
SWEEP_RECALLS = "cases.tasks.sweep_recalls"

BROKER_SECONDS = 0.04  # per step of a nudge: to a connection, to connect, to an answer
QUIET_SECONDS = 5.0  # After a failure nobody asks the broker so long: the sweeps of beat do its work meanwhile.

_quiet_until = 0.0


def nudge(task: str) -> bool:
    """Ask the workers to run the task of this name now; False if the broker did not take it, which loses only time.

    Never raises and never holds the caller for long: a step takes ``BROKER_SECONDS`` at most (but for a look-up of the
    broker's name), nothing is tried twice, and for ``QUIET_SECONDS`` after a failure nothing is tried at all.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return False
    try:
        broker = _broker(current_app._get_current_object())
        with pools.producers[broker].acquire(block=True, timeout=BROKER_SECONDS) as producer:
            current_app.send_task(task, producer=producer, retry=False, ignore_result=True)
    except Exception as error:  # Of the broker's client, of its transport or of the pool: none is the caller's matter.
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("nudge_not_sent", task=task, error=type(error).__name__, quiet_seconds=QUIET_SECONDS)
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
