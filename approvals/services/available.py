"""What a person may do with an action: one list draws the buttons and gates each POST, and says why something is not
offered. The services ask again under their locks."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cases.errors import CountersignError
from cases.models import User
from cases.permissions import Denied
from cases.rights import HeldRights, read_rights

from .. import states
from ..errors import ActionExpired, ActionNotWaiting, AlreadySigned, NoAuthority, OwnProposal
from ..models import ActionVote, ProposedAction
from ..states import ActionState
from . import authorities, signing

DECIDING = (ActionState.PENDING_APPROVAL,)


class Deed(StrEnum):
    """What can be done with an action. Named as the pages' addresses."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    TAKE_BACK = "take-back"
    RETRY_PREVIEW = "retry-preview"
    CANCEL = "cancel"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Offered:
    """``deeds`` that ``actor`` may do now, and the refusal that each other would meet."""

    deeds: frozenset[Deed]
    refusals: dict[Deed, CountersignError] = field(default_factory=dict)
    standing: authorities.Standing | None = None
    votes: tuple[ActionVote, ...] = ()
    missing: int = 0

    def __contains__(self, deed: str) -> bool:
        return deed in self.deeds

    def gate(self, deed: Deed) -> None:
        """Raise what stands against ``deed``; nothing where it is offered."""
        if deed in self.refusals:
            raise self.refusals[deed]


def offered_to(action: ProposedAction, actor: User, *, now: datetime, rights: HeldRights | None = None) -> Offered:
    """What ``actor``, who sees the action, may do with it. At most six queries more than the rights."""
    asked = _Asked(action, actor, now, rights or read_rights(actor))
    refusals = {deed: refusal for deed in Deed if (refusal := asked.refusal(deed)) is not None}
    return Offered(frozenset(Deed) - refusals.keys(), refusals, asked.standing, tuple(asked.votes), asked.missing)


class _Asked:
    """One action before one person."""

    def __init__(self, action: ProposedAction, actor: User, now: datetime, rights: HeldRights) -> None:
        self.action, self.actor, self.now, self.rights = action, actor, now, rights
        is_signed = action.state in (ActionState.PENDING_APPROVAL, ActionState.APPROVED)
        self.votes = signing.counted_votes(action) if is_signed else []
        self.missing = signing.missing_of(action, self.votes) if is_signed else 0
        is_open = action.state == ActionState.PENDING_APPROVAL and not self.is_over
        self.standing = authorities.standing(actor, action, now=now) if is_open else None

    @property
    def is_over(self) -> bool:
        return self.action.state == ActionState.EXPIRED or self.action.expires_at <= self.now

    def refusal(self, deed: Deed) -> CountersignError | None:
        match deed:
            case Deed.APPROVE:
                return self._against_deciding() or self._against_signing()
            case Deed.REJECT:
                return self._against_deciding()
            case Deed.EDIT:
                return self._against_editing()
            case Deed.TAKE_BACK:
                return self._against_taking_back()
            case Deed.RETRY_PREVIEW:
                return None if self.action.state == ActionState.PREVIEW_FAILED else self._not_now()
            case Deed.CANCEL:
                return self._against_cancelling()
            case Deed.RECONCILE:
                return self._against_reconciling()

    def _not_now(self) -> CountersignError:
        return ActionNotWaiting(f"It does not wait for that: {self.action.get_state_display().lower()}.")

    def _against_deciding(self) -> CountersignError | None:
        if self.is_over and self.action.state in (*states.BEFORE_EXECUTION, ActionState.EXPIRED):
            return ActionExpired("Its time to live has ended. It has to be proposed again.")
        if self.action.state not in DECIDING:
            return self._not_now()
        if self.actor.pk == self.action.proposer_id:
            return OwnProposal("You proposed this yourself. Somebody else has to decide it.")
        if self.standing is None:
            return NoAuthority("You hold no authority that reaches so far.")
        return None

    def _against_signing(self) -> CountersignError | None:
        if any(vote.voter_id == self.actor.pk for vote in self.votes):
            return AlreadySigned("You have signed this. It waits for somebody else.")
        absent = self.standing.on_behalf_of
        if absent and any(absent.pk in (vote.voter_id, vote.on_behalf_of_id) for vote in self.votes):
            return AlreadySigned(f"{absent}, for whom you stand in, has signed this. It waits for somebody else.")
        return None

    def _against_editing(self) -> CountersignError | None:
        if self.is_over or self.action.state not in (*DECIDING, ActionState.PREVIEW_FAILED):
            return self._not_now()
        if self.action.action_type is None:
            return ActionNotWaiting("The tenant has no action type of this name: it can only be cancelled.")
        own = authorities.exercisable(self.actor, [self.action.tenant_id])
        if not own.filter(action_type=self.action.action_type_id).exists():
            return NoAuthority(f"Only who may approve “{self.action.action_type}” may edit it.")
        return None

    def _against_taking_back(self) -> CountersignError | None:
        if any(vote.voter_id == self.actor.pk for vote in self.votes):
            return None
        return ActionNotWaiting("There is no approval of yours on what stands there now.")

    def _against_cancelling(self) -> CountersignError | None:
        if self.action.state not in states.BEFORE_EXECUTION:
            return self._not_now()
        is_own = self.actor.pk == self.action.proposer_id
        return None if is_own else self._without("withdraw_case")

    def _against_reconciling(self) -> CountersignError | None:
        return self._without("reconcile_action") or (
            None if self.action.state == ActionState.UNKNOWN else self._not_now()
        )

    def _without(self, right: str) -> CountersignError | None:
        has = self.rights.allowed(right, self.action.tenant)
        return None if has else Denied(self.actor, right, self.action.tenant)
