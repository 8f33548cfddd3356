"""A worker's signs of life, as a step of Celery's worker: a row that its main process renews, also while it is idle."""

import os

import structlog
from celery import bootsteps
from celery.worker import WorkController
from django.db import DatabaseError, connection

log = structlog.get_logger(__name__)

EVERY = 15.0  # seconds; a worker counts as dead after four that are missing


class SignsOfLife(bootsteps.StartStopStep):
    """Says every quarter of a minute that the worker lives, and at its proper end that it is not to be missed."""

    requires = frozenset({"celery.worker.components:Timer"})

    def __init__(self, parent: WorkController, **kwargs) -> None:
        super().__init__(parent, **kwargs)
        self._tick = None

    def start(self, parent: WorkController) -> None:
        self._say(parent)
        self._tick = parent.timer.call_repeatedly(EVERY, self._say, (parent,), priority=10)

    def stop(self, parent: WorkController) -> None:
        from cases.services import heartbeats

        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
            _quietly(lambda: heartbeats.stop(parent.hostname))

    def terminate(self, parent: WorkController) -> None:
        self.stop(parent)

    def _say(self, parent: WorkController) -> None:
        from cases.models import Heartbeat
        from cases.services import heartbeats

        _quietly(lambda: heartbeats.beat(Heartbeat.Kind.WORKER, parent.hostname, pid=os.getpid()))


def _quietly(write) -> None:
    """A database that is away is no reason for a worker to end. The connection is closed each time: the children that
    the pool forks must inherit none."""
    try:
        write()
    except DatabaseError as error:
        log.warning("sign_of_life_not_written", error=type(error).__name__)
    finally:
        connection.close()
