"""The errors of queues, as their readers see them."""

from cases.errors import Conflict, IllegalState, NotPermitted, Stale


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
