"""Doing many things at once and timing them: in threads, and over HTTP against a gunicorn of our own."""

import contextlib
import http.client
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

from config.embedded import free_port
from config.processes import Process

THREADS = 8
PROJECT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 60
SECONDS_TO_ANSWER = 30


@dataclass
class Timing:
    """One round: wall-clock seconds, and the seconds of each operation."""

    elapsed: float = 0.0
    each: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Operations a second."""
        return len(self.each) / self.elapsed


def in_threads(jobs: Sequence[Callable[[object], None]], enter: Callable[[], object] = lambda: None) -> Timing:
    """Run every job once, by ``THREADS`` threads. ``enter`` makes what each thread needs before the clock starts; a job
    is given it. The first exception of a job is raised here."""
    waiting: queue.SimpleQueue[Callable[[object], None]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    timing, errors = Timing(), []
    ready = threading.Barrier(THREADS + 1)

    def work() -> None:
        try:
            try:
                tool = enter()
            finally:
                ready.wait()
            with contextlib.suppress(queue.Empty):
                while not errors:
                    job = waiting.get_nowait()
                    began = time.perf_counter()
                    job(tool)
                    timing.each.append(time.perf_counter() - began)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, name=f"load-{number}") for number in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    timing.elapsed = time.perf_counter() - began
    if errors:
        raise errors[0]
    return timing


def timed(operation: Callable[[], object]) -> float:
    """How many seconds it took."""
    began = time.perf_counter()
    operation()
    return time.perf_counter() - began


@contextlib.contextmanager
def gunicorn(database_url: str, logs: Path, *, settings: str = "config.settings") -> Iterator[int]:
    """The web as the demo serves it, two workers of four threads, over ``database_url``; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    command += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--keep-alive", "30"]
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DATABASE_POOL": "6",
        "DJANGO_SETTINGS_MODULE": settings,
        "LOG_LEVEL": "ERROR",
    }
    web = Process("gunicorn", command, log=logs / f"web-{port}.log", env=environment, folder=PROJECT)
    web.start()
    try:
        _await(web, port)
        yield port
    finally:
        web.stop()


def _await(web: Process, port: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while web.is_running() and time.monotonic() < deadline:
        # Any answer will do: only the product's own addresses include one for this.
        with contextlib.suppress(OSError), contextlib.closing(client(port)) as one:
            one.request("GET", "/health/live/")
            one.getresponse().read()
            return
        time.sleep(0.1)
    raise RuntimeError(f"gunicorn does not answer: {web.log.read_text(errors='replace')[-1000:]}")


def client(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)


def post(connection: http.client.HTTPConnection, path: str, body: bytes, token: str = "", *, expect: int) -> None:
    """Raises ``AssertionError`` with the answer for any other status than ``expect``."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    assert response.status == expect, f"{path} answered {response.status}: {answer[:500]!r}"
