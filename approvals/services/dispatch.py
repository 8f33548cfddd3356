"""Carrying an approved action out, at most once.

1. ``run`` asks for the dry run again and compares what must still hold (network, no transaction);
2. ``claim`` checks everything once more under the locks, the switch included, and writes the one ``Execution`` that the
   action may ever have (a transaction);
3. the executor is sent the stored bytes under the action's id as the key (network, no transaction);
4. ``settle`` writes what came of it (a transaction).

A worker that dies between 2 and 4 leaves an action that is executing under a lease. When that has run out, ``recover``
asks the executor what became of the key, and only sends again what cannot take effect twice. Whatever stays open is
``unknown`` and waits for a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import CaseEvent, User
from cases.models.people import system_actor
from cases.services import switch
from cases.states import State
from cases.vocabulary import Depth

from ..executors import Call, Outcome, PreviewFailed, executor_of
from ..models import ActionType, Execution, ExecutionResult, ProposedAction
from ..states import ActionState
from . import happenings, jobs, lifetimes, made_up, previews, reading, signing
from .jobs import Job

HOLD = timedelta(seconds=15)  # How long a held action is not looked at again: a stop's end is felt so late.
RETRIES = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 900))  # of sending, or of looking up
OPEN = (ActionState.EXECUTING, ActionState.UNKNOWN)
WORKER_LOST = Outcome("unknown", {}, "The worker that sent it did not come back.")
NEVER_SENT = Outcome("failed", {}, "It never reached its executor, and what was approved no longer holds.")
BY_HAND = Outcome("unknown", {}, "It is carried out by hand: say here when it is done, or that it was not.")

K = CaseEvent.Kind
Source = ExecutionResult.Source


@dataclass(frozen=True)
class Claimed:
    """An execution that is ours to carry out. ``is_clean``: no request of it has reached the executor so far."""

    call: Call
    action_type: ActionType
    is_clean: bool


def run(job: Job) -> None:
    """Carry an approved action out, if everything still holds; otherwise say why not and when to look again."""
    action = reading.read(job.action_id)
    if action.state != ActionState.APPROVED:
        return
    if made_up.is_made_up(action):  # Whoever made it up ends it.
        jobs.postpone(job, until=db_now() + HOLD, waits_for="the decision of its case")
        return
    try:
        has_drifted = _preview_differs(action)
    except PreviewFailed as error:
        if not error.is_refusal:
            jobs.postpone(job, until=db_now() + HOLD, waits_for=error.message)
            return
        has_drifted = True
    except CountersignError:
        has_drifted = True
    claimed = claim(job, has_drifted=has_drifted)
    if claimed:
        settle(job, claimed, _execute(claimed), Source.CALL)


def _preview_differs(action: ProposedAction) -> bool:
    now_said = previews.ask(action, reading.revision_of(action))
    return dict(now_said.binding) != action.current_preview.content.text.get("binding")


@transaction.atomic
def claim(job: Job, *, has_drifted: bool) -> Claimed | None:
    """Take the one execution of a locked action, if nothing speaks against it at this moment; None otherwise."""
    action = reading.locked(job.action_id)
    if action.state != ActionState.APPROVED or not jobs.is_ours(job) or made_up.is_made_up(action):
        return None
    now = db_now()
    if action.expires_at <= now:
        lifetimes.expire(action, now=now)
        return None
    if has_drifted or not reading.stands(action):
        signing.drift(action, now=now)
        return None
    if not is_signed(action):
        signing.unapprove(action, actor=system_actor(), now=now)
        return None
    if why := why_held(action, now):
        jobs.postpone(job, until=now + HOLD, waits_for=why)
        return None
    Execution(action=action, preview=action.current_preview, payload_hash=action.payload_hash, claimed_at=now).save(
        force_insert=True
    )
    action.execute()
    action.save_as(system_actor(), "sent to its executor")
    happenings.tell(action, K.ACTION_SENT, system_actor(), at=now)
    return _claimed(action, is_clean=True)


def is_signed(action: ProposedAction) -> bool:
    """Whether those who approved it could approve it now; an action that may run alone needs nobody."""
    if action.may_run_alone and not signing.counted_votes(action):
        return True
    valid = signing.valid_votes(action)
    return len(valid) >= action.required_approvals and any(vote.voter_id != action.editor_id for vote in valid)


def why_held(action: ProposedAction, now: datetime) -> str:
    """What an approved action has to wait for, in words; nothing where it may go. In the claim's transaction.

    The switch is read under its lock: a stop that has committed is seen, and one that has not waits for this claim.
    """
    is_automatic = not signing.counted_votes(action)
    if not is_automatic and now < signing.dispatch_from(action, action.approved_at):
        return "the time in which the approval can be taken back"
    case = action.case
    if case is not None:
        if case.state not in (State.APPROVED, State.AUTO_APPROVED):
            return "the decision of its case"
        if case.final_at is None or case.final_at > now:
            return "the time in which the case's decision can be undone"
    found = switch.read(
        action.tenant,
        domain=case.domain if case else "",
        action=action.name,
        depth=Depth.DECISIONS if is_automatic else Depth.DISPATCH,
    )
    return "" if found.allowed else found.why


def _claimed(action: ProposedAction, *, is_clean: bool) -> Claimed:
    payload = reading.stored_payload(action)
    assert payload is not None  # ``reading.stands`` has just built the same bytes.
    return Claimed(Call(action.wire_id, action.name, payload), action.action_type, is_clean)


def _execute(claimed: Claimed) -> Outcome:
    if claimed.action_type.executor_kind == ActionType.ExecutorKind.MANUAL:
        return BY_HAND
    try:
        return executor_of(claimed.action_type).execute(claimed.call)
    except CountersignError as error:  # No executor: it was taken away between the claim and the call.
        return Outcome("unknown", {}, error.message, was_sent=False)


@transaction.atomic
def settle(job: Job, claimed: Claimed, outcome: Outcome, source: str) -> None:
    """Write what came of a call or a look-up, unless somebody else has settled it since."""
    action = reading.locked(job.action_id)
    if action.state not in OPEN or not jobs.is_ours(job):
        return
    if source == Source.CALL and not outcome.was_sent and claimed.is_clean:
        action.execution.may_have_arrived = False
        action.execution.save(update_fields=["may_have_arrived"])
    _weigh(action, outcome, source, job)


def _weigh(action: ProposedAction, outcome: Outcome, source: str, job: Job) -> None:
    now = db_now()
    if outcome.state in ("executed", "failed"):
        write_result(action, outcome, source, now=now)
        conclude(action, outcome, now=now)
        return
    was_known = action.execution.results.exists()
    write_result(action, outcome, source, now=now)
    action.problem = outcome.cause[: ProposedAction.PROBLEM_LENGTH]
    if action.state == ActionState.EXECUTING:
        action.lose_track()
    action.save_as(system_actor(), "the result is unknown")
    if not was_known:
        happenings.tell(action, K.ACTION_UNKNOWN, system_actor(), at=now)
    attempts = action.execution.attempts
    if action.action_type.executor_kind == ActionType.ExecutorKind.MANUAL or attempts > len(RETRIES):
        jobs.drop(action)  # From here on it waits for a person.
    else:
        delay = max(RETRIES[attempts - 1], timedelta(seconds=outcome.retry_after))
        jobs.postpone(job, until=now + delay, waits_for=outcome.cause)


def write_result(action: ProposedAction, outcome: Outcome, source: str, *, now: datetime, actor: User | None = None):
    """Keep what a call, a look-up or a person said about the execution; in the caller's transaction."""
    content = happenings.text_of(action, {"cause": outcome.cause, "detail": dict(outcome.detail)})
    ExecutionResult(
        execution=action.execution,
        attempt=action.execution.attempts,
        source=source,
        state=outcome.state,
        actor=actor or system_actor(),
        at=now,
        content=content,
        content_digest=content.digest(),
    ).save(force_insert=True)


