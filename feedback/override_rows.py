"""Rows of the weekly files: an override and the human's reasoning as they look outside. Made of loaded rows; no query.

| column | what it holds |
|---|---|
| ``review_id`` | the decision; unique over all weekly files of a tenant |
| ``case_id``, ``external_id`` | the case; labels come home by either |
| ``tenant``, ``week`` | whose it is, and the ISO week in which it was decided, on the tenant's clock |
| ``is_late`` | decided in an earlier week than this file's: it was not final, or not committed, when that was fixed |
| ``decided_at`` | RFC 3339, UTC |
| ``kind``, ``domain``, ``language``, ``risk``, ``route``, ``draft_number`` | of the case and its judged draft |
| ``model``, ``version``, ``prompt_version``, ``retrieval_version`` | the release that wrote the draft |
| ``user_question``, ``model_draft``, ``model_decision`` | what the AI was asked and what it said |
| ``verdict``, ``final_answer``, ``final_decision`` | what the person decided; a rejection has no answer |
| ``reason_code``, ``policy_reason``, ``notes`` | the person's reasoning |
| ``missing_evidence``, ``incorrect_evidence``, ``better_retrieval_query`` | what was wrong with the retrieval |
| ``edit_distance`` | characters inserted, deleted or replaced |
| ``label``, ``is_trainable``, ``feeds`` | as labelled when the file was fixed, and the datasets that it may enter |

No name of a reviewer. The customer's own reference, address and number are treated in every text as the tenant's
setting says (``datasets.customers``). After an erasure texts are null.
"""

from typing import Any
from zoneinfo import ZoneInfo

from cases.event_bodies import rfc3339
from cases.models import Case
from cases.models.drafts import RELEASE_PARTS

from .datasets.customers import CustomerFields, Scrubber
from .labels import feeds, names_a_policy
from .models import ExportedLabel, ExportedOverride, Review, WeeklyExport
from .weeks import Week

SCHEMA_VERSION = 1
# The files of a week by their names; those of corrections are there only where there are any.
FILES = ("overrides.jsonl", "overrides.csv", "corrections.jsonl", "corrections.csv", "manifest.json")

COLUMNS = (
    *("review_id", "case_id", "external_id", "tenant", "week", "is_late", "decided_at"),
    *("kind", "domain", "language", "risk", "route", "draft_number", *RELEASE_PARTS),
    *("user_question", "model_draft", "model_decision", "verdict", "final_answer", "final_decision"),
    *("reason_code", "policy_reason", "notes"),
    *("missing_evidence", "incorrect_evidence", "better_retrieval_query", "edit_distance"),
    *("label", "is_trainable", "feeds"),
)
CORRECTION_COLUMNS = (
    *("review_id", "case_id", "external_id", "tenant", "week", "exported_in"),
    *("label_before", "label", "is_trainable", "feeds"),
)
# What the rows below read, so that a batch of them is one query.
OVERRIDE_READS = (
    "review__tenant",
    "review__case__content",
    "review__draft__content",
    "review__draft__release",
    "review__content",
)
CORRECTION_READS = (
    "override__export",
    "override__review__tenant",
    "override__review__case__content",
    "override__review__content",
)


def override_row(override: ExportedOverride, export: WeeklyExport) -> dict[str, Any]:
    """One row of the file of ``export``."""
    review = override.review
    case, draft, said = review.case, review.draft, review.content.text
    week = Week.of(review.created_at, ZoneInfo(review.tenant.time_zone))
    clean = _scrubber(case, export).clean
    return {
        "review_id": review.wire_id,
        "case_id": case.wire_id,
        "external_id": clean(case.external_id) or None,
        "tenant": review.tenant.slug,
        "week": str(week),
        "is_late": week < export.iso_week,
        "decided_at": rfc3339(review.created_at),
        "kind": case.kind,
        "domain": case.domain,
        "language": case.language,
        "risk": case.risk,
        "route": review.route,
        "draft_number": draft.number,
        **{part: getattr(draft.release, part) or None for part in RELEASE_PARTS},
        "user_question": clean(case.content.text.get("user_question")),
        "model_draft": clean(draft.content.text.get("model_draft")),
        "model_decision": clean(draft.model_decision) or None,
        "verdict": review.verdict,
        "final_answer": clean(said.get("final_answer")) or None,
        "final_decision": clean(review.final_decision) or None,
        "reason_code": review.reason_code or None,
        "policy_reason": clean(said.get("policy_reason")) or None,
        "notes": clean(said.get("notes")) or None,
        "missing_evidence": clean(said.get("missing_evidence")) or None,
        "incorrect_evidence": clean(said.get("incorrect_evidence")) or [],
        "better_retrieval_query": clean(said.get("better_retrieval_query")) or None,
        "edit_distance": review.edit_distance,
        **_label_part(override.label, review),
    }


def correction_row(correction: ExportedLabel, export: WeeklyExport) -> dict[str, Any]:
    """One row of a correction file: the label of an override that went out before with another one, or with none."""
    review = correction.override.review
    case = review.case
    return {
        "review_id": review.wire_id,
        "case_id": case.wire_id,
        "external_id": _scrubber(case, export).clean(case.external_id) or None,
        "tenant": review.tenant.slug,
        "week": str(Week.of(review.created_at, ZoneInfo(review.tenant.time_zone))),
        "exported_in": str(correction.override.export.iso_week),
        "label_before": correction.was or None,
        **_label_part(correction.label, review),
    }


def _scrubber(case: Case, export: WeeklyExport) -> Scrubber:
    return Scrubber(case.content.text.get("customer"), CustomerFields(export.customer_fields))


def _label_part(label: str, review: Review) -> dict[str, Any]:
    policy_reason = names_a_policy(review.content.text.get("policy_reason"), review.reason_code)
    teaches = feeds(label, policy_reason=policy_reason)
    return {"label": label or None, "is_trainable": bool(teaches), "feeds": [str(kind) for kind in teaches]}
