"""What a reviewer and a labeller do who know the truth of the real sets, and which examples that implies.

Written from the published labels and the matrix of docs/weekly-overrides.md, not from the code that makes examples.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cases.vocabulary import Verdict
from feedback.kinds import Kind
from feedback.labels import Label
from feedback.submission import Submission

PASSING = (Label.TEMPORARY_POLICY, Label.ONE_OFF_CONTEXT, None)
MISSED = "a passage that says what was asked"


@dataclass(frozen=True)
class Judgement:
    """A decision, and what it is labelled as where it corrects the AI."""

    submission: Submission
    label: Label | None = None


def judged(name: str, sent: dict[str, Any], truth: dict[str, Any], number: int) -> Judgement:
    """``number`` counts the wrong ones so far: every fourth is a passing matter, or is left open."""
    if truth["correct"]:
        return Judgement(Submission(Verdict.ACCEPT))
    label = PASSING[number // 4 % 3] if number % 4 == 3 else Label.MODEL_ERROR
    if name == "actions_airline":
        why = {"policy_reason": "not what the policy expects here", "reason_code": "wrong_action"}
        return Judgement(Submission(Verdict.REJECT, **why), label)
    if name == "answers_halueval":  # It was given nothing to rest on.
        answer = sent["model_draft"]
        for span in truth["wrong_spans"]:
            answer = answer.replace(span, "")
        texts = {"missing_evidence": "a source for what is wrong here", "reason_code": "wrong_fact"}
        edit = Submission(Verdict.EDIT, final_answer=f"Corrected. {answer}", **texts)
        return Judgement(edit, label if label in PASSING else Label.BAD_RETRIEVAL)
    passage, texts = sent["evidence"][0], {"reason_code": "unsupported"}
    if number % 4 == 1:  # The passage is of no use; elsewhere it had the right one and did not keep to it.
        label = Label.BAD_RETRIEVAL
        texts = {"missing_evidence": MISSED, "incorrect_evidence": (passage["document_id"],)}
        return Judgement(Submission(Verdict.EDIT, final_answer="I do not know.", **texts), label)
    return Judgement(Submission(Verdict.EDIT, final_answer=passage["quote"], **texts), label)


@dataclass
class Implied:
    """By kind, what each example would teach: one example for each, however often it came up."""

    labels: list[Label | None] = field(default_factory=list)
    examples: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    by_case: dict[str, Label | None] = field(default_factory=dict)

    def add(self, sent: dict[str, Any], done: Judgement) -> None:
        self.labels.append(done.label)
        self.by_case[sent["external_id"]] = done.label
        for kind, *learned in _taught(sent, done):
            self.examples[kind].append(json.dumps([sent["user_question"], *learned]))

    def count(self, kind: Kind) -> tuple[int, int]:
        """How many examples, and how many more that teach the same as one of these."""
        found = self.examples[kind]
        return len(set(found)), len(found) - len(set(found))


def _taught(sent: dict[str, Any], done: Judgement) -> Iterable[tuple]:
    said, draft = done.submission, sent["model_draft"]
    if done.label in PASSING:
        return
    is_edit = said.verdict == Verdict.EDIT
    answer = said.final_answer if is_edit else None
    yield Kind.PROMPT_REGRESSIONS, answer, draft
    if is_edit:
        yield Kind.GOLDEN_EVALS, answer
    if done.label == Label.BAD_RETRIEVAL and said.incorrect_evidence:
        yield Kind.HARD_NEGATIVES, said.missing_evidence, sent["evidence"][0]
    if done.label == Label.MODEL_ERROR:
        if is_edit:
            yield Kind.FINE_TUNING, answer
            yield Kind.PREFERENCE_PAIRS, answer, draft
        if said.policy_reason:  # A rejection has nothing to put in the draft's place.
            yield Kind.POLICY_CLASSIFIER, sent.get("model_decision"), draft
