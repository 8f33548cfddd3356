"""Labels of corrections, and what a labelled correction may teach. Pure.

| label | golden evals, regressions | hard negatives | fine-tuning, preference | policy classifier |
|---|---|---|---|---|
| ``model_error`` | yes | no | yes | where the reason is a policy |
| ``bad_retrieval`` | yes | yes | no | no |
| ``temporary_policy``, ``one_off_context``, none | no | no | no | no |

The record of overrides is no training data: it holds every correction, whatever its label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import TextChoices

from .kinds import Kind


class Label(TextChoices):
    MODEL_ERROR = "model_error", "Model error"
    BAD_RETRIEVAL = "bad_retrieval", "Bad retrieval"
    TEMPORARY_POLICY = "temporary_policy", "Temporary policy"
    ONE_OFF_CONTEXT = "one_off_context", "One-off context"

    @property
    def meaning(self) -> str:
        """One sentence for whoever has to choose."""
        return _MEANINGS[self]


_MEANINGS = {
    Label.MODEL_ERROR: "The AI had what it needed and was wrong.",
    Label.BAD_RETRIEVAL: "It was given the wrong passages, or not the right ones.",
    Label.TEMPORARY_POLICY: "Right only while a passing rule holds.",
    Label.ONE_OFF_CONTEXT: "Right for this customer or moment alone.",
}

_FEEDS: dict[Label, frozenset[Kind]] = {
    Label.MODEL_ERROR: frozenset(
        {
            Kind.GOLDEN_EVALS,
            Kind.PROMPT_REGRESSIONS,
            Kind.FINE_TUNING,
            Kind.PREFERENCE_PAIRS,
            Kind.POLICY_CLASSIFIER,
        }
    ),
    Label.BAD_RETRIEVAL: frozenset({Kind.GOLDEN_EVALS, Kind.PROMPT_REGRESSIONS, Kind.HARD_NEGATIVES}),
    Label.TEMPORARY_POLICY: frozenset(),
    Label.ONE_OFF_CONTEXT: frozenset(),
}


POLICY_REASON_CODES = frozenset({"wrong_policy"})


def names_a_policy(policy_reason: str | None, reason_code: str) -> bool:
    """Whether the reason of a correction is a policy: in the reviewer's words, or by the code that they chose."""
    return bool((policy_reason or "").strip()) or reason_code in POLICY_REASON_CODES


def may_feed(label: str | None, kind: Kind, *, policy_reason: bool) -> bool:
    """Whether a correction with this standing ``label`` (None or empty: unlabelled) may stand in an export of ``kind``.

    ``policy_reason``: its review names a policy as the reason; nothing else teaches the policy classifier.
    """
    if kind == Kind.OVERRIDES:
        return True
    if not label or kind not in _FEEDS[Label(label)]:
        return False
    return policy_reason or kind != Kind.POLICY_CLASSIFIER


def feeds(label: str | None, *, policy_reason: bool) -> list[Kind]:
    """The kinds that may train or test on such a correction; none means that it is not trainable."""
    return list(_feeds(label, policy_reason))


@cache  # Ten answers in all, asked for a million times by an export.
def _feeds(label: str | None, policy_reason: bool) -> tuple[Kind, ...]:
    kinds = (kind for kind in Kind if kind != Kind.OVERRIDES)
    return tuple(kind for kind in kinds if may_feed(label, kind, policy_reason=policy_reason))


@dataclass(frozen=True)
class Suggestion:
    label: Label
    why: str


def suggest(texts: Mapping[str, Any]) -> Suggestion | None:
    """The label that a review's own words point to, or None where they leave it open. ``texts``: its content.

    Evidence comes first: an AI that was shown the wrong passages may break a policy that it never saw.
    """
    if texts.get("incorrect_evidence"):
        return Suggestion(Label.BAD_RETRIEVAL, "the review marks evidence as wrong")
    if _says(texts, "missing_evidence"):
        return Suggestion(Label.BAD_RETRIEVAL, "the review names evidence that was missing")
    if _says(texts, "better_retrieval_query"):
        return Suggestion(Label.BAD_RETRIEVAL, "the review knows a better search")
    if _says(texts, "policy_reason"):
        return Suggestion(Label.MODEL_ERROR, "the review names a policy that the draft did not follow")
    return None


def _says(texts: Mapping[str, Any], name: str) -> bool:
    return bool(str(texts.get(name) or "").strip())
