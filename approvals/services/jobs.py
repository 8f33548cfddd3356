"""Which actions a worker has to do something for, and when. The rows are the truth; a message is only a nudge."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from cases.clock import db_now
from cases.nudges import nudge

from ..models import ActionJob, ProposedAction
from ..states import ActionState

RUN_JOBS = "approvals.tasks.run_jobs"

# Longer than the longest two calls of a job, 30 s each (a preview again, then the execution).
LEASE = timedelta(seconds=75)

LEASE_NEXT = """
    UPDATE approvals_actionjob SET leased_until = %(until)s, attempts = attempts + 1
    WHERE action_id = (
        SELECT action_id FROM approvals_actionjob
        WHERE due_at <= %(now)s AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY due_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING action_id, attempts
"""


@dataclass(frozen=True)
class Job:
    """An action that is ours to work on until ``until``, which also tells our lease from a later one."""

    action_id: UUID
    until: datetime
    attempts: int


def schedule(action: ProposedAction, *, at: datetime, waits_for: str = "") -> None:
    """Have a worker look at ``action`` from ``at`` on, in the caller's transaction."""
    schedule_all([action], at=at, waits_for=waits_for)


def schedule_all(actions: list[ProposedAction], *, at: datetime, waits_for: str = "") -> None:
    ActionJob.objects.bulk_create(
        [ActionJob(action=action, due_at=at, waits_for=waits_for[:200]) for action in actions],
        update_conflicts=True,
        unique_fields=["action"],
        update_fields=["due_at", "leased_until", "attempts", "waits_for"],
    )
    transaction.on_commit(nudge_workers)


def drop(action: ProposedAction) -> None:
    """Nothing is left to be done for ``action`` by a worker."""
    ActionJob.objects.filter(action=action).delete()


def postpone(job: Job, *, until: datetime, waits_for: str) -> None:
    """Give a leased job back for later, saying why; nothing if its lease has passed to somebody else."""
    ActionJob.objects.filter(action=job.action_id, leased_until=job.until).update(
        due_at=until, leased_until=None, waits_for=waits_for[:200]
    )


def hold_on(job: Job) -> None:
    """Keep a lease that ``postpone`` has just given back in the same transaction."""
    ActionJob.objects.filter(action=job.action_id).update(leased_until=job.until)


def is_ours(job: Job) -> bool:
    """Whether the lease still is what it was; asked under the action's lock, which every lease's end takes too."""
    return ActionJob.objects.filter(action=job.action_id, leased_until=job.until).exists()


def overdue(before: datetime) -> QuerySet[ActionJob]:
    """What has been due since ``before`` and is under nobody's lease: the workers are behind, or gone."""
    return ActionJob.objects.filter(Q(leased_until=None) | Q(leased_until__lt=before), due_at__lt=before)


def failing() -> QuerySet[ActionJob]:
    """Dry runs that had no answer and are tried again; one that was refused leaves no job."""
    return ActionJob.objects.filter(action__state=ActionState.PREVIEW_FAILED)


@transaction.atomic
def lease_next() -> Job | None:
    """Take the job that has been due the longest, if there is one that nobody holds."""
    now = db_now()
    until = now + LEASE
    with connection.cursor() as cursor:
        cursor.execute(LEASE_NEXT, {"now": now, "until": until})
        row = cursor.fetchone()
    return Job(row[0], until, row[1]) if row else None


def nudge_workers() -> None:
    nudge(RUN_JOBS)
