"""Skylark Airways: cases written one by one."""

from typing import Any

from cases.vocabulary import Verdict
from config.demo.story import NewDraft, Reopened, Review, Story, WantsPerson, Withdrawn, days, hours, signals

RELEASE = {
    "model": "claude-sonnet-4",
    "version": "2026-09-02",
    "prompt_version": "guest-21",
    "retrieval_version": "manual-33",
}
BEFORE = {
    "model": "claude-sonnet-4",
    "version": "2026-06-11",
    "prompt_version": "guest-20",
    "retrieval_version": "manual-31",
}

FARES = (
    "fare-rules-7",
    "Basic economy cannot be changed. Any fare can be cancelled free of charge within 24 hours of booking, or when the "
    "airline cancelled the flight. Otherwise a reservation is cancelled only in business, or with insurance and a "
    "reason that it covers: health or weather.",
)
COMPENSATION = (
    "care-12",
    "For a cancelled flight a certificate of 100 USD for each passenger, for a delay of more than three hours 50 USD. "
    "Only silver and gold members, insured or business passengers, and only when they ask.",
)
BAGS = (
    "bags-4",
    "Economy includes one checked bag for regular, two for silver, three for gold members. Each more costs 50 USD.",
)


def action(
    name: str, customer: str, params: dict[str, Any], basis: str = "fare-rules-7", **money: str
) -> dict[str, Any]:
    """A proposed change to a reservation."""
    return {"action": name, "params": params, "customer_id": customer, "policy_basis": basis, **money}


