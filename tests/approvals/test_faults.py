"""Actions carried out by real workers while the broker is wiped, workers are killed and PostgreSQL crashes."""

import os
import signal
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from approvals.models import ActionJob, ProposedAction
from approvals.services import types, work
from cases.models.people import system_actor
from cases.signing import new_secret
from tests.journeys.processes import WORKER, kill, running, wait_until
from tests.journeys.test_faults import wipe_the_broker

from .bank import Bank
from .desks import make_desk, make_due

pytestmark = pytest.mark.django_db(transaction=True)

EACH = 8  # actions for each fault


def crash_postgres() -> None:
    """``kill -9`` of a server process: PostgreSQL drops every connection and recovers from its log."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")  # What it replays is this test's own part, not that of all tests before it.
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        row = cursor.fetchone() or (connection.connection.info.backend_pid,)
    os.kill(row[0], signal.SIGKILL)

    def is_gone() -> bool:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except OperationalError:
            return True
        return False

    def is_back() -> bool:
        connection.close()
        return not is_gone()

    wait_until(is_gone)
    wait_until(is_back, seconds=120)


@pytest.fixture
def durable_commits(transactional_db):
    """As in production: what was acknowledged survives a crash. The tests' server trades that for speed."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    connection.close()


def test_every_action_runs_once_though_everything_below_it_breaks(tmp_path: Path, durable_commits):
    with Bank() as bank:
        desk = make_desk()
        desk.refunds.executor_kind, desk.refunds.executor = "http", bank.url
        desk.refunds.executor_secret = new_secret()
        types.publish(desk.refunds, actor=system_actor(), reason="the bank")

        def approve(count: int) -> None:
            for _ in range(count):
                desk.approve(desk.propose())

        def let_time_pass() -> None:
            for job in ActionJob.objects.select_related("action"):
                make_due(job.action)

        def work_starts() -> bool:
            return sum(bank.bookings.values()) > before

        task = ("celery", "--app", "config", "call", "approvals.tasks.run_jobs")
        for number, fault in enumerate(("worker", "broker", "postgres")):
            before = sum(bank.bookings.values())
            approve(EACH)
            with running(tmp_path, f"worker-{number}", *WORKER) as worker:
                with running(tmp_path, f"call-{number}", *task):
                    wait_until(work_starts)
                match fault:
                    case "worker":
                        kill(worker)
                    case "broker":
                        wipe_the_broker()
                    case "postgres":
                        crash_postgres()
        for _ in range(10):
            let_time_pass()
            while work.run_next():
                pass
            if not ActionJob.objects.exists():
                break
        states = set(ProposedAction.objects.values_list("state", flat=True))
        keys = {action.wire_id for action in ProposedAction.objects.all()}
        assert (states, set(bank.bookings), set(bank.bookings.values())) == ({"executed"}, keys, {1})
