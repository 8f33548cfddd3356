"""A correction for tests of examples and formats, without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cases.ids import new_id
from feedback.datasets.rows import Row
from feedback.datasets.splits import split_of
from feedback.kinds import Kind
from feedback.labels import Label

NASTY = [
    "plain",
    "{{ question }} and {{question}}",
    "{% for x in y %}{# no comment #}{{{",
    "{% endraw %}{{ env.HOME }}",
    "file:///etc/hosts",
    "file://secrets.js",
    'package:x {{ "{" }}',
    "=1+1\r\n\u2028next",
    "日本語 🙂 \x85",
    "}} ends { and #} and {#}} and %}",
]


def a_row(**changes: Any) -> Row:
    row = Row(
        review_id=new_id(),
        case_id=new_id(),
        reviewed_at=datetime(2027, 5, 9, 15, tzinfo=UTC),
        case_kind="answer",
        domain="billing",
        language="en",
        risk="medium",
        route="quick_review",
        confidence=0.7,
        triggers=["policy_boundary"],
        release={"model": "m", "version": None, "prompt_version": "v1", "retrieval_version": None},
        external_id="conv-1",
        question="May I send them back?",
        messages=[{"role": "customer", "content": "Hello"}, {"role": "bot", "content": "Hi"}],
        customer=None,
        draft="Yes, within 60 days.",
        model_decision="",
        reasoning="It says so.",
        evidence=[
            {"document_id": "returns", "quote": "60 days"},
            {"document_id": "old", "quote": "90 days"},
            {"document_id": "mute", "quote": ""},
        ],
        policies=[{"policy_id": "p1", "text": "30 days."}],
        verdict="edit",
        is_override=True,
        final_answer="No, within 30 days.",
        final_decision="",
        reason_code="wrong_policy",
        policy_reason="p1",
        notes="see p1",
        missing_evidence="Shoes: 30 days.",
        incorrect_evidence=["returns", "mute", "never shown"],
        better_query="return period shoes",
        edit_distance=5,
        edit_share=0.3,
        handling_seconds=20.0,
        label=Label.MODEL_ERROR,
    )
    row = replace(row, **changes)
    return replace(row, split=split_of(row.case_id).value)


def labels_for(kind: Kind) -> Label:
    return Label.BAD_RETRIEVAL if kind == Kind.HARD_NEGATIVES else Label.MODEL_ERROR
