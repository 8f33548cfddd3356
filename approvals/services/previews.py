"""The dry run: what an action would do, as its executor says, before anybody is asked to sign it."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from cases.clock import db_now
from cases.errors import CountersignError
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.services import switch

from .. import binding
from ..executors import Call, Preview, PreviewFailed, executor_of
from ..models import ActionPreview, ActionRevision, ActionType, ProposedAction
from ..requests import check_request
from ..states import ActionState
from . import happenings, jobs, made_up, reading
from .jobs import Job

NONCE_BYTES = 16  # 128 bits: the hash of an erased payload tells nothing.
# After a trouble, never a refusal; the last again and again, until the action expires.
RETRIES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900))
BY_HAND = Preview(binding={}, info={"note": "A person carries this out by hand once it is approved."})


def run(job: Job) -> None:
    """Ask the executor what the action would do, and put it before people, or let it run where the policy does."""
    action = reading.read(job.action_id)
    if action.state == ActionState.PREVIEW_FAILED:
        action = _again(job)
    if action is None or action.state != ActionState.PROPOSED:
        return
    revision = reading.revision_of(action)
    try:
        preview = ask(action, revision)
    except PreviewFailed as error:
        _fail(job, action.revision, error, is_final=error.is_refusal)
    except CountersignError as error:
        _fail(job, action.revision, error, is_final=True)
    else:
        _store(job, action.revision, preview)


def ask(action: ProposedAction, revision: ActionRevision) -> Preview:
    """A dry run now; a network call, not for a transaction. Raises ``PreviewFailed`` and other ``CountersignError``."""
    kind = action.action_type
    if kind is None or not kind.is_active:
        raise PreviewFailed("unknown_action", "The tenant has no such action type in use.", is_refusal=True)
    request = reading.request_document(action, revision)
    check_request(kind.schema, request["params"], amount=request["amount"], currency=request["currency"])
    if kind.executor_kind == ActionType.ExecutorKind.MANUAL:
        return BY_HAND
    if made_up.is_made_up(action):
        return made_up.preview_of(action)
    return executor_of(kind).preview(Call(action.wire_id, action.name, binding.payload(request)))


@transaction.atomic
def _again(job: Job) -> ProposedAction | None:
    action = reading.locked(job.action_id)
    if action.state != ActionState.PREVIEW_FAILED or not jobs.is_ours(job):
        return None
    action.retry_preview()
    action.save_as(system_actor(), "dry run tried again")
    return action


@transaction.atomic
def _fail(job: Job, revision: int, error: CountersignError, *, is_final: bool) -> None:
    action = reading.locked(job.action_id)
    if action.state != ActionState.PROPOSED or action.revision != revision or not jobs.is_ours(job):
        return
    now = db_now()
    action.preview_failed()
    action.problem = error.message[: ProposedAction.PROBLEM_LENGTH]
    action.save_as(system_actor(), "dry run failed")
    if is_final:
        jobs.drop(action)
    else:
        delay = RETRIES[min(job.attempts, len(RETRIES)) - 1]
        jobs.postpone(job, until=now + delay, waits_for=error.message)


@transaction.atomic
def _store(job: Job, revision_number: int, preview: Preview) -> None:
    action = reading.locked(job.action_id)
    if action.state != ActionState.PROPOSED or action.revision != revision_number or not jobs.is_ours(job):
        return
    now = db_now()
    revision = reading.revision_of(action)
    rejudge(action, reading.judge(action, revision), now=now)
    action.preview()
    action.problem = ""
    _bind(action, revision, preview, now=now)
    actor = system_actor()
    action.save_as(actor, "dry run answered")
    if action.may_run_alone and _automation_allows(action):
        action.run_alone()
        action.approved_at = now
        action.save_as(actor, "may run alone")
        happenings.tell(action, CaseEvent.Kind.ACTION_APPROVED, actor, at=now, by="policy")
        jobs.schedule(action, at=now)
        return
    action.ask_approval()
    action.decide_by = min(now + timedelta(minutes=action.decide_minutes), action.expires_at)
    action.save_as(actor, "waits for approval")
    jobs.drop(action)
    happenings.tell(action, CaseEvent.Kind.ACTION_PENDING, actor, at=now)


def rejudge(action: ProposedAction, impact: Any, *, now: datetime) -> None:
    """Write on the action what the rules demand of it now; in memory."""
    action.impact = impact.impact
    action.required_approvals = impact.approvals
    action.authority_code = impact.authority_code
    action.may_run_alone = impact.may_run_alone
    action.decide_minutes = impact.decide_minutes
    action.policy_version = action.action_type.policy_version if action.action_type else 0


def _bind(action: ProposedAction, revision: ActionRevision, preview: Preview, *, now: datetime) -> None:
    nonce = secrets.token_hex(NONCE_BYTES)
    payload = binding.payload(reading.payload_document(action, revision, dict(preview.binding), nonce))
    content = happenings.text_of(
        action,
        {
            "binding": dict(preview.binding),
            "info": dict(preview.info),
            "nonce": nonce,
            "payload": payload.decode(),
        },
    )
    row = ActionPreview(
        action=action,
        revision=revision,
        at=now,
        payload_hash=binding.payload_hash(payload),
        content=content,
        content_digest=content.digest(),
    )
    row.save(force_insert=True)
    action.current_preview, action.payload_hash = row, row.payload_hash


def _automation_allows(action: ProposedAction) -> bool:
    domain = action.case.domain if action.case else ""
    return switch.read(action.tenant, domain=domain, action=action.name).allowed
