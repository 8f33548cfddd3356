"""Servers for the tests, as a pytest plugin (``-p tests.servers``): PostgreSQL and Valkey of their own, where the
environment names none, in a temporary folder that goes when they stop; with ``-n`` a pair for each worker.

It acts before pytest-django reads the settings. Set ``DATABASE_URL`` and ``REDIS_URL`` to run the tests elsewhere;
the user of that database must own it and be allowed to create databases.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from config import embedded

STARTED_HERE = "COUNTERSIGN_TESTS_STARTED"  # the variables that name servers of ours


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    # The settings take the demo's data folder for a running demo: tests must never meet one.
    os.environ["COUNTERSIGN_DATA"] = os.devnull
    os.environ["COUNTERSIGN_INSECURE_HTTP"] = "1"
    if os.environ.get("PYTEST_XDIST_WORKER") and os.environ.get(STARTED_HERE):
        # Each worker has servers of its own: the tests wipe brokers and crash databases.
        for name in os.environ.pop(STARTED_HERE).split():
            del os.environ[name]
    database, broker = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if not (database or broker):
        return
    os.environ[STARTED_HERE] = " ".join(["DATABASE_URL"] * database + ["REDIS_URL"] * broker)
    folder = Path(tempfile.mkdtemp(prefix="countersign-tests-"))
    # Runs however the run ends, after a usage error and Ctrl-C too; after a `kill -9` the kernel stops the servers.
    early_config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    try:
        running = embedded.start(folder, database=database, broker=broker, durable=False)
    except embedded.CannotStart as error:
        log = "".join(path.read_text(errors="replace") for path in folder.glob("logs/*.log"))
        raise pytest.UsageError(f"{error}\n{log[-2000:]}") from None
    early_config.add_cleanup(running.stop)
    if database:
        os.environ["DATABASE_URL"] = running.database_url
    if broker:
        os.environ["REDIS_URL"] = running.redis_url
