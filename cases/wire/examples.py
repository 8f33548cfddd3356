"""The examples of the OpenAPI document. The tests hold each against its schema, and send those that are requests."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

CASE_ID = "case_01990a1b2c3d7e4f8a9b0c1d2e3f4a5b"
ACTION_ID = "act_01990a1b2c407a1b8c2d3e4f5a6b7c8d"
EVENT_ID = "evt_01990a1b2c3e7b2c9d3e4f5a6b7c8d9e"
REVIEW_ID = "rev_01990a1d4e5f7c3d8e4f5a6b7c8d9e0f"
STATUS_URL = f"https://countersign.example/api/v1/cases/{CASE_ID}/"
REVIEW_URL = "https://countersign.example/admin/feedback/review/01990a1b-2c3d-7e4f-8a9b-0c1d2e3f4a5b/work/"

SMALLEST = {"domain": "billing", "user_question": "Refund after 40 days?", "model_draft": "Yes."}

WHOLE = {
    "external_id": "conv-8812",
    "kind": "decision",
    "domain": "billing",
    "language": "en",
    "user_question": "I bought the annual plan 40 days ago and never used it. May I have my money back?",
    "messages": [
        {"role": "user", "content": "Hello, it is about my annual plan.", "at": "2027-05-09T13:58:00Z"},
        {"role": "assistant", "content": "I am happy to help. What happened?", "at": "2027-05-09T13:58:05Z"},
    ],
    "model_draft": "Refunds are possible within 30 days. Since you never signed in, I can offer an exception.",
    "model_decision": "approve",
    "reasoning": "Usage is zero. The enterprise exception allows refunds up to 60 days.",
    "evidence": [
        {
            "document_id": "policy_7",
            "quote": "Enterprise accounts may be refunded within 60 days where usage is nil.",
            "score": 0.91,
            "url": "https://wiki.example/policy/7",
        }
    ],
    "policies": [{"policy_id": "refunds-v3", "text": "Refunds: 30 days. Enterprise: 60 days if unused."}],
    "tool_results": [{"tool": "get_order", "status": "ok", "output": '{"order_id": "o_1", "usage": 0}'}],
    "risk_level": "medium",
    "reason_for_escalation": "The customer asks for an exception.",
    "limited_answer": "We are looking into your refund and will write to you today.",
    "signals": {
        "calibrated_confidence": 0.9,
        "self_confidence": 0.97,
        "retrieval_score": 0.83,
        "rerank_margin": 0.04,
        "answer_groundedness": 0.61,
        "tool_success": 1.0,
        "policy_classifier_score": 0.4,
        "judge_score": 0.7,
    },
    "triggers": ["policy_boundary"],
    "sla_deadline": "2027-05-09T18:00:00Z",
    "release": {
        "model": "gpt-4o",
        "version": "2026-05-01",
        "prompt_version": "v12",
        "retrieval_version": "idx-7",
    },
    "customer": {"reference": "cust_981", "email": "dana@example.com", "locale": "en-US"},
    "proposed_action": {
        "action": "issue_refund",
        "params": {"order_id": "o_1"},
        "amount": "420.00",
        "currency": "USD",
        "customer_id": "cust_981",
        "policy_basis": "enterprise exception",
        "requires_approval": True,
    },
    "attachments": [
        {"url": "https://files.example/invoice.pdf", "media_type": "application/pdf", "sha256": "9f86d081" * 8}
    ],
    "tags": ["beta"],
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "resume_token": "thread-42/checkpoint-7",
    "metadata": {"channel": "chat"},
}

RECEIPT = {
    "case_id": CASE_ID,
    "external_id": "conv-8812",
    "state": "pending_review",
    "route": "quick_review",
    "risk_level": "medium",
    "confidence": 0.74,
    "contributions": [
        {"signal": "answer_groundedness", "value": 0.61, "weight": 0.2, "points": 0.122, "reading": "partly grounded"},
        {"signal": "rerank_margin", "value": 0.04, "weight": 0.1, "points": 0.02, "reading": "ambiguous"},
    ],
    "triggers": ["policy_boundary"],
    "reason_for_escalation": "the draft is only partly grounded, and the caller reports the edge of the policy",
    "queue": "billing-dispute",
    "queue_reason": "it takes billing in English, and nothing more special does",
    "sla_deadline": "2027-05-09T18:00:00Z",
    "action_id": ACTION_ID,
    "interim_answer": "We are looking into your refund and will write to you today.",
    "customer_message": "A specialist will review this and write to you by 18:00 on 09 May 2027 (UTC).",
    "status_url": STATUS_URL,
    "review_url": REVIEW_URL,
}

PENDING_REFUND = {
    "action_id": ACTION_ID,
    "action": "issue_refund",
    "state": "pending_approval",
    "impact": "medium",
    "amount": "420.00",
    "currency": "USD",
    "reference": None,
}
REFUNDED = PENDING_REFUND | {"state": "executed", "reference": "ledger-4711"}

WAITING: dict[str, Any] = {
    "case_id": CASE_ID,
    "external_id": "conv-8812",
    "tenant_id": "acme",
    "kind": "decision",
    "domain": "billing",
    "language": "en",
    "risk_level": "medium",
    "state": "pending_review",
    "in_review": True,
    "in_review_by": "Rita Moss",
    "route": "quick_review",
    "confidence": 0.74,
    "triggers": ["policy_boundary"],
    "reason_for_escalation": RECEIPT["reason_for_escalation"],
    "draft_number": 1,
    "queue": "billing-dispute",
    "queue_reason": RECEIPT["queue_reason"],
    "sla_deadline": "2027-05-09T18:00:00Z",
    "sla_breached": False,
    "user_question": WHOLE["user_question"],
    "interim_answer": WHOLE["limited_answer"],
    "customer": WHOLE["customer"],
    "outcome": None,
    "actions": [PENDING_REFUND],
    "opened_at": "2027-05-09T14:00:00Z",
    "erased_at": None,
    "tags": ["beta"],
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "release": WHOLE["release"],
    "status_url": STATUS_URL,
    "review_url": REVIEW_URL,
    "resume_token": "thread-42/checkpoint-7",
}

DECIDED = WAITING | {
    "state": "approved",
    "in_review": False,
    "in_review_by": None,
    "queue": None,
    "queue_reason": None,
    "interim_answer": None,
    "outcome": {
        "verdict": "edit",
        "final_decision": "approve",
        "final_answer": "You never used the plan, so we refund it in full. The money arrives within five days.",
        "decided_by": "human",
        "decided_at": "2027-05-09T15:12:30Z",
        "actions": [REFUNDED],
    },
    "actions": [REFUNDED],
}


def sent(name: str, value: Any) -> OpenApiExample:
    """An example of a request's body."""
    return OpenApiExample(name, value, request_only=True)


