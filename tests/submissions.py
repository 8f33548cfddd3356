"""Reviews as a person would fill them in, for tests that are about something else."""

from dataclasses import replace

from cases.vocabulary import Route
from feedback.submission import Submission
from queues.models import Entry


def complete(submission: Submission, entry: Entry) -> Submission:
    """``submission`` with what a full investigation asks for besides: a reason, and that no evidence applies."""
    if entry.route != Route.FULL_INVESTIGATION:
        return submission
    return replace(submission, notes=submission.notes or "looked into", no_evidence_applies=True)
