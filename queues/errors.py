"""The errors of queues, as their readers see them."""

from cases.errors import Conflict, CountersignError, IllegalState, NotPermitted, Stale


class StaleClaim(Stale):
    code = "stale_generation"
    title = "This case is no longer yours"


class NotClaimed(IllegalState):
    code = "not_claimed"
    title = "This case is not claimed"


class NotWaiting(IllegalState):
    code = "not_waiting"
    title = "This case does not wait for anybody"


class AlreadyClaimed(Conflict):
    code = "already_claimed"
    title = "Somebody else has this case"


class NotFit(NotPermitted):
    code = "not_fit"
    title = "This case is not for you"


class AtCapacity(Conflict):
    code = "at_capacity"
    title = "You hold as many cases as you may"


class AsideInvalid(CountersignError):
    """A case cannot be set aside so; ``pointer`` names the field."""

    code = "aside_invalid"
    title = "The case cannot be set aside so"


class DeadlineInvalid(CountersignError):
    """A deadline that nobody can be meant to keep."""

    code = "deadline_invalid"
    title = "The deadline cannot be set so"


class NotAsked(IllegalState):
    code = "not_asked"
    title = "Nobody waits for an answer of yours"


class Unassignable(Conflict):
    code = "unassignable"
    title = "The case cannot be given to this person"
