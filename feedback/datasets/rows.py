"""One correction with everything that an example can be made of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cases.vocabulary import Kind as CaseKind
from cases.vocabulary import Verdict

from ..labels import names_a_policy


@dataclass(slots=True)
class Row:
    """A standing review, its case and the draft that it judged; texts as stored, with the customer already treated."""

    review_id: UUID
    case_id: UUID
    reviewed_at: datetime
    case_kind: str
    domain: str
    language: str
    risk: str
    route: str
    confidence: float
    triggers: Sequence[str]
    release: Mapping[str, str | None]
    external_id: str
    question: str
    messages: Sequence[Mapping[str, Any]]
    customer: Mapping[str, Any] | None
    draft: str
    model_decision: str
    reasoning: str
    evidence: Sequence[Mapping[str, Any]]
    policies: Sequence[Mapping[str, Any]]
    verdict: str
    is_override: bool
    final_answer: str
    final_decision: str
    reason_code: str
    policy_reason: str
    notes: str
    missing_evidence: str
    incorrect_evidence: Sequence[str]
    better_query: str
    edit_distance: int
    edit_share: float
    handling_seconds: float
    label: str | None
    split: str = ""

    @property
    def names_a_policy(self) -> bool:
        return names_a_policy(self.policy_reason, self.reason_code)

    @property
    def right_answer(self) -> str:
        """The text that a person stands behind; empty where they only said that the draft is wrong."""
        if self.verdict == Verdict.EDIT:
            return self.final_answer
        return self.draft if self.verdict == Verdict.ACCEPT else ""

    @property
    def right_decision(self) -> str:
        return self.final_decision if self.verdict in (Verdict.EDIT, Verdict.ACCEPT) else ""

    @property
    def target(self) -> str:
        """What the assistant should have said, decision included."""
        return said(self.case_kind, self.right_decision, self.right_answer)

    @property
    def drafted(self) -> str:
        """What the assistant did say, in the same form."""
        return said(self.case_kind, self.model_decision, self.draft)


def said(case_kind: str, decision: str, answer: str) -> str:
    """One text of a decision and its answer: of a decision case the decision stands first, on a line of its own."""
    parts = [decision, answer] if case_kind == CaseKind.DECISION else [answer or decision]
    return "\n\n".join(part for part in parts if part.strip())
