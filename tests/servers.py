"""Servers for the tests, as a pytest plugin (``-p tests.servers``): PostgreSQL and Valkey of their own, where the
environment names none, in a temporary folder that goes when they stop; with ``-n`` a pair for each worker.

The migrations run once: their result is kept as a cluster in pytest's cache, under a name that changes with them, and
each run starts on a copy, where pytest-django copies the test database from ``MIGRATED`` and still migrates it.

It acts before pytest-django reads the settings. Set ``DATABASE_URL`` and ``REDIS_URL`` to run the tests elsewhere;
the user of that database must own it and be allowed to create databases.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from config import embedded

STARTED_HERE = "COUNTERSIGN_TESTS_STARTED"  # the variables that name servers of ours
MIGRATED = embedded.DATABASE  # the database of the kept cluster in which the migrations ran
ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".pytest_cache" / "d" / "migrated"  # where pytest's own ``cache.mkdir`` would put it
DECIDE_THE_SCHEMA = ("*/migrations/*.py", "requirements.lock", "config/embedded.py", "tests/servers.py")


class CannotMigrate(Exception):
    """The migrations failed; the message is what they printed."""


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
        if database:
            copy_migrated(folder)
        running = embedded.start(folder, database=database, broker=broker, durable=False)
    except (embedded.CannotStart, CannotMigrate) as error:
        log = "".join(path.read_text(errors="replace") for path in folder.glob("logs/*.log"))
        raise pytest.UsageError(f"{error}\n{log[-2000:]}") from None
    early_config.add_cleanup(running.stop)
    if database:
        os.environ["DATABASE_URL"] = running.database_url
    if broker:
        os.environ["REDIS_URL"] = running.redis_url


def copy_migrated(folder: Path) -> None:
    """Put a copy of the migrated cluster into ``folder``; the first run after a change of migrations makes it.

    One run at a time, so that none copies what another replaces. Raises ``CannotMigrate``, ``CannotStart``.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / schema_digest()
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            for outdated in KEPT.glob("*/"):
                shutil.rmtree(outdated)
            unfinished = KEPT / "unfinished"
            migrate(unfinished)
            (unfinished / "postgres").rename(kept)
            shutil.rmtree(unfinished)
        # Owners and modes are kept: under root the cluster belongs to the server's own user.
        subprocess.run(["cp", "-a", str(kept), str(folder / "postgres")], check=True)


def migrate(folder: Path) -> None:
    running = embedded.start(folder, broker=False, durable=False)
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=ROOT,
            env={
                **os.environ,
                "COUNTERSIGN_INSECURE_HTTP": "1",  # The benches start it too, without the hook above.
                "DATABASE_URL": running.database_url,
                "REDIS_URL": "redis://127.0.0.1:1/0",
            },
            capture_output=True,
            text=True,
        )
    finally:
        running.stop()
    if done.returncode:
        raise CannotMigrate(done.stderr)


def schema_digest() -> str:
    """Names the files that the migrated cluster was made from."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in DECIDE_THE_SCHEMA for path in ROOT.glob(pattern)):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
