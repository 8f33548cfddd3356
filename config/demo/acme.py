"""Acme Outfitters: an online shop on the default thresholds, whose assistant may propose refunds."""

from cases.vocabulary import Risk, Role, Route, Trigger
from config.demo.tenants import Action, Authority, Person, Plan

_FULL, _QUICK = Route.FULL_INVESTIGATION.value, Route.QUICK_REVIEW.value
_HIGH, _CRITICAL = Risk.HIGH.value, Risk.CRITICAL.value
_REFUND = 'currency == "USD" && amount > 0.0'  # A refund that names no amount meets no rule: the highest impact.

ACME = Plan(
    slug="acme",
    name="Acme Outfitters",
    settings={"time_zone": "America/New_York"},
    policy={
        "high_stakes_domains": ["legal"],
        "risk_floor": {"legal": Risk.MEDIUM.value},
        "risk_when_absent": Risk.MEDIUM.value,
        "new_release_threshold": None,  # A new release keeps the threshold here and is sampled more.
        "new_release_sampling": 0.25,
        "decision_options": ["approve", "deny", "partial"],
    },
    conditions=(
        (
            "Refund above 500 on thin evidence",
            Trigger.POLICY_BOUNDARY,
            'action == "issue_refund" && amount > 500.0 && evidence_count < 2',
        ),
        (
            "Customer is under legal hold",
            Trigger.HIGH_STAKES,
            '"legal-hold" in tags',
        ),
    ),
    calendar={"time_zone": "America/New_York", "country": "US"},
    slas={
        "Low-risk correction": (24, "hours"),
        "Billing dispute": (4, "hours"),
        "Legal policy": (1, "business_days"),
        "Security action": (30, "minutes"),
    },
    skills={"billing": "Billing", "security": "Account security", "legal": "Consumer law"},
    queues=(
        {"slug": "front-desk", "name": "Front desk", "is_fallback": True, "sla": "Low-risk correction"},
        {
            "slug": "large-refunds",
            "name": "Large refunds and overdue disputes",
            "domains": ["billing"],
            "risks": ["high", "critical"],
            "routes": [_FULL],
            "skill": "billing",
            "skill_level": 3,
            "sla": "Billing dispute",
        },
        {
            "slug": "billing-dispute",
            "name": "Billing disputes",
            "domains": ["billing"],
            "routes": [_FULL],
            "skill": "billing",
            "sla": "Billing dispute",
            "escalates_to": "large-refunds",
        },
        {
            "slug": "billing-check",
            "name": "Billing, quick check",
            "domains": ["billing"],
            "routes": [_QUICK],
            "sla": "Low-risk correction",
        },
        {
            "slug": "account-security",
            "name": "Account security",
            "domains": ["account"],
            "risks": [_HIGH, _CRITICAL],
            "skill": "security",
            "skill_level": 2,
            "sla": "Security action",
        },
        {
            "slug": "legal",
            "name": "Legal and privacy",
            "domains": ["legal"],
            "skill": "legal",
            "skill_level": 2,
            "sla": "Legal policy",
        },
        {"slug": "shipping", "name": "Shipping and returns", "domains": ["shipping"], "sla": "Low-risk correction"},
    ),
    people=(
        Person("ana", "Ana", "Reyes", Role.REVIEWER, ("en", "es"), {"billing": 2, "security": 2}),
        Person("ben", "Ben", "Okafor", Role.REVIEWER, ("en", "de"), {"billing": 2}),
        Person("chloe", "Chloé", "Martin", Role.REVIEWER, ("en", "fr", "it"), {"billing": 1, "security": 2}),
        Person(
            "dora",
            "Dora",
            "Lindqvist",
            Role.SENIOR_REVIEWER,
            ("en", "de", "es", "fr", "it"),
            {"billing": 4, "security": 3, "legal": 3},
        ),
        Person("emil", "Emil", "Novak", Role.APPROVER),
        Person("farah", "Farah", "Haddad", Role.APPROVER),
        Person("gwen", "Gwen", "Ashby", Role.SUPERVISOR, exercises=("refunds_500",)),
        Person("henry", "Henry", "Adeyemi", Role.COMPLIANCE),
        Person("ines", "Inês", "Carvalho", Role.TENANT_ADMIN),
    ),
    actions=(
        Action(
            "issue_refund",
            "Issue a refund",
            {
                "properties": {
                    "order_id": {"type": "string", "minLength": 1},
                    "reason": {"type": "string", "maxLength": 500},
                },
                "required": ["order_id"],
            },
            (
                (f"{_REFUND} && amount <= 50.0", Risk.LOW, 1, 2880, True),
                (f"{_REFUND} && amount <= 500.0", Risk.MEDIUM, 1, 2880, False),
                (f"{_REFUND} && amount <= 5000.0", Risk.HIGH, 1, 1440, False),
            ),
        ),
    ),
    authorities=(
        Authority(
            "refunds_500",
            "Refunds up to 500 USD",
            "issue_refund",
            Risk.MEDIUM,
            "500",
            (Role.SENIOR_REVIEWER, Role.APPROVER),
        ),
        Authority("refunds_5000", "Refunds up to 5,000 USD", "issue_refund", Risk.HIGH, "5000", (Role.APPROVER,)),
    ),
)