def conclude(action: ProposedAction, outcome: Outcome, *, now: datetime, actor: User | None = None) -> None:
    """The execution has come to its end, for good; in the caller's transaction."""
    action.execution.ended_at = now
    action.execution.save(update_fields=["ended_at"])
    if outcome.state == "executed":
        action.problem = ""
        action.succeed()
        happenings.end(action, K.ACTION_EXECUTED, actor or system_actor(), at=now)
    else:
        action.problem = outcome.cause[: ProposedAction.PROBLEM_LENGTH]
        action.fail()
        happenings.end(action, K.ACTION_FAILED, actor or system_actor(), at=now)


def recover(job: Job) -> None:
    """An execution whose worker died, or whose answer did not come: ask what became of it, then send it again only if
    it cannot take effect twice."""
    claimed = _taken_up(job)
    if claimed is None:
        return
    found = _look_up(claimed)
    if found.state in ("executed", "failed"):
        settle(job, claimed, found, Source.LOOK_UP)
        return
    again = _sent_again(job)
    if again:
        settle(job, again, _execute(again), Source.CALL)
    else:
        settle(job, claimed, found, Source.LOOK_UP)


@transaction.atomic
def _taken_up(job: Job) -> Claimed | None:
    """The open execution under our lease. One whose worker died is first said to be unknown: it is.

    The look-up, and the sending after it, are one attempt, counted before either is made.
    """
    action = reading.locked(job.action_id)
    if action.state not in OPEN or not jobs.is_ours(job):
        return None
    execution = action.execution
    if action.state == ActionState.EXECUTING:
        _weigh(action, WORKER_LOST, Source.SYSTEM, job)
        if action.action_type.executor_kind == ActionType.ExecutorKind.MANUAL:
            return None
        jobs.hold_on(job)
    execution.attempts += 1
    execution.save(update_fields=["attempts"])
    return _claimed(action, is_clean=not execution.may_have_arrived)


def _look_up(claimed: Claimed) -> Outcome:
    try:
        return executor_of(claimed.action_type).look_up(claimed.call)
    except CountersignError as error:
        return Outcome("unknown", {}, error.message, was_sent=False)


@transaction.atomic
def _sent_again(job: Job) -> Claimed | None:
    """The execution to send again, in the same row and under the same key: where the executor honours keys, or no
    request ever reached it. It is a dispatch, and whatever holds one back holds this back.

    What never reached its executor and may not be sent any more has failed: that can be said for sure.
    """
    action = reading.locked(job.action_id)
    if action.state != ActionState.UNKNOWN or not jobs.is_ours(job):
        return None
    now = db_now()
    is_clean = not action.execution.may_have_arrived
    still_holds = action.expires_at > now and is_signed(action) and reading.stands(action)
    if is_clean and not still_holds:
        write_result(action, NEVER_SENT, Source.SYSTEM, now=now)
        conclude(action, NEVER_SENT, now=now)
        return None
    if not (is_clean or action.action_type.honours_keys) or not still_holds or why_held(action, now):
        return None
    action.execution.may_have_arrived = True  # Said before the call.
    action.execution.save(update_fields=["may_have_arrived"])
    action.resend()
    action.save_as(system_actor(), "sent again under the same key")
    return _claimed(action, is_clean=is_clean)
