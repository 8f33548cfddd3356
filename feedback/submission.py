"""What a reviewer hands in, and the rules it must meet. Pure."""

from dataclasses import dataclass, field
from typing import Any

from cases.vocabulary import Kind, Route, Verdict

from .checklist import Checked, as_stored, check_complete, marked_wrong
from .errors import ReviewInvalid


@dataclass(frozen=True)
class Submission:
    """One review as it was filled in. Texts are kept as typed; empty means not given."""

    verdict: Verdict
    final_answer: str = ""
    final_decision: str = ""
    reason_code: str = ""
    policy_reason: str = ""
    notes: str = ""
    missing_evidence: str = ""
    incorrect_evidence: tuple[str, ...] = ()
    checked_evidence: Checked = ()
    no_evidence_applies: bool = False
    better_retrieval_query: str = ""

    def texts(self) -> dict[str, Any]:
        """The free text, for the review's erasable content."""
        return {
            "final_answer": self.final_answer,
            "policy_reason": self.policy_reason,
            "notes": self.notes,
            "missing_evidence": self.missing_evidence,
            "incorrect_evidence": list(self.incorrect_evidence),
            "checked_evidence": as_stored(self.checked_evidence),
            "no_evidence_applies": self.no_evidence_applies,
            "better_retrieval_query": self.better_retrieval_query,
        }


@dataclass(frozen=True)
class Shown:
    """What the reviewer had in front of them. ``documents`` are those that the draft cites, each once."""

    kind: str
    route: str
    has_draft: bool
    can_redraft: bool
    model_draft: str = ""
    model_decision: str = ""
    decision_options: tuple[str, ...] = ()
    reason_codes: frozenset[str] = field(default_factory=frozenset)
    documents: tuple[str, ...] = ()


def check(submission: Submission, shown: Shown) -> Submission:
    """The submission as it counts, or ``ReviewInvalid`` with the field that is wrong.

    An edit that changes nothing counts as accept; without a draft there is nothing to accept. A full investigation
    states its reason, whatever the verdict, and says of each piece of evidence what it was found to be; who asks for a
    new draft has not decided yet. What is marked wrong there is wrong evidence like any other.
    """
    counted = _counted(submission, shown)
    if shown.route == Route.FULL_INVESTIGATION and counted.verdict != Verdict.NEEDS_EDIT:
        if not has_reason(counted):
            raise ReviewInvalid(
                "A full investigation states its reason: choose a code or write a note.", pointer="/reason_code"
            )
        check_complete(counted.checked_evidence, shown.documents, none_applies=counted.no_evidence_applies)
    wrong = dict.fromkeys((*counted.incorrect_evidence, *marked_wrong(counted.checked_evidence)))
    return _with(counted, incorrect_evidence=tuple(wrong))


def _counted(submission: Submission, shown: Shown) -> Submission:
    verdict = Verdict(submission.verdict)
    if submission.reason_code and submission.reason_code not in shown.reason_codes:
        raise ReviewInvalid("Choose one of the reason codes of this tenant's policy.", pointer="/reason_code")
    if submission.final_decision and shown.decision_options and submission.final_decision not in _known(shown):
        raise ReviewInvalid(f"Choose one of: {', '.join(sorted(_known(shown)))}.", pointer="/final_decision")
    if verdict == Verdict.ACCEPT:
        if not shown.has_draft:
            raise ReviewInvalid("There is no draft to accept: write the answer and choose Edit.", pointer="/verdict")
        return _with(submission, final_answer="", final_decision=shown.model_decision)
    if verdict == Verdict.EDIT:
        return _edit(submission, shown)
    if verdict == Verdict.NEEDS_EDIT:
        if not shown.can_redraft:
            raise ReviewInvalid("No further draft can be asked for: decide it yourself.", pointer="/verdict")
        if not has_reason(submission):
            raise ReviewInvalid("Say what the new draft should do better.", pointer="/notes")
        return _with(submission, final_answer="", final_decision="")
    if not has_reason(submission):
        raise ReviewInvalid("Say why it is rejected: choose a reason code or write a note.", pointer="/reason_code")
    return _with(submission, final_answer="", final_decision="")


def _edit(submission: Submission, shown: Shown) -> Submission:
    decision = submission.final_decision or shown.model_decision
    answer = submission.final_answer if submission.final_answer.strip() else shown.model_draft
    if not answer.strip() and not decision:
        raise ReviewInvalid("Write the answer that should be given.", pointer="/final_answer")
    if shown.kind == Kind.DECISION and not shown.has_draft and not decision:
        raise ReviewInvalid("Choose the decision.", pointer="/final_decision")
    if shown.has_draft and answer == shown.model_draft and decision == shown.model_decision:
        return _with(submission, verdict=Verdict.ACCEPT, final_answer="", final_decision=decision)
    return _with(submission, final_answer=answer, final_decision=decision)


def is_override(submission: Submission, shown: Shown) -> bool:
    """Whether the AI's answer or decision did not stand. A case without a draft has nothing to override."""
    return shown.has_draft and submission.verdict in (Verdict.EDIT, Verdict.REJECT)


def _known(shown: Shown) -> set[str]:
    return {*shown.decision_options, shown.model_decision} - {""}


def has_reason(submission: Submission) -> bool:
    return any(text.strip() for text in (submission.reason_code, submission.policy_reason, submission.notes))


def _with(submission: Submission, **changes: Any) -> Submission:
    return Submission(**(submission.__dict__ | changes))
