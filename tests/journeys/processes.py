"""Real processes of the product against the tests' own database and broker, for faults that no thread can have."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from config.processes import Process

WORKER = ("celery", "--app", "config", "worker", "--concurrency", "2", "--without-gossip", "--without-mingle")


def beat(folder: Path) -> tuple[str, ...]:
    return ("celery", "--app", "config", "beat", "--schedule", str(folder / "beat-schedule"), "--pidfile=")


@contextmanager
def running(folder: Path, name: str, *command: str, **environment: str) -> Iterator[Process]:
    """``python -m command`` in a process group of its own until the block ends, its log in ``folder``."""
    process = Process(
        name,
        [sys.executable, "-m", *command],
        log=folder / f"{name}.log",
        folder=Path(settings.BASE_DIR),
        env={**os.environ, "DATABASE_URL": _test_database(), "PYTHONUNBUFFERED": "1", **environment},
        stop_signals=((signal.SIGTERM, 1.0), (signal.SIGQUIT, 1.0)),
    )
    process.start()
    try:
        yield process
    finally:
        process.stop()


def kill(process: Process) -> None:
    """``kill -9`` of the process and all its children at once."""
    os.killpg(process.pid, signal.SIGKILL)
    wait_until(lambda: not process.is_running())


def wait_until(happened: Callable[[], bool], seconds: float = 60, *, meanwhile: Callable[[], object] | None = None):
    """Wait for what must happen within ``seconds``, doing ``meanwhile`` four times a second."""
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "It did not happen in time."
        if meanwhile:
            meanwhile()
        time.sleep(0.25)


def _test_database() -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
