"""An execution of which nobody knows whether it took place: a person finds out, and says so with evidence."""

from uuid import UUID

from django.db import transaction

from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import User
from cases.permissions import require

from ..errors import ActionNotWaiting, EvidenceMissing
from ..executors import Call, Outcome, executor_of
from ..models import ActionType, ExecutionResult, ProposedAction
from ..states import ActionState
from . import dispatch, jobs, reading

RIGHT = "reconcile_action"
EVIDENCE_LENGTH = 2000
Source = ExecutionResult.Source


def look_up(action_id: UUID, *, actor: User) -> Outcome:
    """Ask the executor what became of the key, now, and keep its answer; a definite one settles the action.

    A network call: not for a transaction. Raises ``Denied``, ``ActionNotWaiting``.
    """
    found = ask(action_id, actor=actor)
    keep_answer(action_id, found, actor=actor)
    return found


def ask(action_id: UUID, *, actor: User) -> Outcome:
    """What the executor says became of the key: the network's half of ``look_up``, which stores nothing."""
    action = reading.read(action_id)
    require(actor, RIGHT, action.tenant)
    if action.state != ActionState.UNKNOWN:
        raise ActionNotWaiting("Its result is not unknown: there is nothing to reconcile.")
    return _asked(action)


@transaction.atomic
def keep_answer(action_id: UUID, found: Outcome, *, actor: User) -> ProposedAction:
    """The other half of ``look_up``: keep what ``ask`` brought; a definite answer settles the action."""
    action = _open(action_id, actor)
    now = db_now()
    dispatch.write_result(action, found, Source.LOOK_UP, now=now, actor=actor)
    if found.state in ("executed", "failed"):
        dispatch.conclude(action, found, now=now, actor=actor)
    return action


@transaction.atomic
def mark(action_id: UUID, *, is_executed: bool, actor: User, evidence: str) -> ProposedAction:
    """A person's finding that it took place, or that it did not and never will. It cannot be taken back.

    Raises ``Denied``, ``ActionNotWaiting``, ``EvidenceMissing``.
    """
    action = _open(action_id, actor)
    if not evidence.strip():
        raise EvidenceMissing("Say what shows it: a reference, who was asked, what was seen. Nothing was changed.")
    cause = "A person found that it took place." if is_executed else "A person found that it did not take place."
    outcome = Outcome("executed" if is_executed else "failed", {"evidence": evidence.strip()[:EVIDENCE_LENGTH]}, cause)
    now = db_now()
    dispatch.write_result(action, outcome, Source.PERSON, now=now, actor=actor)
    dispatch.conclude(action, outcome, now=now, actor=actor)
    return action


@transaction.atomic
def send_again(action_id: UUID, *, actor: User) -> ProposedAction:
    """Let a worker look it up and send it once more under the same key, where the executor honours keys."""
    action = _open(action_id, actor)
    if not (action.action_type.honours_keys or not action.execution.may_have_arrived):
        raise ActionNotWaiting("This executor does not honour keys: sent again it could take effect twice. Find out.")
    jobs.schedule(action, at=db_now())
    return action


def _open(action_id: UUID, actor: User) -> ProposedAction:
    action = reading.locked(action_id)
    require(actor, RIGHT, action.tenant)
    if action.state != ActionState.UNKNOWN:
        raise ActionNotWaiting("Its result is not unknown any more: there is nothing to reconcile.")
    return action


def _asked(action: ProposedAction) -> Outcome:
    if action.action_type.executor_kind == ActionType.ExecutorKind.MANUAL:
        return Outcome("unknown", {}, "It is carried out by hand: there is nobody to ask but people.")
    payload = reading.stored_payload(action)
    if payload is None:
        return Outcome("unknown", {}, "Its text was erased: it cannot be looked up any more.")
    try:
        return executor_of(action.action_type).look_up(Call(action.wire_id, action.name, payload))
    except CountersignError as error:
        return Outcome("unknown", {}, error.message, was_sent=False)
