"""The errors of reviews, as their readers see them."""

from cases.errors import CountersignError, IllegalState, Stale


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


class NotACorrection(IllegalState):
    code = "not_a_correction"
    title = "This review is no correction that can be labelled"


class NothingToTakeBack(IllegalState):
    code = "nothing_to_take_back"
    title = "There is no label of yours to take back"


class LabelChanged(Stale):
    code = "label_changed"
    title = "The labels have changed since you looked"


class FileRefused(CountersignError):
    """A file of labels that cannot be read; the message says where."""

    code = "file_refused"
    title = "The file cannot be read"


class LookRefused(CountersignError):
    """A second look that cannot be asked for as it was wished."""

    code = "second_look_refused"
    title = "No second look was asked for"
