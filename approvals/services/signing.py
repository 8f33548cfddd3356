"""Approving and rejecting: a person's signature under exactly the bytes that they saw."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from cases.clock import db_now
from cases.models import CaseEvent, User
from cases.models.people import system_actor
from cases.permissions import require
from cases.vocabulary import Risk

from ..errors import (
    ActionExpired,
    ActionNotWaiting,
    AlreadySigned,
    NoAuthority,
    OwnProposal,
    ReasonMissing,
    StalePayload,
    StepUpRequired,
)
from ..models import ActionVote, ProposedAction
from ..states import ActionState
from . import authorities, happenings, jobs, reading

V = ActionVote.Verdict
REASON_LENGTH = 2000
STEP_UP_FROM = Risk.HIGH


def approve(
    action_id: UUID, *, actor: User, payload_hash: bytes | None, reason: str = "", signed_in_at: datetime | None = None
) -> ProposedAction:
    """Sign the payload under ``payload_hash``. The last signature that is needed approves the action.

    ``signed_in_at`` is when ``actor`` last proved who they are; from high impact on it must be recent. Raises, in this
    order: ``Denied``, ``StalePayload``, ``ActionExpired``, ``ActionNotWaiting``, ``OwnProposal``, ``NoAuthority``,
    ``AlreadySigned``, ``StepUpRequired``.
    """
    try:
        return _approve(action_id, actor, payload_hash, reason, signed_in_at)
    except StalePayload:
        show_drift(action_id)
        raise


@transaction.atomic
def _approve(action_id, actor, payload_hash, reason, signed_in_at) -> ProposedAction:
    action = _asked(action_id, actor, payload_hash)
    now = db_now()
    found = _standing(action, actor, now)
    votes = counted_votes(action)
    if any(vote.voter_id == actor.pk for vote in votes):
        raise AlreadySigned("You have signed this already. It waits for somebody else.")
    if found.on_behalf_of and any(found.on_behalf_of.pk in (v.voter_id, v.on_behalf_of_id) for v in votes):
        raise AlreadySigned("The person for whom you stand in has signed this already. It waits for somebody else.")
    _require_recent(action, signed_in_at, now)
    if not reading.stands(action):
        raise StalePayload(CHANGED)
    _sign(action, V.APPROVE, actor, found, reason=reason, now=now)
    if missing(action) > 0:
        happenings.tell(action, CaseEvent.Kind.ACTION_SIGNED, actor, at=now, note=reason)
        return action
    action.approve()
    action.approved_at = now
    action.save_as(actor, "approved")
    happenings.tell(action, CaseEvent.Kind.ACTION_APPROVED, actor, at=now, note=reason, by="people")
    jobs.schedule(action, at=dispatch_from(action, now), waits_for="the time in which the approval can be taken back")
    return action


@transaction.atomic
def reject(action_id: UUID, *, actor: User, payload_hash: bytes | None, reason: str) -> ProposedAction:
    """Refuse the action for good: one person with the authority is enough. Raises as ``approve``, and
    ``ReasonMissing``."""
    action = _asked(action_id, actor, payload_hash)
    now = db_now()
    found = _standing(action, actor, now)
    if not reason.strip():
        raise ReasonMissing("Say why it is rejected: its proposer and the reviewer learn from it. Nothing was changed.")
    _sign(action, V.REJECT, actor, found, reason=reason, now=now)
    action.reject()
    happenings.end(action, CaseEvent.Kind.ACTION_REJECTED, actor, at=now, note=reason)
    return action


@transaction.atomic
def take_back(action_id: UUID, *, actor: User, reason: str = "") -> ProposedAction:
    """Withdraw one's own approval, until the action is sent to its executor."""
    action = reading.locked(action_id)
    require(actor, "view_action", action.tenant)
    if action.state not in (ActionState.PENDING_APPROVAL, ActionState.APPROVED):
        raise ActionNotWaiting("It was sent to its executor, or has ended: an approval cannot be taken back any more.")
    if not any(vote.voter_id == actor.pk for vote in counted_votes(action)):
        raise ActionNotWaiting("There is no approval of yours on what stands there now.")
    now = db_now()
    _sign(action, V.WITHDRAW, actor, None, reason=reason, now=now)
    if action.state == ActionState.APPROVED:
        unapprove(action, actor=actor, now=now, note=reason)
    else:
        happenings.tell(action, CaseEvent.Kind.ACTION_UNSIGNED, actor, at=now, note=reason)
    return action


def unapprove(action: ProposedAction, *, actor: User, now: datetime, note: str = "") -> None:
    """An approved action waits for signatures again, in the caller's transaction."""
    action.revoke()
    action.approved_at = None
    action.save_as(actor, "approval no longer stands")
    jobs.drop(action)
    happenings.tell(action, CaseEvent.Kind.ACTION_UNSIGNED, actor, at=now, note=note)