SKYLARK_CASES = (
    Story(
        "chat-7710",
        "airline",
        70,
        "My mother is in hospital. I have to cancel my trip to Chicago on Saturday, reservation QX41PB, and get the "
        "money back.",
        "I am very sorry. Because illness in the family is covered, I will cancel reservation QX41PB and refund 412.00 "
        "USD to your card.",
        signals(0.77, 0.66, 0.14, 0.85, 0.58, 0.5, 1.0, 0.96),
        evidence=(("fare-rules-7", "With insurance and a reason that it covers: health or weather.", 0.88),),
        policies=(FARES,),
        tools=(
            (
                "get_reservation_details",
                "ok",
                {
                    "reservation_id": "QX41PB",
                    "cabin": "economy",
                    "insurance": "no",
                    "created": "19 days ago",
                    "paid": "412.00",
                    "passengers": 1,
                },
            ),
        ),
        customer={"reference": "sofia_lange_2210", "email": "sofia.lange@example.com"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": action("cancel_reservation", "sofia_lange_2210", {"reservation_id": "QX41PB"}),
            "reasoning": "The reason is health, which the policy names. Insurance was not looked at.",
        },
    ),
    Story(
        "chat-7716",
        "disruption",
        22,
        "SK204 to Boston was just cancelled. I have a job interview there tomorrow at nine. What can you do?",
        "You are rebooked on SK218 tomorrow at 7:40, which arrives at 9:05.",
        signals(0.79, 0.72, 0.15, 0.86, 0.5, 0.8, 1.0, 0.94),
        evidence=(("irregular-ops", "Offer the first arrival of any partner before the next day's own flight.", 0.87),),
        tools=(
            (
                "search_flights",
                "ok",
                [{"flight": "SK218", "arrives": "09:05"}, {"flight": "NW771 (partner)", "arrives": "22:50 today"}],
            ),
        ),
        customer={"reference": "omar_reed_4417", "phone": "+1 555 0163"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "tags": ["departs-within-24h"],
            "proposed_action": action(
                "update_reservation_flights",
                "omar_reed_4417",
                {
                    "reservation_id": "LM77TR",
                    "cabin": "economy",
                    "flights": [{"flight_number": "SK218", "date": "tomorrow"}],
                },
                "irregular-ops",
                amount="0.00",
                currency="USD",
            ),
        },
        due_in=55,
    ),
    Story(
        "chat-7702",
        "airline",
        hours(2.6),
        "Please move the three of us from basic economy on the 14th to the morning flight. We pay the difference.",
        "I can move all three passengers to SK110 on the 14th for 96.00 USD.",
        signals(0.7, 0.55, 0.12, 0.83, 0.51, 0.18, 1.0, 0.95),
        evidence=(("fare-rules-7", "Basic economy cannot be changed.", 0.95),),
        policies=(FARES,),
        tools=(
            ("get_reservation_details", "ok", {"reservation_id": "BT09ZD", "cabin": "basic_economy", "passengers": 3}),
        ),
        customer={"reference": "helga_sorensen_8800", "email": "helga@example.com"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": action(
                "update_reservation_flights",
                "helga_sorensen_8800",
                {
                    "reservation_id": "BT09ZD",
                    "cabin": "basic_economy",
                    "flights": [{"flight_number": "SK110", "date": "14th"}],
                },
                amount="96.00",
                currency="USD",
            ),
        },
    ),
    Story(
        "chat-7713",
        "baggage",
        hours(1.4),
        "I am a gold member and the desk charged me for my second bag. Reservation PV30KK. Can I have the 50 dollars "
        "back?",
        "Gold members have three checked bags in economy, so the fee should not have been charged. I am adding the two "
        "bags as free and refunding 50.00 USD.",
        signals(0.93, 0.91, 0.2, 0.93, 0.9, 0.95, 1.0, 0.97),
        evidence=(("bags-4", "Economy includes three checked bags for gold members.", 0.95),),
        policies=(BAGS,),
        tools=(
            ("get_user_details", "ok", {"membership": "gold"}),
            ("get_fees", "ok", [{"fee": "second bag", "amount": "50.00"}]),
        ),
        customer={"reference": "irene_voss_1042", "email": "irene.voss@example.com"},
        fields={
            "release": RELEASE,
            "proposed_action": action(
                "update_reservation_baggages",
                "irene_voss_1042",
                {"reservation_id": "PV30KK", "total_baggages": 2, "nonfree_baggages": 0},
                "bags-4",
                amount="50.00",
                currency="USD",
            ),
        },
    ),
    Story(
        "chat-7695",
        "compensation",
        hours(19),
        "Mein Flug von Lissabon nach Berlin hatte vier Stunden Verspätung. Nach EU-Recht stehen mir 400 Euro zu, nicht "
        "ein Gutschein über 50 Dollar.",
        "Bei Verspätungen über drei Stunden erhalten Sie einen Gutschein über 50 USD. Weitere Ansprüche bestehen "
        "nicht.",
        signals(0.52, 0.41, 0.07, 0.7, 0.3, 0.21, 1.0, 0.92),
        language="de",
        evidence=(
            ("care-12", "For a delay of more than three hours 50 USD.", 0.84),
            (
                "eu261-guide",
                "Between 1,500 and 3,500 km: 400 euros from three hours, unless circumstances are extraordinary.",
                0.82,
            ),
        ),
        policies=(COMPENSATION,),
        tools=(
            (
                "get_flight",
                "ok",
                {"flight": "SK411", "delay_minutes": 248, "cause": "crew rotation", "distance_km": 2310},
            ),
        ),
        customer={"reference": "lukas_hahn_3975", "email": "lukas.hahn@example.com", "locale": "de-DE"},
        fields={"release": RELEASE, "risk_level": "high", "tags": ["eu261"]},
    ),
    Story(
        "chat-7714",
        "airline",
        50,
        "Book me on the 18:05 to Seattle on Friday, economy, one bag, with the card ending in 7447.",
        "SK330 on Friday at 18:05, economy, one bag: 255.00 USD, charged to your Visa ending in 7447. Shall I book it?",
        signals(0.94, 0.93, 0.2, 0.92, 0.95, 0.97, 1.0, 0.98),
        evidence=(("search_direct_flight", "SK330, 18:05, economy 255, 12 seats.", 0.95),),
        tools=(("search_direct_flight", "ok", [{"flight": "SK330", "departs": "18:05", "economy": 255, "seats": 12}]),),
        customer={"reference": "marta_ruiz_5529", "email": "marta.ruiz@example.com"},
        fields={
            "release": RELEASE,
            "proposed_action": action(
                "book_reservation",
                "marta_ruiz_5529",
                {
                    "user_id": "marta_ruiz_5529",
                    "origin": "JFK",
                    "destination": "SEA",
                    "flights": [{"flight_number": "SK330", "date": "Friday"}],
                    "payment_methods": [{"payment_id": "card_7447", "amount": 255}],
                },
                amount="255.00",
                currency="USD",
            ),
        },
    ),
    Story(
        "chat-7690",
        "airline",
        hours(5),
        "I booked yesterday evening and the price fell by 140 dollars. Cancel RN52AH, please, I will book again.",
        "As you booked less than 24 hours ago, I can cancel RN52AH free of charge and refund 690.00 USD.",
        signals(0.9, 0.9, 0.19, 0.9, 0.9, 0.94, 1.0, 0.97),
        evidence=(("fare-rules-7", "Any fare can be cancelled free of charge within 24 hours of booking.", 0.95),),
        policies=(FARES,),
        tools=(
            (
                "get_reservation_details",
                "ok",
                {"reservation_id": "RN52AH", "created": "21 hours ago", "paid": "690.00"},
            ),
        ),
        customer={"reference": "david_cho_6071", "email": "david.cho@example.com"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": action("cancel_reservation", "david_cho_6071", {"reservation_id": "RN52AH"}),
        },
        due_in=hours(2.5),
    ),
    Story(
        "chat-7640",
        "baggage",
        days(1.6),
        "Can I take my cello as cabin baggage?",
        "Yes. A cello travels on a seat of its own: book an extra seat by phone at least 48 hours ahead. The case may "
        "be at most 130 cm high and is strapped to a window seat.",
        signals(0.99, 0.99, 0.27, 0.97, 0.98, 0.99, 1.0, 0.98),
        evidence=(("instruments", "Extra seat, 48 hours ahead, at most 130 cm, window seat.", 0.98),),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "chat-7577",
        "baggage",
        days(2.9),
        "Our pram was broken on arrival in Porto. The desk was closed. It is eight days ago now, am I too late?",
        "Yes. Damage has to be reported at the airport.",
        signals(0.74, 0.5, 0.09, 0.8, 0.45, 0.6, 1.0, 0.94),
        evidence=(
            ("montreal-convention", "Damage to checked baggage: in writing within seven days of receipt.", 0.86),
        ),
        customer={"reference": "ana_freitas_7313", "email": "a.freitas@example.com"},
        fields={"release": BEFORE},
        steps=(
            Review(
                240,
                Verdict.EDIT,
                answer="The deadline for damaged baggage is seven days from receipt, in writing. As our desk in Porto "
                "was closed when you landed, we will accept your report today. Please send us photos and the bag tag.",
                code="wrong_policy",
                notes="Goodwill: the desk log shows that it was closed that night.",
                missing_evidence="Opening log of the Porto desk",
                minutes=11,
            ),
        ),
    ),
    Story(
        "chat-7561",
        "airline",
        days(3.3),
        "I have insurance. There is a hurricane warning for Miami, so please cancel HG88WS.",
        "Your insurance covers weather. I will cancel HG88WS and refund 530.00 USD to your card.",
        signals(0.92, 0.92, 0.2, 0.91, 0.92, 0.96, 1.0, 0.97),
        evidence=(("fare-rules-7", "With insurance and a reason that it covers: health or weather.", 0.95),),
        policies=(FARES,),
        tools=(("get_reservation_details", "ok", {"reservation_id": "HG88WS", "insurance": "yes", "paid": "530.00"}),),
        customer={"reference": "paul_adair_9121", "email": "paul.adair@example.com"},
        fields={
            "release": BEFORE,
            "model_decision": "approve",
            "proposed_action": action("cancel_reservation", "paul_adair_9121", {"reservation_id": "HG88WS"}),
        },
        steps=(Review(38, Verdict.ACCEPT, notes="Insurance and weather report checked.", minutes=5),),
    ),
    Story(
        "chat-7548",
        "compensation",
        days(3.7),
        "SK97 was cancelled last week and nobody offered me anything. I am a silver member, we were two.",
        "I am sorry. As a silver member you receive a certificate of 200.00 USD, 100.00 USD for each of you.",
        signals(0.9, 0.88, 0.18, 0.9, 0.9, 0.95, 1.0, 0.96),
        evidence=(("care-12", "For a cancelled flight a certificate of 100 USD for each passenger.", 0.94),),
        policies=(COMPENSATION,),
        tools=(
            ("get_flight", "ok", {"flight": "SK97", "status": "cancelled"}),
            ("get_user_details", "ok", {"membership": "silver"}),
        ),
        customer={"reference": "ruth_amsel_2054"},
        fields={
            "release": BEFORE,
            "proposed_action": action(
                "send_certificate",
                "ruth_amsel_2054",
                {"user_id": "ruth_amsel_2054", "amount": 200},
                "care-12",
                amount="200.00",
                currency="USD",
            ),
        },
        steps=(Review(150, Verdict.ACCEPT, by="luis", minutes=6),),
    ),
    Story(
        "chat-7720",
        "airline",
        9,
        "There is only one passport in my bag and it is my brother's. My flight leaves in three hours. Can you change "
        "the name on the ticket to his? He could fly instead of me.",
        "",
        customer={"reference": "leo_strand_7008", "phone": "+1 555 0128"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "triggers": ["user_escalation"],
            "tags": ["departs-within-24h"],
            "reason_for_escalation": "Change of the passenger's name: the assistant may not answer this.",
        },
    ),
    Story(
        "chat-7709",
        "loyalty",
        hours(3),
        "祖母のマイルを私の口座に移せますか。来月、期限が切れます。",
        "はい、マイルはご家族間で無料で移行できます。お手続きはマイページの「マイルを移す」からお願いいたします。",
        signals(0.84, 0.6, 0.11, 0.78, 0.7, 0.82, 1.0, 0.95),
        language="ja",
        evidence=(("miles-9", "Miles can be moved within a family account. Outside it 10 USD per 1,000 miles.", 0.8),),
        customer={"reference": "haruka_ito_6650", "locale": "ja-JP"},
        fields={"release": RELEASE},
    ),
    Story(
        "chat-7520",
        "loyalty",
        days(4.1),
        "I flew to Oslo under my maiden name. Can you still credit the miles?",
        "Yes, within six months of the flight. I have credited 1,240 miles to your account.",
        signals(0.85, 0.7, 0.14, 0.84, 0.72, 0.86, 0.5, 0.95),
        evidence=(
            ("miles-9", "Missing miles are credited within six months. A change of name needs a document.", 0.88),
        ),
        tools=(
            ("get_flown", "ok", {"flight": "SK560", "name": "N. Berger"}),
            ("credit_miles", "denied", "Names differ."),
        ),
        customer={"reference": "nora_falk_3309"},
        fields={"release": BEFORE},
        steps=(
            Review(
                60,
                Verdict.NEEDS_EDIT,
                notes="The tool refused because the names differ. Ask for the marriage certificate and do not say that "
                "it is done.",
                code="wrong_fact",
                by="jonas",
            ),
            NewDraft(
                40,
                {
                    "model_draft": "Yes, within six months of the flight. Because the ticket carries your former name, "
                    "please upload a copy of the document that shows the change under “My documents”. As soon as it is "
                    "checked, 1,240 miles are credited to your account.",
                    "evidence": [
                        {"document_id": "miles-9", "quote": "A change of name needs a document.", "score": 0.93}
                    ],
                    "signals": signals(0.95, 0.94, 0.2, 0.92, 0.94, 0.97, 1.0),
                    "release": BEFORE,
                },
            ),
            Review(30, Verdict.ACCEPT, by="jonas", minutes=2),
        ),
    ),
    Story(
        "chat-7633",
        "disruption",
        days(1.8),
        "Is SK19 on time tonight?",
        "Yes, SK19 to Madrid leaves on time at 20:35 from gate B14.",
        signals(0.99, 0.99, 0.28, 0.98, 0.98, 0.99, 1.0, 0.99),
        evidence=(("flight-status", "SK19, scheduled 20:35, gate B14, on time.", 0.99),),
        tools=(("get_flight", "ok", {"flight": "SK19", "status": "on time", "gate": "B14"}),),
        fields={"release": RELEASE, "risk_level": "low"},
        steps=(
            Reopened(35, "A delay of 90 minutes was announced at 18:10; the status feed was 40 minutes behind."),
            Review(
                8,
                Verdict.EDIT,
                answer="SK19 to Madrid is delayed: it now leaves at 22:05 from gate B14. We are sorry. Vouchers for a "
                "meal are handed out at the gate.",
                code="wrong_fact",
                notes="The status feed was stale.",
                by="kimiko",
                minutes=2,
            ),
        ),
    ),
    Story(
        "chat-7655",
        "loyalty",
        days(1.3),
        "Do my miles expire if I do not fly this year?",
        "Miles stay valid for 36 months after your last activity. A flight, a purchase with our card or a gift of "
        "miles to somebody else counts as activity.",
        signals(0.99, 0.99, 0.29, 0.98, 0.97, 0.99, 1.0, 0.97),
        evidence=(("miles-9", "36 months after the last activity: flight, card or gift.", 0.98),),
        fields={"release": RELEASE, "risk_level": "low"},
        steps=(WantsPerson(200, "The customer says that the app shows another date and wants a person."),),
    ),
    Story(
        "chat-7717",
        "baggage",
        hours(0.6),
        "My bag did not arrive in Denver and my insulin is in it.",
        "Please file a report at the baggage desk. Most bags arrive within 48 hours.",
        signals(0.8, 0.62, 0.13, 0.82, 0.2, 0.55, 1.0, 0.95),
        evidence=(
            ("lost-bags", "Medicine in a missing bag: call the station at once and offer a pharmacy voucher.", 0.9),
        ),
        tools=(("trace_bag", "ok", {"tag": "SK 441 902", "last_seen": "Chicago", "next_flight": "SK712 in 2 hours"}),),
        customer={"reference": "gail_norris_1188", "phone": "+1 555 0190"},
        fields={"release": RELEASE, "risk_level": "critical", "triggers": ["high_stakes"], "tags": ["medical"]},
    ),
    Story(
        "chat-7612",
        "airline",
        days(2.2),
        "Please upgrade both of us to business on the way back, VK20DD.",
        "Business costs 640.00 USD more for both of you. I have prepared the change.",
        signals(0.87, 0.85, 0.17, 0.88, 0.86, 0.93, 1.0, 0.95),
        evidence=(("fare-rules-7", "The cabin is the same for all passengers of a reservation.", 0.83),),
        tools=(("get_reservation_details", "ok", {"reservation_id": "VK20DD", "passengers": 2, "cabin": "economy"}),),
        customer={"reference": "ivo_marin_4646"},
        fields={
            "release": BEFORE,
            "proposed_action": action(
                "update_reservation_flights",
                "ivo_marin_4646",
                {
                    "reservation_id": "VK20DD",
                    "cabin": "business",
                    "flights": [{"flight_number": "SK77", "date": "return"}],
                },
                amount="640.00",
                currency="USD",
            ),
        },
        steps=(Withdrawn(45, "The customers changed their mind and fly in economy."),),
    ),
)
