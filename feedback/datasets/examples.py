"""From a correction to the examples of each kind. Pure.

``examples_of`` answers none where the label does not feed the kind (``labels.may_feed``) or where the review lacks
what the kind needs, and says which: the manifest counts both. The fields of each kind are documented in ``FIELDS``.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from cases.ids import to_wire

from ..kinds import Kind
from ..labels import feeds, may_feed
from .conversation import conversation
from .rows import Row

SCHEMA = "countersign.examples/1"
VIOLATION, COMPLIANT = "violation", "compliant"


@dataclass(frozen=True)
class Example:
    """``fields`` as documented; ``learned`` is the part that teaches, by which duplicates are told."""

    id: str
    fields: dict[str, Any]
    learned: tuple[str, ...]

    @property
    def fingerprint(self) -> int:
        """64 bits of what it teaches: the same pair from two cases is one example."""
        told = {name: self.fields[name] for name in self.learned}
        text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


ABOUT = {
    "id": "Stable: of the review, with a number where one review gives several.",
    "split": "train, validation or test: by the case, the same in every version.",
    "case_id": "The case.",
    "external_id": "The caller's own key, or null.",
    "reviewed_at": "When a person decided, in UTC.",
    "domain": "The case's domain.",
    "language": "BCP 47.",
    "risk_level": "low, medium, high or critical.",
    "release": "model, version, prompt_version and retrieval_version of the AI.",
    "label": "What the correction was labelled as.",
    "reason_code": "The reviewer's, or empty.",
}
_ASKED = {
    "question": "What the customer asked.",
    "messages": "The turns before the answer, as role and content; the question is the last.",
}
_RIGHT = {
    "expected_answer": "The answer that a person stands behind, or null.",
    "expected_decision": "The decision that a person stands behind, or null.",
}
_EVIDENCE = "What the AI had before it: document_id, quote, score, url."

FIELDS: dict[Kind, dict[str, str]] = {
    Kind.GOLDEN_EVALS: ABOUT
    | _ASKED
    | {"evidence": _EVIDENCE}
    | _RIGHT
    | {"rejected_answer": "What the AI had drafted, or null.", "notes": "The reviewer's own."},
    Kind.HARD_NEGATIVES: ABOUT
    | {
        "query": "What was searched for: the customer's question.",
        "better_query": "What should have been searched for, or null.",
        "positives": "Texts that should have been found: the missing evidence and the better query.",
        "negatives": "Passages that were found and are wrong: document_id and quote.",
    },
    Kind.PROMPT_REGRESSIONS: ABOUT
    | _ASKED
    | {"evidence": _EVIDENCE}
    | _RIGHT
    | {
        "forbidden_answer": "The draft that was wrong and must not come back, or null.",
        "why": "Why it was wrong, in the reviewer's words.",
    },
    Kind.FINE_TUNING: ABOUT | _ASKED | {"answer": "What the assistant should say; of a decision, that comes first."},
    Kind.PREFERENCE_PAIRS: ABOUT
    | _ASKED
    | {
        "chosen": "The person's text; of a decision, that comes first.",
        "rejected": "The AI's text, in the same form.",
        "edit_distance": "Characters inserted, deleted or replaced between the answers.",
    },
    Kind.POLICY_CLASSIFIER: ABOUT
    | {
        "question": _ASKED["question"],
        "text": "The answer that is judged.",
        "class": f"{VIOLATION}: the AI's draft; {COMPLIANT}: what a person put in its place.",
        "policy_reason": "Which policy, in the reviewer's words.",
        "policies": "The policies that the AI had before it: policy_id and text.",
    },
    Kind.OVERRIDES: ABOUT
    | _ASKED
    | {
        "trainable": "The kinds that it may feed by its label.",
        "verdict": "edit or reject.",
        "route": "Which way the case took.",
        "confidence": "The draft's, in [0, 1].",
        "triggers": "Why a person had to look.",
        "model_answer": "The draft.",
        "model_decision": "The AI's decision, or null.",
        "model_reasoning": "The AI's own.",
        "evidence": _EVIDENCE,
        "final_answer": "The person's answer, or null where it was rejected.",
        "final_decision": "The person's decision, or null.",
        "policy_reason": "Which policy, in the reviewer's words.",
        "notes": "The reviewer's own.",
        "missing_evidence": "What was not found.",
        "incorrect_evidence": "The document_ids that were found and are wrong.",
        "better_retrieval_query": "What should have been searched for.",
        "edit_distance": "Characters inserted, deleted or replaced.",
        "edit_share": "The same in [0, 1] of the longer text.",
        "handling_seconds": "Claim to submit, less pauses.",
        "customer": "By the tenant's setting whole, masked, or null.",
    },
}


def examples_of(kind: Kind, row: Row) -> list[Example]:
    """The examples of ``kind`` that ``row`` gives; several only of hard cases, usually one or none."""
    if not may_feed(row.label, kind, policy_reason=row.names_a_policy):
        return []
    about = _about(row)
    found = []
    for number, (learned, fields) in enumerate(_MAKERS[kind](row)):
        name = to_wire("rev", row.review_id) + (f"-{number}" if number else "")
        found.append(Example(name, {"id": name} | about | fields, learned))
    return found


def _about(row: Row) -> dict[str, Any]:
    return {
        "split": row.split,
        "case_id": to_wire("case", row.case_id),
        "external_id": row.external_id or None,
        "reviewed_at": row.reviewed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "domain": row.domain,
        "language": row.language,
        "risk_level": row.risk,
        "release": dict(row.release),
        "label": row.label,
        "reason_code": row.reason_code,
    }


Made = Iterator[tuple[tuple[str, ...], dict[str, Any]]]


def _asked(row: Row) -> dict[str, Any]:
    return {"question": row.question, "messages": conversation(row.messages, row.question)}


def _golden(row: Row) -> Made:
    if row.right_answer or row.right_decision:
        yield (
            ("messages", "expected_answer", "expected_decision"),
            _asked(row)
            | {
                "evidence": list(row.evidence),
                "expected_answer": row.right_answer or None,
                "expected_decision": row.right_decision or None,
                "rejected_answer": row.draft or None,
                "notes": row.notes,
            },
        )


def _hard_negatives(row: Row) -> Made:
    """A passage that the reviewer marked and the draft did not bring is no negative: nobody saw its words."""
    wrong = set(row.incorrect_evidence)
    negatives = [
        {"document_id": piece["document_id"], "quote": piece["quote"]}
        for piece in row.evidence
        if piece.get("document_id") in wrong and (piece.get("quote") or "").strip()
    ]
    if negatives:
        yield (
            ("query", "positives", "negatives"),
            {
                "query": row.question,
                "better_query": row.better_query or None,
                "positives": [text for text in (row.missing_evidence, row.better_query) if text.strip()],
                "negatives": negatives,
            },
        )


def _regressions(row: Row) -> Made:
    if row.draft or row.right_answer or row.right_decision:
        yield (
            ("messages", "expected_answer", "expected_decision", "forbidden_answer"),
            _asked(row)
            | {
                "evidence": list(row.evidence),
                "expected_answer": row.right_answer or None,
                "expected_decision": row.right_decision or None,
                # Where only the decision was flipped, the words themselves were right.
                "forbidden_answer": row.draft if row.draft and row.draft != row.right_answer else None,
                "why": row.policy_reason or row.notes,
            },
        )


def _fine_tuning(row: Row) -> Made:
    if row.target:
        yield ("messages", "answer"), _asked(row) | {"answer": row.target}


def _preference(row: Row) -> Made:
    if row.target and row.drafted and row.target != row.drafted:
        yield (
            ("messages", "chosen", "rejected"),
            _asked(row) | {"chosen": row.target, "rejected": row.drafted, "edit_distance": row.edit_distance},
        )


def _policy(row: Row) -> Made:
    for text, verdict in ((row.drafted, VIOLATION), (row.target, COMPLIANT)):
        if text and (verdict == VIOLATION or text != row.drafted):
            yield (
                ("question", "text", "class"),
                {
                    "question": row.question,
                    "text": text,
                    "class": verdict,
                    "policy_reason": row.policy_reason,
                    "policies": list(row.policies),
                },
            )


def _overrides(row: Row) -> Made:
    """Every one of them: nothing is dropped as a duplicate, since the record is of decisions."""
    yield (
        ("id",),
        _asked(row)
        | {
            "trainable": [str(kind) for kind in feeds(row.label, policy_reason=row.names_a_policy)],
            "verdict": row.verdict,
            "route": row.route,
            "confidence": row.confidence,
            "triggers": list(row.triggers),
            "model_answer": row.draft or None,
            "model_decision": row.model_decision or None,
            "model_reasoning": row.reasoning,
            "evidence": list(row.evidence),
            "final_answer": row.right_answer or None,
            "final_decision": row.right_decision or None,
            "policy_reason": row.policy_reason,
            "notes": row.notes,
            "missing_evidence": row.missing_evidence,
            "incorrect_evidence": list(row.incorrect_evidence),
            "better_retrieval_query": row.better_query,
            "edit_distance": row.edit_distance,
            "edit_share": row.edit_share,
            "handling_seconds": row.handling_seconds,
            "customer": row.customer,
        },
    )


_MAKERS: dict[Kind, Callable[[Row], Made]] = {
    Kind.GOLDEN_EVALS: _golden,
    Kind.HARD_NEGATIVES: _hard_negatives,
    Kind.PROMPT_REGRESSIONS: _regressions,
    Kind.FINE_TUNING: _fine_tuning,
    Kind.PREFERENCE_PAIRS: _preference,
    Kind.POLICY_CLASSIFIER: _policy,
    Kind.OVERRIDES: _overrides,
}
DEDUPLICATED_BY = (
    "the first 64 bits of BLAKE2b over what the example teaches (input and target, without ids and metadata); the one "
    "with the smallest id stays. Overrides are never dropped."
)
