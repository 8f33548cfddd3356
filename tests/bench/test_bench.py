"""The bench itself: a small version of it runs, so that it cannot rot unnoticed."""

import os
import re
import subprocess
import sys

import pytest

from .figures import Figure, table
from .load import PROJECT, in_threads


@pytest.mark.timeout(300)
def test_quick_bench_measures_everything_on_servers_of_its_own() -> None:
    """Whatever database the environment names: it must not be touched."""
    environment = os.environ | {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench.run", "--quick"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    measured = ("claims, in process", "claims over HTTP", "one claim", "sweep of lost leases", "intake over HTTP")
    for what in (*measured, "verifying"):
        assert re.search(rf"^\| {what}", run.stdout, re.MULTILINE), f"{what} is missing in\n{run.stdout}"
    assert "0.00 |" not in run.stdout.replace("0.00 s", "")


def test_table_shows_a_ratio_beside_its_baseline() -> None:
    lines = list(table([Figure("claims", 1200, "100/s"), Figure("fast claims", 1200, "250/s", 2.5, "claims")]))
    assert lines[1].startswith("|---")
    assert lines[3] == "| fast claims | 1,200 | 250/s  |  2.50 | claims |"
    assert len({len(line) for line in lines}) == 1


def test_failing_job_fails_the_whole_round() -> None:
    def fail(tool: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_threads([fail] * 20)


def test_thread_that_cannot_start_fails_the_round_and_hangs_nobody() -> None:
    def refuse() -> object:
        raise ConnectionError("down")

    with pytest.raises(ConnectionError, match="down"):
        in_threads([lambda tool: None] * 20, refuse)