CHANGED = (
    "The action has changed since you opened it. Nothing was signed; look at what stands there now and decide again."
)


def _asked(action_id: UUID, actor: User, payload_hash: bytes | None) -> ProposedAction:
    action = reading.locked(action_id)
    require(actor, "view_action", action.tenant)
    if action.payload_hash is not None and payload_hash != bytes(action.payload_hash):
        raise StalePayload(CHANGED)
    if action.state in (ActionState.EXPIRED,) or action.expires_at <= db_now():
        raise ActionExpired("Its time to live has ended. Nothing was changed; it has to be proposed again.")
    if action.state != ActionState.PENDING_APPROVAL:
        raise ActionNotWaiting(f"It does not wait for approval: {action.get_state_display().lower()}.")
    return action


def _standing(action: ProposedAction, actor: User, now: datetime) -> authorities.Standing:
    if actor.pk == action.proposer_id:
        raise OwnProposal("You proposed this yourself. Somebody else has to decide it.")
    found = authorities.standing(actor, action, now=now)
    if found is None:
        names = (
            ", ".join(authorities.reaching(action).values_list("name", flat=True)[:3]) or "one that is yet to be set up"
        )
        raise NoAuthority(f"It needs an authority that reaches so far: {names}. Nothing was changed.")
    return found


def _require_recent(action: ProposedAction, signed_in_at: datetime | None, now: datetime) -> None:
    if Risk(action.impact).rank < STEP_UP_FROM.rank:
        return
    if signed_in_at is None or now - signed_in_at > timedelta(minutes=settings.STEP_UP_MINUTES):
        raise StepUpRequired(
            f"An action of {action.get_impact_display().lower()} impact is signed within {settings.STEP_UP_MINUTES} "
            "minutes of signing in. Nothing was changed; confirm who you are and sign again."
        )


def _sign(action, verdict, actor, found, *, reason, now) -> None:
    content = happenings.text_of(action, {"reason": reason.strip()[:REASON_LENGTH]}) if reason.strip() else None
    ActionVote(
        action=action,
        payload_hash=action.payload_hash,
        verdict=verdict,
        voter=actor,
        on_behalf_of=found.on_behalf_of if found else None,
        authority=found.authority if found else None,
        at=now,
        reason=content,
        reason_digest=content.digest() if content else None,
    ).save(force_insert=True)


def counted_votes(action: ProposedAction) -> list[ActionVote]:
    """The approvals of what stands there now: of each person their last word, if that is an approval."""
    votes = action.votes.filter(payload_hash=action.payload_hash).select_related("voter", "on_behalf_of", "authority")
    return counted(action, votes.order_by("id"))


def counted(action: ProposedAction, votes: Iterable[ActionVote]) -> list[ActionVote]:
    """``counted_votes`` among the votes on ``action``, oldest first."""
    last: dict[UUID, ActionVote] = {}
    for vote in votes:
        if action.payload_hash is not None and bytes(vote.payload_hash) == bytes(action.payload_hash):
            last[vote.voter_id] = vote
    return [vote for vote in last.values() if vote.verdict == V.APPROVE and vote.voter_id != action.proposer_id]


def missing(action: ProposedAction) -> int:
    """How many more signatures it needs."""
    return missing_of(action, counted_votes(action))


def missing_of(action: ProposedAction, votes: Collection[ActionVote]) -> int:
    """``missing`` with these votes counted. An editor's own counts, but never as the only one."""
    short = action.required_approvals - len(votes)
    has_other = any(vote.voter_id != action.editor_id for vote in votes)
    return max(short, 0) if has_other else max(short, 1)


def valid_votes(action: ProposedAction) -> list[ActionVote]:
    """``counted_votes`` whose authority reaches the action and is held at this moment: asked before it is executed."""
    return [
        vote
        for vote in counted_votes(action)
        if vote.voter.is_active and authorities.still_holds(vote.on_behalf_of or vote.voter, vote.authority, action)
    ]


def dispatch_from(action: ProposedAction, now: datetime) -> datetime:
    """When an approval given ``now`` may take effect: after the undo window."""
    return now + timedelta(seconds=action.tenant.undo_seconds)


def show_drift(action_id: UUID) -> bool:
    """If what stands on a waiting or approved action is no longer what its rows make, have it previewed and shown
    anew; returns whether it was."""
    with transaction.atomic():
        action = reading.locked(action_id)
        if action.state not in (ActionState.PENDING_APPROVAL, ActionState.APPROVED):
            return False
        if reading.stands(action):
            return False
        drift(action, now=db_now())
        return True


def drift(action: ProposedAction, *, now: datetime) -> None:
    """Back to its dry run, in the caller's transaction; the signatures stay under the hash that they were given for."""
    action.drift()
    action.approved_at = None
    action.save_as(system_actor(), "changed since it was shown")
    happenings.tell(action, CaseEvent.Kind.ACTION_DRIFTED, system_actor(), at=now)
    jobs.schedule(action, at=now)
