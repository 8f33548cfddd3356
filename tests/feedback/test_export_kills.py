"""An export whose worker is killed, for real: the next one goes on where that one was, and the file is the same."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from cases.clock import db_now
from feedback.kinds import Kind
from feedback.models import Export
from feedback.services import export_runs, exports
from tests.feedback.exporting import asked, content, folder, labelled, made  # noqa: F401
from tests.worlds import World, make_world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]

# Tells of each page and then waits for a word, so that it is killed in its work.
WORKER = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from pathlib import Path
from uuid import UUID
from django.conf import settings
from feedback.services import export_runs
settings.EXPORT_SCRATCH = Path(sys.argv[2])
export_runs.PAGE = 2
def tell(export):
    print(export.rows_read, flush=True)
    sys.stdin.readline()
export_runs.run(UUID(sys.argv[1]), progress=tell)
"""


@pytest.fixture
def world() -> World:
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def start(export: Export, folder: Path) -> subprocess.Popen:  # noqa: F811
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    stored = {"DATABASE_URL": url, "EXPORTS_FOLDER": str(folder / "stored"), "LOG_LEVEL": "ERROR"}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(export.pk), str(folder / "unfinished")],
        cwd=settings.BASE_DIR,
        env=os.environ | stored,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(worker: subprocess.Popen, rows: int) -> None:
    while (line := worker.stdout.readline()).strip() != str(rows):
        assert line, worker.stderr.read()
        worker.stdin.write("\n")
        worker.stdin.flush()


def test_an_export_outlives_two_killed_workers_and_its_file_is_the_same_byte_for_byte(
    world,
    folder,  # noqa: F811
    monkeypatch,
):
    for number in range(9):
        labelled(world, final_answer=f"answer {number}")
    whole = content(made(world, Kind.GOLDEN_EVALS))
    monkeypatch.setattr(export_runs, "PAGE", 2)
    export = asked(world, Kind.GOLDEN_EVALS)
    assert export_runs.run(export.pk, seconds=0).checkpoint["rows_read"] == 2, "handed on after a page"
    for rows in (6, 4):  # The second begins at the checkpoint, not where the first was killed.
        worker = start(export, folder)
        read_until(worker, rows)
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        held = Export.objects.get(pk=export.pk)
        assert (held.state, held.rows_read) == ("running", rows)
        Export.objects.filter(pk=export.pk).update(leased_until=db_now() - timedelta(seconds=1))
    export_runs.sweep()
    done = Export.objects.get(pk=export.pk)
    assert (done.state, done.rows_read, content(done)) == ("ready", 9, whole)
    assert not list((folder / "unfinished").iterdir())


def test_a_worker_that_is_alive_stops_by_itself_when_its_export_is_cancelled(world, folder):  # noqa: F811
    for number in range(5):
        labelled(world, final_answer=f"answer {number}")
    export = asked(world, Kind.GOLDEN_EVALS)
    worker = start(export, folder)
    read_until(worker, 2)
    exports.cancel(export.pk, actor=world.supervisor)
    worker.communicate("\n", timeout=60)
    assert worker.returncode == 0
    assert Export.objects.get(pk=export.pk).state == "cancelled"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
