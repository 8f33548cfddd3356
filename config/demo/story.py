"""The shape of a demo case: what the caller sent, when, and what people made of it since. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from cases.vocabulary import Signal, Verdict

_SIGNALS = (
    Signal.CALIBRATED_CONFIDENCE,
    Signal.ANSWER_GROUNDEDNESS,
    Signal.RERANK_MARGIN,
    Signal.RETRIEVAL_SCORE,
    Signal.JUDGE_SCORE,
    Signal.POLICY_CLASSIFIER_SCORE,
    Signal.TOOL_SUCCESS,
    Signal.SELF_CONFIDENCE,
)


def signals(*values: float | None) -> dict[str, float]:
    """Calibrated, grounded, margin, retrieval, judge, policy, tools, the model's own; None or nothing is not sent."""
    return {str(name): value for name, value in zip(_SIGNALS, values, strict=False) if value is not None}


@dataclass(frozen=True)
class Step:
    """Something that happens to a case, ``after`` so many minutes since the step before it."""

    after: float


@dataclass(frozen=True)
class Review(Step):
    """A person's decision. ``by`` is a username, empty for whoever is fit; ``minutes`` is how long they looked."""

    verdict: Verdict
    answer: str = ""
    decision: str = ""
    code: str = ""
    notes: str = ""
    policy_reason: str = ""
    missing_evidence: str = ""
    incorrect_evidence: tuple[str, ...] = ()
    better_query: str = ""
    by: str = ""
    minutes: float = 6.0


@dataclass(frozen=True)
class NewDraft(Step):
    """The caller's answer to a request for a new draft; ``payload`` is what POST …/drafts/ takes."""

    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Withdrawn(Step):
    reason: str


@dataclass(frozen=True)
class WantsPerson(Step):
    """The customer asks for a person; an automatic approval is recalled by it."""

    note: str


@dataclass(frozen=True)
class Reopened(Step):
    """A supervisor recalls an automatic approval or reopens a final decision."""

    reason: str


@dataclass(frozen=True)
class Story:
    """One case, or with ``variants`` one for each: its texts then hold ``{names}`` that each variant fills.

    ``age`` is minutes since it was opened; a variant's ``age`` replaces it. ``due_in`` is the caller's own deadline in
    minutes after opening. ``fields`` are any other fields of the intake.
    """

    ref: str
    domain: str
    age: float
    question: str
    draft: str = ""
    signals: Mapping[str, float] = field(default_factory=dict)
    language: str = "en"
    evidence: tuple[tuple[str, str, float], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    tools: tuple[tuple[str, str, Any], ...] = ()
    customer: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    due_in: float | None = None
    steps: tuple[Step, ...] = ()
    variants: tuple[Mapping[str, Any], ...] = ()

    def told(self) -> Iterator[Self]:
        """The story as it is, or each of its variants with its own reference."""
        if not self.variants:
            yield self
        for number, variant in enumerate(self.variants, start=1):
            own = {name: value for name, value in variant.items() if name not in ("age", "steps")}
            changes = {
                name: filled(getattr(self, name), own)
                for name in ("question", "draft", "evidence", "policies", "tools", "customer", "fields")
            }
            yield replace(
                self,
                ref=f"{self.ref}-{number}",
                signals=_varied(self.signals, number),
                age=variant.get("age", self.age),
                steps=tuple(filled(step, own) for step in variant.get("steps", self.steps)),
                variants=(),
                **changes,
            )

    def payload(self, opened_at: datetime) -> dict[str, Any]:
        """The body of POST /api/v1/cases/."""
        parts = {
            "external_id": self.ref,
            "domain": self.domain,
            "language": self.language,
            "user_question": self.question,
            "model_draft": self.draft,
            "signals": dict(self.signals),
            "evidence": [
                {"document_id": document, "quote": quote, "score": score} for document, quote, score in self.evidence
            ],
            "policies": [{"policy_id": policy, "text": text} for policy, text in self.policies],
            "tool_results": [
                {"tool": tool, "status": status, "output": output if isinstance(output, str) else _pretty(output)}
                for tool, status, output in self.tools
            ],
            "customer": dict(self.customer),
        }
        if self.due_in is not None:
            parts["sla_deadline"] = (opened_at + timedelta(minutes=self.due_in)).isoformat()
        return {name: value for name, value in parts.items() if value} | dict(self.fields)


def filled(value: Any, names: Mapping[str, Any]) -> Any:
    """``value`` with every ``{name}`` in its texts replaced, however deep."""
    match value:
        case str():
            return value.format_map(names)
        case Mapping():
            return {key: filled(item, names) for key, item in value.items()}
        case tuple() | list():
            return type(value)(filled(item, names) for item in value)
        case Step():
            return replace(value, **{name: filled(item, names) for name, item in vars(value).items()})
        case _:
            return value


def _varied(measured: Mapping[str, float], number: int) -> dict[str, float]:
    """Each signal moved by up to a fifth of its distance to the nearer end, differently for each variant."""
    moved = {}
    for place, (name, value) in enumerate(measured.items()):
        share = ((number * 7 + place * 3) % 11 - 5) / 5  # -1 to 1
        moved[name] = round(value + 0.2 * min(value, 1.0 - value) * share, 3)
    return moved


def _pretty(output: Any) -> str:
    return json.dumps(output, ensure_ascii=False, indent=2)


def hours(number: float) -> float:
    """In minutes."""
    return number * 60


def days(number: float) -> float:
    """In minutes."""
    return number * 24 * 60
