"""The errors of reviews, as their readers see them."""

from cases.errors import CountersignError, IllegalState


class ReviewInvalid(CountersignError):
    """A verdict that its texts do not support; ``pointer`` names the field."""

    code = "review_invalid"
    title = "The review is not complete"


class NotPending(IllegalState):
    code = "case_not_pending"
    title = "This case does not wait for a decision"


class TooLate(IllegalState):
    code = "undo_too_late"
    title = "The decision can no longer be undone"


class NothingToUndo(IllegalState):
    code = "nothing_to_undo"
    title = "There is no decision of yours to undo"
