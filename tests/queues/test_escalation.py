"""Steps of an SLA taken for real entries: each once, in order, whoever sweeps and however late."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent, Notice
from cases.models.people import system_actor
from cases.services import intake
from cases.vocabulary import Verdict
from cases.wire.intake import parse_draft
from feedback.services import reviews
from feedback.submission import Submission
from queues import tasks
from queues.models import BusinessCalendar, Entry, SlaStep, StepFired
from queues.services import asides, claims, deadlines, sweeping
from queues.services.deadlines import look_anew, sweep_deadlines
from queues.services.setup import create_queue
from queues.steps import StepKind
from tests.threads import failures, in_parallel
from tests.worlds import FAIR, SURE, make_world

K = StepKind
HOUR = timedelta(hours=1)
STANDARD = [(50, K.WARN), (80, K.NOTIFY), (100, K.ESCALATE)]  # The world's queue gives four hours.
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world(db):
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 1.0})


def send_overdue_to(world, slug="urgent"):
    target = create_queue(
        world.tenant,
        actor=system_actor(),
        slug=slug,
        name=slug.title(),
        domains=["nothing-comes-here-by-itself"],
        sla_policy=world.queue.sla_policy,
    )
    world.queue.escalation_target = target
    world.queue.save_as(system_actor(), "escalates")
    return target


def give_steps(world, *steps):
    for share, kind, again in steps:
        SlaStep(policy=world.queue.sla_policy, share=share, kind=kind, again_every=again).save_as(system_actor())


def sweep_after(hours: float):
    with pretend_now(db_now() + hours * HOUR):
        claims.return_lost()
        return sweep_deadlines()


def taken(case) -> list[tuple[int, str]]:
    return list(StepFired.objects.filter(case=case).order_by("planned_at", "share", "id").values_list("share", "kind"))


def told(case) -> list[tuple[str, str]]:
    rows = Notice.objects.filter(subject=case.wire_id).order_by("id")
    return [(notice.kind, notice.user.first_name) for notice in rows.select_related("user")]


# --- which, when, once ------------------------------------------------------------------------------------------------


def test_each_step_is_taken_at_its_share_and_never_again(world):
    case = world.submit()
    seen = []
    for hours in (1.9, 2.1, 2.1, 3.1, 3.3, 3.9, 4.1, 4.1, 5.9, 6.1):
        sweep_after(hours)
        seen.append(len(taken(case)))
    assert seen == [0, 1, 1, 1, 2, 2, 3, 3, 3, 4]
    assert taken(case) == [*STANDARD, (150, K.ESCALATE)]


def test_after_an_hour_without_a_beat_all_that_was_missed_is_taken_in_order(world):
    give_steps(world, (25, K.WARN, None), (50, K.NOTIFY, 25), (100, K.RAISE_PRIORITY, None), (100, K.ESCALATE, None))
    case = world.submit()
    swept = sweep_after(4.5)
    assert taken(case) == [
        (25, K.WARN),
        (50, K.NOTIFY),
        (75, K.NOTIFY),
        (100, K.RAISE_PRIORITY),
        (100, K.NOTIFY),
        (100, K.ESCALATE),
    ]
    assert (swept.looked_at, swept.missed, swept.steps[K.NOTIFY]) == (1, 1, 3)
    assert [fired.at for fired in StepFired.objects.all()] == [StepFired.objects.first().at] * 6


def test_a_deadline_of_the_caller_in_the_past_is_accepted_breached_and_alarmed_at_once(world):
    case = world.submit(sla_deadline=(db_now() - HOUR).isoformat())
    assert Entry.objects.get(case=case).breached_at is not None
    assert case.events.filter(kind=CaseEvent.Kind.SLA_BREACHED).count() == 1
    swept = sweep_deadlines()
    assert (swept.missed, taken(case)) == (0, STANDARD)
    assert told(case) == [("sla.notify", "Sue"), ("sla.escalate", "Sue")]
    sweep_after(0.2)
    assert taken(case) == STANDARD, "one that was late from the start is not spoken of at every sweep"


def test_the_workers_own_clock_does_not_matter(world, monkeypatch):
    world.queue.sla_policy.amount, world.queue.sla_policy.unit = 10, "minutes"
    world.queue.sla_policy.save_as(system_actor())
    case = world.submit()
    now = time.time()
    for minutes in (10, -10):
        monkeypatch.setattr(time, "time", lambda off=minutes: now + off * 60)
        monkeypatch.setattr(timezone, "now", lambda off=minutes: db_now() + timedelta(minutes=off))
        assert sweep_deadlines().looked_at == 0, "neither early"
    assert taken(case) == []
    Entry.objects.update(due_at=db_now(), clock_started_at=db_now() - timedelta(minutes=10), next_step_at=db_now())
    assert (sweep_deadlines().looked_at, sweep_deadlines().looked_at) == (1, 0)
    assert taken(case) == STANDARD, "nor late, nor twice"


def test_a_policy_goes_by_its_own_steps_and_a_change_reaches_what_waits_already(world):
    case = world.submit()
    give_steps(world, (10, K.RAISE_PRIORITY, 10))
    before = Entry.objects.get(case=case).priority
    sweep_after(1)
    assert taken(case) == [], "nobody has told the sweep"
    assert look_anew(world.queue.sla_policy_id) == 1
    sweep_after(1)
    assert taken(case) == [(10, K.RAISE_PRIORITY), (20, K.RAISE_PRIORITY)]
    assert Entry.objects.get(case=case).priority == before + 10


# --- pauses and other deadlines ---------------------------------------------------------------------------------------


def pause(world, case, hours: float, at_hours: float) -> None:
    """A wish for a new draft after ``at_hours``, which comes ``hours`` later."""
    start = Entry.objects.get(case=case).entered_at + at_hours * HOUR
    with pretend_now(start):
        entry = claims.claim(case, world.reviewer)
        wish = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
        reviews.submit(case.pk, wish, actor=world.reviewer, generation=entry.generation)
    with pretend_now(start + hours * HOUR):
        intake.add_draft(case.pk, parse_draft({"model_draft": "Better.", "signals": FAIR}), actor=world.service)


def test_a_pause_moves_the_steps_ahead_just_as_the_deadline(world):
    case = world.submit()
    due = Entry.objects.get(case=case).due_at
    pause(world, case, hours=3, at_hours=1)
    entry = Entry.objects.get(case=case)
    assert entry.due_at == due + 3 * HOUR
    assert entry.next_step_at == entry.entered_at + 5 * HOUR
    sweep_after(4.9)
    assert taken(case) == []
    sweep_after(5.1)
    assert taken(case) == STANDARD[:1]
    sweep_after(7.1)
    assert taken(case) == STANDARD


def test_no_step_is_taken_while_the_clock_stands(world):
    case = world.submit()
    entry = world.claim()
    wish = Submission(verdict=Verdict.NEEDS_EDIT, notes="reason")
    reviews.submit(case.pk, wish, actor=world.reviewer, generation=entry.generation)
    assert sweep_after(100).looked_at == 0


def test_no_pause_moves_the_callers_own_deadline(world):
    wanted = db_now() + 2 * HOUR
    case = world.submit(sla_deadline=wanted.isoformat())
    pause(world, case, hours=1, at_hours=0.5)
    assert abs(Entry.objects.get(case=case).due_at - wanted) < timedelta(seconds=1)


def test_a_pause_over_closed_hours_moves_no_business_deadline(world):
    calendar = BusinessCalendar(
        tenant=world.tenant, name="Mornings", hours={str(day): [["09:00", "12:00"]] for day in range(7)}
    )
    calendar.save_as(system_actor())
    policy = world.queue.sla_policy
    policy.calendar = calendar
    policy.save_as(system_actor())
    nine = (db_now() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    with pretend_now(nine):
        case = world.submit()
    due = Entry.objects.get(case=case).due_at
    assert due == nine + timedelta(days=1, hours=1), "four hours, three of them on the first day"
    pause(world, case, hours=20, at_hours=4)  # From 13:00 to 9:00.
    assert Entry.objects.get(case=case).due_at == due


def test_an_undone_decision_goes_on_with_its_clock(world):
    case = world.submit()
    sweep_after(2.1)
    entry = world.claim()
    reviews.submit(case.pk, Submission(verdict=Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)
    reviews.undo(case.pk, actor=world.reviewer)
    with pretend_now(db_now() + 3.3 * HOUR):
        sweep_deadlines()
    assert taken(case) == STANDARD[:2]


# --- where it goes, and who hears -------------------------------------------------------------------------------------


def test_warnings_go_to_the_holder_and_later_ones_to_the_supervisors_too(world):
    case = world.submit()
    with pretend_now(db_now() + 2 * HOUR):
        world.claim()
    with pretend_now(db_now() + 2.1 * HOUR):
        sweep_deadlines()
    assert told(case) == [("sla.warn", "Rita")]
    with pretend_now(db_now() + 4.1 * HOUR):
        sweep_deadlines()
    assert told(case)[1:] == [
        ("sla.notify", "Rita"),
        ("sla.notify", "Sue"),
        ("sla.escalate", "Rita"),
        ("sla.escalate", "Sue"),
    ]
    assert all(world.queue.slug in notice.text and "shoes" not in notice.text for notice in Notice.objects.all())


def test_what_somebody_holds_escalates_and_moves_once_it_is_let_go(world):
    target = send_overdue_to(world)
    case = world.submit()
    with pretend_now(db_now() + 3.9 * HOUR):
        entry = world.claim()
    with pretend_now(db_now() + 4.05 * HOUR):
        assert sweep_deadlines().moved == 0
    assert (100, K.ESCALATE) in taken(case)
    assert Entry.objects.get(case=case).queue == world.queue
    claims.release(case.pk, world.reviewer, entry.generation)
    with pretend_now(db_now() + 4.1 * HOUR):
        assert sweep_deadlines().moved == 1
    entry = Entry.objects.get(case=case)
    assert (entry.queue, entry.queue_reason) == (target, "urgent: overdue in general")
    assert sweep_after(4.2).moved == 0


def test_a_lost_lease_lets_an_escalated_case_go(world):
    target = send_overdue_to(world)
    case = world.submit()
    with pretend_now(db_now() + 3.9 * HOUR):
        world.claim()
    with pretend_now(db_now() + 4.05 * HOUR):
        sweep_deadlines()
    assert sweep_after(4.5).moved == 1
    assert Entry.objects.get(case=case).queue == target


def test_an_escalated_case_goes_by_its_new_queues_steps(world):
    target = send_overdue_to(world)
    further = create_queue(
        world.tenant, actor=system_actor(), slug="last", name="Last", domains=["x"], sla_policy=world.queue.sla_policy
    )
    target.escalation_target = further
    target.save_as(system_actor())
    case = world.submit()
    sweep_after(4.1)
    assert Entry.objects.get(case=case).queue == target
    sweep_after(6.1)
    assert Entry.objects.get(case=case).queue == further


def test_a_second_look_moves_and_is_told_to_nobody(world):
    case = world.submit(signals=SURE)
    sweep_after(4.1)
    assert taken(case) == STANDARD
    assert not Notice.objects.exists()


def test_who_has_left_hears_nothing(world):
    world.supervisor.memberships.update(is_active=False)
    case = world.submit()
    sweep_after(4.1)
    assert taken(case) == STANDARD
    assert told(case) == []


def test_nothing_reaches_another_tenant(world):
    make_world("other").submit()
    case = world.submit()
    sweep_after(4.1)
    for notice in Notice.objects.select_related("user"):
        assert notice.user.memberships.get().tenant_id == notice.tenant_id
    assert {name for _, name in told(case)} == {"Sue"}


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_a_sweep_takes_as_many_statements_for_one_case_as_for_forty(world):
    counts = []
    for size in (1, 40):
        for _ in range(size):
            world.submit()
        with CaptureQueriesContext(connection) as queries:
            sweep_after(4.1)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30, counts


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_once_take_each_step_once(monkeypatch):
    monkeypatch.setattr(deadlines, "BATCH", 7)
    world = make_world()
    cases = [world.submit() for _ in range(30)]
    claims.claim(cases[0], world.reviewer)
    results = in_parallel([lambda: sweep_after(4.1)] * 4)
    assert not failures(results)
    assert sum(swept.missed for swept in results) == 30
    assert Counter(StepFired.objects.values_list("share", "kind")) == {step: 30 for step in STANDARD}
    assert Notice.objects.values("key").distinct().count() == Notice.objects.count()


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_of_a_sweep_takes_nothing_and_the_next_takes_all_once():
    """A real process: it has stored the steps, waits for a lock on the notices, and dies there with kill -9."""
    world = make_world()
    cases = [world.submit(sla_deadline=(db_now() - HOUR).isoformat()) for _ in range(5)]
    environment = os.environ | {"DATABASE_URL": test_database(), "LOG_LEVEL": "ERROR"}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE cases_notice IN ACCESS EXCLUSIVE MODE")
        worker = subprocess.Popen([sys.executable, "manage.py", "sweep"], cwd=PROJECT, env=environment)
        try:
            await_waiting_lock()
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    assert not StepFired.objects.exists()
    assert not Entry.objects.exclude(share_done=0).exists()
    done = subprocess.run(
        [sys.executable, "manage.py", "sweep"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert "Entries looked at: 5" in done.stdout and "5 × escalate" in done.stdout
    assert [taken(case) for case in cases] == [STANDARD] * 5


@pytest.mark.django_db(transaction=True)
def test_the_sweep_of_the_beat_runs_outside_of_any_transaction_of_its_caller():
    world = make_world()
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    until = db_now() + HOUR
    asides.snooze(case.pk, world.reviewer, entry.generation, until=until)
    with pretend_now(until + claims.LEASE + HOUR):
        done = sweeping.sweep()
    assert (done.kept, done.deadlines.looked_at) == (1, 1)
    tasks.sweep()


@pytest.mark.django_db(transaction=True)
def test_a_part_of_the_sweep_that_fails_keeps_no_deadline_waiting():
    world = make_world()
    case = world.submit()
    rename = "ALTER TABLE queues_consultation{} RENAME TO queues_consultation{}"
    with connection.cursor() as cursor:
        cursor.execute(rename.format("", "_away"))
        try:
            with pretend_now(db_now() + 4.1 * HOUR), pytest.raises(ExceptionGroup) as faults:
                sweeping.sweep()
        finally:
            cursor.execute(rename.format("_away", ""))
    assert len(faults.value.exceptions) == 1
    assert taken(case) == STANDARD


def test_database() -> str:
    """The URL of the database that this test runs on."""
    head, slash, tail = os.environ["DATABASE_URL"].rpartition("/")
    return f"{head}{slash}{connection.settings_dict['NAME']}{tail[tail.index('?') :] if '?' in tail else ''}"


test_database.__test__ = False


def await_waiting_lock() -> None:
    for _ in range(300):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'cases_notice'::regclass")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.1)
    raise AssertionError("the sweep never came to the notices")


def test_the_database_refuses_a_step_that_was_taken_for_this_clock(world):
    case = world.submit()
    sweep_after(2.1)
    Entry.objects.filter(case=case).update(share_done=0, next_step_at=F("entered_at"))
    with pytest.raises(Exception, match="each_step_once_per_clock"), transaction.atomic():
        sweep_after(2.1)
