"""Real threads against the real database, for tests of races."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


def in_parallel(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run every job in a thread of its own, all released at once; the results, an exception in place of each failure.

    The test needs ``django_db(transaction=True)``: other connections see only what is committed.
    """
    gate = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return job()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def failures(results: Sequence[Any]) -> list[Exception]:
    """What went wrong among the results of ``in_parallel``."""
    return [result for result in results if isinstance(result, Exception)]