def answered(name: str, value: Any, status: int = 200) -> OpenApiExample:
    """An example of an answer."""
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


INTAKE = [sent("The smallest case", SMALLEST), sent("Everything a case can hold", WHOLE)]
DRAFT = [
    sent(
        "A better draft",
        {"model_draft": "We refund the annual plan in full.", "signals": {"calibrated_confidence": 0.95}},
    )
]
TAKEN_IN = answered("A person has to look", RECEIPT, 201)
KNOWN = answered("Known already", WAITING)
CASE = [answered("Waiting for a person", WAITING), answered("Decided", DECIDED)]
CLAIM = [
    sent("The next case, whatever the queue", {}),
    sent("The next case of one queue", {"queue": "billing-dispute"}),
    answered(
        "A case to review",
        {"case_id": CASE_ID, "generation": 4711, "lease_expires_at": "2027-05-09T15:20:00Z", "case": WAITING},
    ),
]
REVIEW = [
    sent("Accept the draft as it stands", {"verdict": "accept", "generation": 4711}),
    sent(
        "Correct it",
        {
            "verdict": "edit",
            "generation": 4711,
            "final_answer": DECIDED["outcome"]["final_answer"],
            "notes": "The draft cited the wrong exception.",
            "incorrect_evidence": ["policy_7"],
        },
    ),
    sent(
        "Accept after a full investigation",
        {
            "verdict": "accept",
            "generation": 4711,
            "notes": "Usage is nil and the plan is an enterprise one.",
            "checked_evidence": [{"document_id": "policy_7", "finding": "supports"}],
        },
    ),
    sent("Refuse it", {"verdict": "reject", "generation": 4711, "notes": "The account was used every day."}),
    answered(
        "Stored, and final in ten seconds",
        {
            "review_id": REVIEW_ID,
            "case_id": CASE_ID,
            "verdict": "edit",
            "is_override": True,
            "edit_distance": 57,
            "handling_seconds": 92.4,
            "final_at": "2027-05-09T15:12:40Z",
        },
        201,
    ),
]
TIMELINE = [
    answered(
        "Opened and decided",
        {
            "results": [
                {
                    "event_id": EVENT_ID,
                    "type": "case.opened",
                    "at": "2027-05-09T14:00:00Z",
                    "by": "service",
                    "data": {"route": "quick_review", "triggers": ["policy_boundary"]},
                }
            ]
        },
    )
]
REASON = [sent("With a reason", {"reason": "The customer called and asked for a person."}), sent("Without", {}), *CASE]
SWITCH = [
    sent("One domain", {"reason": "Wrong price list in the index.", "domain": "billing"}),
    sent("Everything of the tenant, people's dispatch too", {"reason": "Keys were stolen.", "depth": "dispatch"}),
]
RESUME = [sent("One domain, a tenth of it", {"reason": "The price list is right.", "domain": "billing", "share": 10})]
RECALL = [
    sent("Count first", {"since": "2027-05-09T12:00:00Z", "reason": "Wrong price list.", "preview": True}),
    sent("One domain", {"since": "2027-05-09T12:00:00Z", "reason": "Wrong price list.", "domain": "billing"}),
]
AUTOMATION = [
    answered(
        "On",
        {
            "ai_automation_enabled": True,
            "why": "automation is on",
            "share": 100,
            "tenant_id": "acme",
            "domain": None,
            "action": None,
        },
    ),
]
