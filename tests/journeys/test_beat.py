"""The beat itself, as a real process: what it sweeps, and what health says once it is killed."""

import shelve
from datetime import UTC, datetime, timedelta
from pathlib import Path

import celery
import pytest
from celery.beat import ScheduleEntry
from django.test import Client

from cases.clock import db_now, pretend_now
from cases.models import Heartbeat
from cases.services import heartbeats
from config.celery import app
from config.health import GRACE
from queues.models import Entry, StepFired
from queues.services.deadlines import SWEEP
from tests.journeys.processes import WORKER, beat, kill, running, wait_until
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db(transaction=True)


def health(after: timedelta = timedelta()) -> tuple[int, list[str], int]:
    """What a monitor sees ``after`` so long: the status, the problems, and how many are overdue and not escalated."""
    with pretend_now(db_now() + after):
        response = Client().get("/health/")
    body = response.json()
    return response.status_code, body["problems"], body["figures"]["overdue_not_escalated"]


def test_the_real_beat_sweeps_and_health_turns_red_by_itself_when_it_is_killed(tmp_path: Path):
    world = make_world()
    let_all_be_due(tmp_path)
    assert any("has ever run" in problem for problem in health()[1])
    miss_one(world)
    with running(tmp_path, "worker", *WORKER):
        with running(tmp_path, "beat", *beat(tmp_path)) as process:
            wait_until(lambda: health() == (200, [], 0))
            kill(process)
        wait_until(all_is_worked_off)
        assert StepFired.objects.count() == 3, "warn, notify, escalate: each once"
        swept_at = heartbeats.last(SWEEP).at
        miss_one(world)
        # The worker lives and says so; nobody tells it to sweep any more.
        wait_until(lambda: Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER, at__gt=swept_at).exists())
    log = (tmp_path / "worker.log").read_text()
    assert "raised unexpected" not in log, "every task that the beat sends runs through"
    status, problems, overdue = health(GRACE + timedelta(seconds=20))
    assert (status, overdue) == (503, 1)
    for words in ("not being swept", "Missed deadlines are not being marked"):
        assert any(words in problem for problem in problems), problems


def miss_one(world: World) -> None:
    """A case whose deadline passes unseen; one that is past on arrival would call for a sweep by itself."""
    case = world.submit()
    past = db_now() - timedelta(minutes=1)
    Entry.objects.filter(case=case).update(due_at=past, next_step_at=past)


def all_is_worked_off() -> bool:
    """Whether the broker holds nothing that the beat sent before it was killed, and no worker is at it."""
    with app.connection_for_read() as broker:
        client = broker.default_channel.client
        return not client.exists(app.conf.task_default_queue, "unacked")


def let_all_be_due(folder: Path) -> None:
    """A schedule as a beat leaves it that ran long ago: the next one sends everything at once."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with shelve.open(str(folder / "beat-schedule")) as store:
        store["entries"] = {
            name: ScheduleEntry(name=name, last_run_at=long_ago, app=app, **planned)
            for name, planned in app.conf.beat_schedule.items()
        }
        store["__version__"], store["tz"], store["utc_enabled"] = celery.__version__, app.conf.timezone, True
