"""The errors of reviews, as their readers see them."""

from cases.errors import Conflict, CountersignError, IllegalState, Stale


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


class FirstOpinionMissing(IllegalState):
    code = "first_opinion_missing"
    title = "Your own opinion comes first"


class FirstOpinionGiven(IllegalState):
    code = "first_opinion_given"
    title = "No first opinion is asked for"


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


class FormatMismatch(CountersignError):
    """A format that cannot carry the kind; ``pointer`` names it."""

    code = "format_mismatch"
    title = "This format cannot carry this kind of export"


class DatasetTaken(Conflict):
    code = "dataset_of_another_kind"
    title = "This data set holds another kind"


class TooManyExports(Conflict):
    code = "too_many_exports"
    title = "Too many exports are waiting"


class NotCancellable(IllegalState):
    code = "export_not_active"
    title = "This export is not running any more"


class NotReady(IllegalState):
    code = "export_not_ready"
    title = "This export has no file"


class CannotPush(IllegalState):
    code = "export_cannot_be_pushed"
    title = "This export cannot be pushed there"


class LookRefused(CountersignError):
    """A second look that cannot be asked for as it was wished."""

    code = "second_look_refused"
    title = "No second look was asked for"


class AdviceOutdated(Stale):
    code = "advice_outdated"
    title = "The evidence or the policy has changed since you looked"


class TooFewDecisions(IllegalState):
    code = "too_few_decisions"
    title = "There are too few decisions to learn from"


class NotShownAsGood(IllegalState):
    code = "not_shown_as_good"
    title = "These weights are not shown to be as good as those set by hand"


class WindowRefused(CountersignError):
    """A window of an evidence pack that has no end, lies ahead or is too long."""

    code = "window_refused"
    status = 400
    title = "There is no evidence of this window"
