"""What a worker does with the next action that is due: its state says what."""

from collections.abc import Callable

import structlog

from ..models import ActionJob, ProposedAction
from ..states import ActionState
from . import dispatch, jobs, previews
from .jobs import Job

log = structlog.get_logger(__name__)

STEPS = {
    ActionState.PROPOSED: previews.run,
    ActionState.PREVIEW_FAILED: previews.run,
    ActionState.APPROVED: dispatch.run,
    ActionState.EXECUTING: dispatch.recover,
    ActionState.UNKNOWN: dispatch.recover,
}


def run_next() -> bool:
    """Do the next step of the action that has been due the longest; False when nothing is due."""
    job = jobs.lease_next()
    if job is None:
        return False
    run(job)
    return True


def run(job: Job) -> None:
    """One step of one action. An error in it is logged, and the lease lets another worker try when it has run out."""
    try:
        step_of(job)(job)
    except Exception:
        log.exception("action_step_failed", action=str(job.action_id))


def step_of(job: Job) -> Callable[[Job], None]:
    """What the action of ``job`` needs next; where that is nothing, the job goes."""
    state = ProposedAction.objects.values_list("state", flat=True).get(pk=job.action_id)
    return STEPS.get(ActionState(state), _nothing)


def _nothing(job: Job) -> None:
    ActionJob.objects.filter(action=job.action_id).delete()
