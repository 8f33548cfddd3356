"""Wellspring Clinic, Berlin: a patient desk in three languages, with stricter thresholds and office hours."""

from cases.vocabulary import Risk, Role, Signal, Trigger, Use
from config.demo.tenants import Person, Plan

_WEIGHTS = {
    Signal.CALIBRATED_CONFIDENCE: (0.30, Use.OPTIONAL),
    Signal.ANSWER_GROUNDEDNESS: (0.35, Use.REQUIRED),
    Signal.RERANK_MARGIN: (0.05, Use.OPTIONAL),
    Signal.RETRIEVAL_SCORE: (0.10, Use.OPTIONAL),
    Signal.JUDGE_SCORE: (0.05, Use.OPTIONAL),
    Signal.POLICY_CLASSIFIER_SCORE: (0.15, Use.REQUIRED),
    Signal.TOOL_SUCCESS: (0.0, Use.UNUSED),
    Signal.SELF_CONFIDENCE: (0.0, Use.UNUSED),
}
_MORNING, _AFTERNOON = ["08:00", "12:30"], ["14:00", "18:00"]

WELLSPRING = Plan(
    slug="wellspring",
    name="Wellspring Clinic",
    settings={"time_zone": "Europe/Berlin", "fallback_language": "de", "undo_seconds": 30, "max_drafts": 2},
    policy={
        "auto_approve_above": 0.98,
        "quick_review_from": 0.85,
        "signals": {str(name): {"weight": weight, "use": str(use)} for name, (weight, use) in _WEIGHTS.items()},
        "high_stakes_domains": ["medication"],
        "risk_floor": {"medication": Risk.HIGH.value, "insurance": Risk.MEDIUM.value},
        "sampling_share": 0.2,
        "new_release_reviews": 100,
        "new_release_threshold": 0.985,
        "reason_codes": [
            ["unsafe_advice", "Could harm a patient"],
            ["wrong_fact", "States something that is not so"],
            ["unsupported", "Not supported by the clinic's documents"],
            ["beyond_remit", "Belongs to a physician"],
            ["missing_step", "Leaves out what the patient has to do"],
            ["tone", "Wrong tone or language"],
            ["other", "Something else"],
        ],
    },
    conditions=(
        (
            "Medication on fewer than two sources",
            Trigger.QUALITY_FAILURE,
            'domain == "medication" && has_draft && evidence_count < 2',
        ),
        ("Language unknown", Trigger.QUALITY_FAILURE, 'language == "" || language == "und"'),
        (
            "Symptoms mentioned outside medication",
            Trigger.HIGH_STAKES,
            'domain != "medication" && "symptoms" in tags',
        ),
    ),
    calendar={
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "subdivision": "BE",
        "hours": {**{str(day): [_MORNING, _AFTERNOON] for day in range(4)}, "4": [["08:00", "13:00"]]},
    },
    slas={
        "Medication question": (30, "minutes"),
        "Appointment": (4, "hours"),
        "Insurance matter": (1, "business_days"),
        "Low-risk correction": (24, "hours"),
    },
    skills={"nursing": "Nursing", "insurance": "Health insurance"},
    queues=(
        {"slug": "reception", "name": "Reception", "is_fallback": True, "sla": "Low-risk correction"},
        {
            "slug": "charge-nurse",
            "name": "Charge nurse",
            "domains": ["medication"],
            "risks": [Risk.CRITICAL.value],
            "skill": "nursing",
            "skill_level": 3,
            "sla": "Medication question",
        },
        {
            "slug": "medication",
            "name": "Medication",
            "domains": ["medication"],
            "skill": "nursing",
            "skill_level": 2,
            "sla": "Medication question",
            "escalates_to": "charge-nurse",
        },
        {"slug": "appointments", "name": "Appointments", "domains": ["appointments"], "sla": "Appointment"},
        {
            "slug": "insurance",
            "name": "Insurance and invoices",
            "domains": ["insurance"],
            "skill": "insurance",
            "sla": "Insurance matter",
        },
    ),
    people=(
        Person("rosa", "Rosa", "Brandt", Role.REVIEWER, ("de", "en"), {"nursing": 2, "insurance": 1}),
        Person("samuel", "Samuel", "Petit", Role.REVIEWER, ("fr", "en", "de"), {"nursing": 2, "insurance": 2}),
        Person("tilda", "Tilda", "Krüger", Role.SENIOR_REVIEWER, ("de", "fr", "en"), {"nursing": 4, "insurance": 3}),
        Person("umar", "Umar", "Siddiqui", Role.APPROVER),
        Person("vera", "Vera", "Hoffmann", Role.SUPERVISOR),
        Person("wanda", "Wanda", "Kaminski", Role.COMPLIANCE),
        Person("yann", "Yann", "Leroux", Role.TENANT_ADMIN),
    ),
)
