"""What approvals refuse, in words for the person who asked."""

from cases.errors import Conflict, CountersignError, IllegalState, NotPermitted, Stale


class ActionNotWaiting(IllegalState):
    code = "action_not_waiting"
    title = "This action does not wait for that"


class ActionExpired(IllegalState):
    code = "action_expired"
    title = "The action's time to live has ended"


class StalePayload(Stale):
    code = "stale_payload"
    title = "What you saw is not what stands there now"


class OwnProposal(NotPermitted):
    code = "own_proposal"
    title = "Nobody approves their own proposal"


class NoAuthority(NotPermitted):
    code = "no_authority"
    title = "Your authority does not reach this action"


class StepUpRequired(NotPermitted):
    code = "step_up_required"
    title = "Sign in again to sign this"


class AlreadySigned(Conflict):
    code = "already_signed"
    title = "You have signed this already"


class ReasonMissing(CountersignError):
    code = "reason_missing"
    title = "A reason is needed"


class ParamsInvalid(CountersignError):
    """``errors`` are ``{pointer, code, message}`` of each parameter that does not fit, the pointers into the body."""

    code = "params_invalid"
    title = "The parameters do not fit the action's schema"

    def __init__(self, errors: list[dict[str, str]], message: str = "") -> None:
        self.errors = errors
        super().__init__(message or " ".join(f"{error['pointer']}: {error['message']}" for error in errors[:3]))

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        return tuple((error["pointer"], error["code"], error["message"]) for error in self.errors)


class UnknownAction(CountersignError):
    code = "unknown_action"
    title = "There is no such action here"


class EvidenceMissing(CountersignError):
    code = "evidence_missing"
    title = "Evidence is needed"


class GrantRefused(NotPermitted):
    code = "grant_refused"
    title = "This authority cannot be given so"
