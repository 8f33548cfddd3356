"""Weekly exports beside writers that commit late, beside each other, and killed: the files together are the table."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent, Content
from feedback.models import ExportedOverride, Review, WeeklyExport
from feedback.services.weekly import export_due, fix_next, missed
from feedback.weeks import Week
from tests.feedback.corrections import override
from tests.threads import failures, in_parallel
from tests.worlds import make_world

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, ROUNDS = 50, 6
WEEK = timedelta(days=7)

# Says when it begins, so that it is killed in its work and not while Python starts.
EXPORTER = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from cases.models import Tenant
from feedback.services.weekly import export_due
from feedback.weeks import Week
tenant = Tenant.objects.get(slug="acme")
print("begins", flush=True)
export_due(tenant, until=Week.parse(sys.argv[1]))
"""


@pytest.fixture
def folder(settings, tmp_path):
    backend = {"BACKEND": "feedback.folders.ExportFolder", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"exports": backend}
    return tmp_path


@pytest.fixture
def world(folder):
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def again(first: Review, at) -> Review:
    """Another override like ``first``, decided at ``at``, in the caller's transaction."""
    content = Content(tenant_id=first.tenant_id, owner=Content.Owner.REVIEW, body={"final_answer": "No."})
    content.save(force_insert=True)
    values = {field.attname: getattr(first, field.attname) for field in Review._meta.fields}
    del values["id"], values["xid"], values["content_id"]
    review = Review(**values | {"created_at": at, "content": content, "content_digest": content.digest()})
    review.save(force_insert=True)
    return review


def environment(folder: Path) -> dict[str, str]:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    return os.environ | {"DATABASE_URL": url, "EXPORTS_FOLDER": str(folder), "LOG_LEVEL": "ERROR"}


def start(folder: Path, week: Week) -> subprocess.Popen:
    command = [sys.executable, "-c", EXPORTER, str(week)]
    return subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_fifty_writers_and_killed_exports_leave_each_override_in_exactly_one_file(world, folder):
    began = db_now() - 12 * WEEK
    first = override(world, at=began)
    weeks = [Week.of(began + number * WEEK, ZoneInfo("UTC")) for number in range(ROUNDS)]
    stop = Event()

    def write(number: int) -> int:
        dice, kept = random.Random(number), 0
        while not stop.is_set():
            try:
                with transaction.atomic():
                    for _ in range(dice.randint(1, 3)):
                        again(first, began + dice.random() * ROUNDS * WEEK)
                    time.sleep(dice.random() * 0.8)  # Open, while exports come and go.
                    if dice.random() < 0.2:
                        raise InterruptedError
                kept += 1
            except InterruptedError:
                pass
            time.sleep(dice.random() * 0.5)
        return kept

    def beside(week: Week) -> int:
        """The other of two beats at once; what it takes to write, it finishes."""
        export_due(world.tenant, until=week)
        return 0

    results: list = []
    writers = Thread(target=lambda: results.extend(in_parallel([lambda n=n: write(n) for n in range(WRITERS)])))
    writers.start()
    dice, killed = random.Random(7), 0
    try:
        for week in weeks:
            exporter = start(folder, week)
            assert exporter.stdout.readline() == b"begins\n", exporter.stderr.read()
            beat = Thread(target=lambda week=week: results.extend(in_parallel([lambda: beside(week)])))
            beat.start()
            time.sleep(dice.random() * 0.12)
            if exporter.poll() is None:
                exporter.send_signal(signal.SIGKILL)
                killed += 1
            exporter.communicate(timeout=60)
            beat.join()
    finally:
        stop.set()
        writers.join()
    assert failures(results) == []
    with pretend_now(db_now() + timedelta(minutes=5)):  # The leases of those that were killed have run out.
        export_due(world.tenant)

    table = set(Review.objects.values_list("pk", flat=True))
    exported = Counter(
        json.loads(line)["review_id"] for path in folder.glob("acme/overrides-*.jsonl") for line in path.open()
    )
    assert sum(results) > WRITERS
    assert killed >= ROUNDS // 2
    assert set(exported) == {review.wire_id for review in Review.objects.only("pk")}
    assert exported.total() == len(table), "no duplicates"
    assert missed() == []
    exports = WeeklyExport.objects.all()
    assert exports.filter(counts__late__gt=0).exists(), "some committed after their week had gone out"
    assert CaseEvent.objects.filter(kind=CaseEvent.Kind.EXPORT_READY).count() == exports.count()
    for export in exports:
        for file in export.files[:2]:
            assert hashlib.sha256((folder / file["key"]).read_bytes()).hexdigest() == file["sha256"], export


def test_a_row_that_commits_after_its_week_went_out_is_in_the_next_file(world, folder):
    began = db_now() - 3 * WEEK
    first = override(world, at=began)
    zone = ZoneInfo("UTC")
    opened, go_on = Event(), Event()

    def slow() -> Review:
        with transaction.atomic():
            review = again(first, began)
            opened.set()
            assert go_on.wait(30)
        return review

    def export() -> list[WeeklyExport]:
        assert opened.wait(30)
        try:
            return export_due(world.tenant, until=Week.of(began, zone))
        finally:
            go_on.set()

    review, (early,) = in_parallel([slow, export])
    assert early.counts["overrides"] == 1
    assert int(early.watermark) <= int(Review.objects.get(pk=review.pk).xid), "the watermark did not promise that row"
    (late,) = export_due(world.tenant, until=Week.of(began + WEEK, zone))
    assert late.counts == {"overrides": 1, "late": 1, "corrections": 0}
    assert ExportedOverride.objects.get(review=review).export == late


def test_two_beats_at_once_make_one_export_of_a_week(world, folder):
    first = override(world, at=db_now() - 2 * WEEK)
    until = Week.of(first.created_at, ZoneInfo("UTC"))
    results = in_parallel([lambda: fix_next(world.tenant, until=until)] * 8)
    assert failures(results) == []
    assert len([export for export in results if export]) == 1
    assert sum(bool(done) for done in in_parallel([lambda: export_due(world.tenant, until=until)] * 8)) == 1
    assert CaseEvent.objects.filter(kind=CaseEvent.Kind.EXPORT_READY).count() == 1
