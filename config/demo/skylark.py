"""Skylark Airways: reservations are never changed without a person, miles and bags mostly are."""

from cases.vocabulary import Risk, Role, Route, Trigger
from config.demo.tenants import Action, Authority, Person, Plan

_ANY_ID = {"type": "string", "minLength": 1}

SKYLARK = Plan(
    slug="skylark",
    name="Skylark Airways",
    settings={"time_zone": "Europe/Lisbon"},
    policy={
        "auto_approve_above": 0.97,
        "quick_review_from": 0.8,
        "high_stakes_domains": ["airline"],
        "risk_floor": {"airline": Risk.MEDIUM.value, "disruption": Risk.MEDIUM.value},
        "new_release_threshold": 0.98,
        "new_release_reviews": 15,
        "sampling_share": 0.1,
        "decision_options": ["approve", "deny", "transfer to an agent"],
    },
    conditions=(
        (
            "Certificate without a disruption on record",
            Trigger.POLICY_BOUNDARY,
            'action == "send_certificate" && evidence_count == 0',
        ),
        ("Departs within 24 hours", Trigger.HIGH_STAKES, '"departs-within-24h" in tags'),
        (
            "Long question, short answer",
            Trigger.QUALITY_FAILURE,
            "has_draft && question_length > 600 && draft_length < 60",
        ),
    ),
    calendar={"time_zone": "Europe/Lisbon", "country": "PT"},
    slas={
        "Travel today": (30, "minutes"),
        "Change of a reservation": (2, "hours"),
        "Baggage and miles": (24, "hours"),
        "Compensation claim": (1, "business_days"),
    },
    skills={"ticketing": "Ticketing", "claims": "Passenger rights"},
    queues=(
        {"slug": "guest-services", "name": "Guest services", "is_fallback": True, "sla": "Baggage and miles"},
        {
            "slug": "duty-desk",
            "name": "Duty desk",
            "domains": ["airline", "disruption"],
            "risks": [Risk.CRITICAL.value],
            "skill": "ticketing",
            "sla": "Travel today",
        },
        {
            "slug": "reservations",
            "name": "Reservations",
            "domains": ["airline"],
            "skill": "ticketing",
            "sla": "Change of a reservation",
            "escalates_to": "duty-desk",
        },
        {
            "slug": "disruption",
            "name": "Delays and cancellations",
            "domains": ["disruption"],
            "sla": "Change of a reservation",
        },
        {
            "slug": "compensation",
            "name": "Compensation claims",
            "domains": ["compensation"],
            "routes": [Route.FULL_INVESTIGATION.value],
            "skill": "claims",
            "sla": "Compensation claim",
        },
        {"slug": "baggage", "name": "Baggage", "domains": ["baggage"], "sla": "Baggage and miles"},
    ),
    people=(
        Person("jonas", "Jonas", "Weber", Role.REVIEWER, ("en", "de"), {"ticketing": 2}),
        Person("kimiko", "Kimiko", "Mori", Role.REVIEWER, ("en", "ja"), {"ticketing": 2, "claims": 1}),
        Person(
            "luis", "Luís", "Teixeira", Role.SENIOR_REVIEWER, ("en", "pt", "es", "de"), {"ticketing": 4, "claims": 3}
        ),
        Person("mona", "Mona", "Eklund", Role.APPROVER),
        Person("noor", "Noor", "Rahman", Role.APPROVER),
        Person("peter", "Peter", "Ivers", Role.SUPERVISOR),
        Person("quinn", "Quinn", "Doyle", Role.TENANT_ADMIN),
    ),
    actions=(
        Action(
            "cancel_reservation",
            "Cancel a reservation",
            {"properties": {"reservation_id": _ANY_ID}, "required": ["reservation_id"]},
            (("customer_known", Risk.HIGH, 1, 240, False),),
        ),
        Action(
            "update_reservation_flights",
            "Change flights or cabin",
            {
                "properties": {"reservation_id": _ANY_ID, "flights": {"type": "array"}, "cabin": {"type": "string"}},
                "required": ["reservation_id", "flights"],
            },
            (
                ("amount > 0.0 && amount <= 400.0", Risk.MEDIUM, 1, 240, False),
                ("customer_known", Risk.HIGH, 1, 240, False),
            ),
        ),
        Action(
            "book_reservation",
            "Book a flight",
            {
                "properties": {
                    "user_id": _ANY_ID,
                    "flights": {"type": "array"},
                    "passengers": {"type": "array"},
                    "payment_methods": {"type": "array"},
                },
                "required": ["user_id", "flights"],
            },
            (
                ("amount > 0.0 && amount <= 300.0", Risk.MEDIUM, 1, 60, False),
                ("amount > 0.0 && amount <= 1500.0", Risk.HIGH, 1, 60, False),
            ),
        ),
        Action(
            "update_reservation_baggages",
            "Change checked bags",
            {
                "properties": {"reservation_id": _ANY_ID, "total_baggages": {"type": "integer", "minimum": 0}},
                "required": ["reservation_id"],
            },
            (("amount <= 150.0", Risk.MEDIUM, 1, 480, False),),
        ),
        Action(
            "send_certificate",
            "Send a travel certificate",
            {
                "properties": {"user_id": _ANY_ID, "amount": {"type": ["number", "string"]}},
                "required": ["user_id", "amount"],
            },
            (
                ('currency == "USD" && amount > 0.0 && amount <= 100.0', Risk.MEDIUM, 1, 1440, False),
                ('currency == "USD" && amount > 0.0 && amount <= 500.0', Risk.HIGH, 1, 1440, False),
            ),
        ),
    ),
    authorities=(
        Authority("cancellations", "Cancellations", "cancel_reservation", Risk.HIGH, None, (Role.APPROVER,)),
        Authority(
            "changes_1500",
            "Changes of flights up to 1,500 USD",
            "update_reservation_flights",
            Risk.HIGH,
            "1500",
            (Role.APPROVER, Role.SENIOR_REVIEWER),
        ),
        Authority("bookings_1500", "Bookings up to 1,500 USD", "book_reservation", Risk.HIGH, "1500", (Role.APPROVER,)),
        Authority(
            "bags_150",
            "Bag fees up to 150 USD",
            "update_reservation_baggages",
            Risk.MEDIUM,
            "150",
            (Role.APPROVER, Role.SENIOR_REVIEWER),
        ),
        Authority(
            "certificates_500", "Certificates up to 500 USD", "send_certificate", Risk.HIGH, "500", (Role.APPROVER,)
        ),
    ),
)
