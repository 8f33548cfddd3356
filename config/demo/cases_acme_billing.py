"""Acme Outfitters: money. Each case was written for one reason that a reviewer meets in life."""

from typing import Any

from cases.vocabulary import Verdict
from config.demo.story import NewDraft, Reopened, Review, Story, WantsPerson, Withdrawn, days, hours, signals

RELEASE = {"model": "gpt-4o", "version": "2026-08-06", "prompt_version": "v14", "retrieval_version": "idx-9"}
BEFORE = {"model": "gpt-4o", "version": "2026-05-13", "prompt_version": "v13", "retrieval_version": "idx-8"}

REFUNDS = (
    "refunds-v3",
    "Unworn items may be returned within 30 days of delivery for a full refund to the original means of payment. From "
    "day 31 to day 60 we offer store credit for 90 percent of the price. After 60 days only faulty items are taken "
    "back.",
)
PRICES = (
    "prices-v2",
    "If an item goes on sale within 14 days of the purchase, the difference is refunded once, on request. Marketplace "
    "items and clearance are excluded.",
)
CHARGES = (
    "charges-v5",
    "A pending authorisation is released by the bank within 5 working days. Support never promises a date on a bank's "
    "behalf. A settled duplicate charge is refunded in full on the day it is confirmed.",
)


def refund(order: str, amount: str, basis: str, **more: Any) -> dict[str, Any]:
    """A proposed refund in US dollars."""
    return {
        "action": "issue_refund",
        "params": {"order_id": order, "reason": basis},
        "amount": amount,
        "currency": "USD",
        "policy_basis": basis,
        **more,
    }


BILLING = (
    Story(
        "conv-20881",
        "billing",
        hours(3.4),
        "I bought the Ridgeline parka almost six weeks ago and it arrived two days later. Winter turned out mild and I "
        "have not worn it once, tags still on. Can I still get my money back?",
        "Yes. Because the parka is unworn and still has its tags, we can refund the full 289.00 USD to your card. "
        "Please print the label from your account and drop the parcel off at any pick-up point.",
        signals(0.74, 0.52, 0.11, 0.88, 0.61, 0.58, 1.0, 0.97),
        evidence=(
            ("refunds-v3", "Unworn items may be returned within 30 days of delivery for a full refund.", 0.91),
            ("refunds-v3", "From day 31 to day 60 we offer store credit for 90 percent of the price.", 0.86),
        ),
        policies=(REFUNDS,),
        tools=(
            (
                "get_order",
                "ok",
                {
                    "order_id": "A-118204",
                    "item": "Ridgeline parka, moss, M",
                    "price": "289.00",
                    "delivered": "38 days ago",
                },
            ),
        ),
        customer={"reference": "cust_4410", "email": "m.delgado@example.com", "locale": "en-US"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": refund("A-118204", "289.00", "unworn, returned with tags", customer_id="cust_4410"),
            "reasoning": "The item is unworn, so the refund policy applies. The order shows delivery and payment by "
            "card.",
            "limited_answer": "We have your request and are checking the delivery date of your order.",
        },
    ),
    Story(
        "conv-20904",
        "billing",
        hours(2.1),
        "There are two charges of 64.50 on my card for the same order. Please take one back today, I am overdrawn.",
        "I am sorry about that. Both charges are visible on our side, so I have arranged for the second one to be "
        "refunded. You will have the money back by tomorrow morning.",
        signals(0.81, 0.64, 0.16, 0.83, 0.7, 0.47, 1.0, 0.95),
        evidence=(("charges-v5", "A pending authorisation is released by the bank within 5 working days.", 0.84),),
        policies=(CHARGES,),
        tools=(
            (
                "list_payments",
                "ok",
                [
                    {"id": "pay_7731", "amount": "64.50", "status": "settled"},
                    {"id": "pay_7732", "amount": "64.50", "status": "authorised, not captured"},
                ],
            ),
        ),
        customer={"reference": "cust_1093", "email": "j.whitfield@example.com", "phone": "+1 555 0142"},
        fields={
            "release": RELEASE,
            "reasoning": "Two charges of the same amount on one day point to a duplicate payment.",
            "tags": ["duplicate-charge"],
        },
        due_in=hours(2.6),
    ),
    Story(
        "conv-20777",
        "billing",
        hours(6.2),
        "Our company ordered 60 jackets for a trade fair and 42 came with the wrong embroidery. The fair is over. We "
        "want the 4,200 USD back that we paid for those, and we are not sending them back at our own cost.",
        "As an enterprise customer you are entitled to a full refund of 4,200.00 USD without returning the goods. I "
        "have submitted it for you.",
        signals(0.58, 0.44, 0.04, 0.79, 0.5, 0.52, 0.5, 0.93),
        evidence=(
            (
                "enterprise-terms-2026",
                "Faulty custom goods are replaced or refunded at the account manager's discretion.",
                0.77,
            ),
            ("enterprise-terms-2024", "Faulty custom goods are refunded in full.", 0.75),
        ),
        tools=(
            (
                "get_order",
                "ok",
                {"order_id": "B-30077", "lines": 60, "unit_price": "100.00", "terms": "enterprise-terms-2026"},
            ),
            ("get_production_photos", "error", "The photo archive answered 503 after three attempts."),
        ),
        customer={"reference": "cust_981", "email": "procurement@halden.example", "locale": "en-US"},
        fields={
            "release": RELEASE,
            "risk_level": "high",
            "model_decision": "approve",
            "reason_for_escalation": "Amount above the assistant's limit",
            "proposed_action": refund(
                "B-30077", "4200.00", "enterprise exception", customer_id="cust_981", requires_approval=True
            ),
            "reasoning": "The 2024 terms give a full refund. The 2026 terms leave it to the account manager, who is "
            "not reachable, so the older and more generous text was used.",
            "messages": [
                {"role": "user", "content": "42 of 60 jackets say HALDEN with two Ls. I attached photos last week."},
                {"role": "assistant", "content": "Thank you, I have found your order. What would you like us to do?"},
                {"role": "user", "content": "Refund the 42. We had to buy others on the spot."},
            ],
            "tags": ["enterprise"],
        },
    ),
    Story(
        "conv-20915",
        "billing",
        hours(1.2),
        "The trail shoes I bought last Tuesday are 30 dollars cheaper today. Do you match that?",
        "Yes, we do. You bought them 9 days ago and they went on sale within 14 days of your purchase, so I can refund "
        "the difference of 30.00 USD to your card once. It usually shows up on your statement within a few days.",
        signals(0.93, 0.9, 0.19, 0.9, 0.92, 0.95, 1.0, 0.98),
        evidence=(
            (
                "prices-v2",
                "If an item goes on sale within 14 days of the purchase, the difference is refunded once.",
                0.94,
            ),
        ),
        policies=(PRICES,),
        tools=(
            ("get_order", "ok", {"order_id": "A-121556", "price": "129.00", "bought": "9 days ago", "seller": "Acme"}),
            ("get_price", "ok", {"sku": "TRAIL-2-42", "price": "99.00", "label": "sale"}),
        ),
        customer={"reference": "cust_2217", "email": "priya.s@example.com"},
        fields={
            "release": RELEASE,
            "proposed_action": refund("A-121556", "30.00", "price difference within 14 days", customer_id="cust_2217"),
        },
    ),
    Story(
        "conv-20922",
        "billing",
        45,
        "The price of the tent I bought ten days ago has dropped by 80 dollars. Please refund me the difference.",
        "Good news: your purchase was 10 days ago, so we will refund the 80.00 USD difference to your original card.",
        signals(0.88, 0.83, 0.15, 0.86, 0.78, 0.66, 1.0, 0.96),
        evidence=(("prices-v2", "Marketplace items and clearance are excluded.", 0.81),),
        policies=(PRICES,),
        tools=(
            (
                "get_order",
                "ok",
                {
                    "order_id": "A-121310",
                    "item": "Kestrel 3 tent",
                    "price": "419.00",
                    "seller": "Northway (marketplace)",
                },
            ),
        ),
        customer={"reference": "cust_3308", "email": "tom.b@example.com"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": refund("A-121310", "80.00", "price difference within 14 days", customer_id="cust_3308"),
        },
    ),
    Story(
        "conv-20930",
        "billing",
        25,
        "Ich habe zwei Rechnungen für die Bestellung A-120099 bekommen, einmal mit und einmal ohne Mehrwertsteuer. "
        "Welche ist die richtige? Meine Buchhaltung braucht das bis heute Abend.",
        "Bitte verwenden Sie die Rechnung ohne Mehrwertsteuer, da Sie als Firmenkunde bestellt haben.",
        signals(0.69, 0.48, 0.07, 0.72, 0.55, 0.71, 1.0, 0.9),
        language="de",
        evidence=(
            ("invoices-de", "Eine korrigierte Rechnung ersetzt die frühere und trägt den Zusatz „Korrektur“.", 0.7),
        ),
        tools=(
            (
                "list_invoices",
                "ok",
                [
                    {"no": "R-55102", "vat": "0.00", "status": "storniert"},
                    {"no": "R-55118", "vat": "22.61", "status": "Korrektur"},
                ],
            ),
        ),
        customer={"reference": "cust_5120", "email": "einkauf@lindner.example", "locale": "de-DE"},
        fields={"release": RELEASE, "reasoning": "Firmenkunden aus der EU zahlen mit gültiger USt-IdNr. keine Steuer."},
        due_in=hours(1.5),
    ),
    Story(
        "conv-20866",
        "billing",
        hours(5.1),
        "I cancelled my Trail Club membership in the app two days before it renewed. You still took 79 dollars. I want "
        "it back and I want to talk to a human being, not to this bot.",
        "Our records show that the membership was renewed on schedule, so the charge is correct and cannot be "
        "refunded.",
        signals(0.77, 0.6, 0.13, 0.8, 0.42, 0.74, 0.5, 0.96),
        evidence=(("club-terms", "A cancellation counts from the moment it is sent in the app.", 0.79),),
        tools=(
            ("get_membership", "ok", {"plan": "Trail Club", "renewed": "yesterday", "status": "active"}),
            ("get_app_events", "timeout", "No answer within 10 seconds."),
        ),
        customer={"reference": "cust_0877", "email": "l.okoye@example.com", "phone": "+1 555 0107"},
        fields={"release": RELEASE, "triggers": ["user_escalation"], "risk_level": "medium", "tags": ["membership"]},
        steps=(WantsPerson(20, "The customer wrote twice more and asked for a call back."),),
    ),
    Story(
        "conv-20938",
        "billing",
        12,
        "Can you split the payment for an order of 900 dollars over three cards?",
        "",
        customer={"reference": "cust_6612"},
        fields={"release": RELEASE, "reason_for_escalation": "The assistant found no article about this."},
    ),
    Story(
        "conv-20644",
        "billing",
        days(1.3),
        "I returned a pair of boots on the 3rd, tracking says you signed for them on the 6th, and I still have no "
        "refund.",
        "Thank you for waiting. Your return was received on the 6th and passed inspection, so I am refunding 164.00 "
        "USD to your Visa card. Banks usually show it within 3 to 5 working days.",
        signals(0.91, 0.88, 0.18, 0.92, 0.9, 0.94, 1.0, 0.97),
        evidence=(("returns-sop", "A return that passed inspection is refunded on the same day.", 0.92),),
        policies=(REFUNDS,),
        tools=(
            ("get_return", "ok", {"return_id": "RT-8830", "received": "on the 6th", "inspection": "passed"}),
            ("list_payments", "ok", [{"id": "pay_7102", "amount": "164.00", "method": "Visa"}]),
        ),
        customer={"reference": "cust_1846", "email": "r.castellanos@example.com"},
        fields={
            "release": RELEASE,
            "model_decision": "approve",
            "proposed_action": refund("A-117730", "164.00", "return received and inspected", customer_id="cust_1846"),
        },
        steps=(Review(42, Verdict.ACCEPT, minutes=4.5),),
    ),
    Story(
        "conv-20571",
        "billing",
        days(2.2),
        "Why was I charged 12.95 for shipping? The banner said free shipping over 75 and my basket was 81.",
        "Free shipping applies to baskets over 75 USD before discounts. Your basket was 81 USD, so I am refunding "
        "12.95 USD.",
        signals(0.72, 0.57, 0.1, 0.81, 0.6, 0.55, 1.0, 0.94),
        evidence=(("shipping-promo", "Free shipping on baskets of 75 USD or more after discounts.", 0.89),),
        tools=(
            ("get_order", "ok", {"order_id": "A-116020", "basket": "81.00", "discount": "-10.00", "paid": "83.95"}),
        ),
        customer={"reference": "cust_7004", "email": "s.moreau@example.com"},
        fields={
            "release": BEFORE,
            "model_decision": "approve",
            "proposed_action": refund("A-116020", "12.95", "free shipping promotion", customer_id="cust_7004"),
        },
        steps=(
            Review(
                65,
                Verdict.REJECT,
                code="wrong_policy",
                notes="The promotion counts the basket after discounts: 71.00, so shipping was due.",
                incorrect_evidence=("shipping-promo",),
                by="ben",
            ),
        ),
    ),
    Story(
        "conv-20533",
        "billing",
        days(2.9),
        "My gift card for 50 dollars shows a balance of zero and I never used it.",
        "I can see that the card was redeemed in August. It cannot be refunded.",
        signals(0.63, 0.4, 0.06, 0.68, 0.44, 0.62, 1.0, 0.9),
        evidence=(("gift-cards", "A redeemed card can be traced to the order that it paid for.", 0.66),),
        tools=(
            ("get_gift_card", "ok", {"card": "…4471", "redeemed": "2 August", "order": "A-101977", "account": "other"}),
        ),
        customer={"reference": "cust_2951", "email": "h.yamada@example.com"},
        fields={"release": BEFORE, "reasoning": "Redeemed cards have no balance."},
        steps=(
            Review(
                88,
                Verdict.EDIT,
                answer="Your card was redeemed on 2 August for an order of another account. If that was not you, "
                "please send us a photo of the back of the card and its receipt. As soon as we have both, we block the "
                "old code and send you a new card for 50.00 USD.",
                code="missing_step",
                notes="Redeemed by another account: treat as possible misuse, do not just refuse.",
                missing_evidence="The article on disputed gift cards",
                better_query="gift card redeemed by someone else, replacement procedure",
                by="ana",
                minutes=9.5,
            ),
        ),
    ),
    Story(
        "conv-20489",
        "billing",
        days(3.6),
        "You refunded me in store credit although I paid by card and returned the shirt after 12 days.",
        "Store credit is our standard for returns, but you can use it for any purchase on our site.",
        signals(0.66, 0.41, 0.09, 0.77, 0.38, 0.4, 1.0, 0.95),
        evidence=(
            ("refunds-v3", "Within 30 days of delivery for a full refund to the original means of payment.", 0.93),
        ),
        policies=(REFUNDS,),
        customer={"reference": "cust_3390", "email": "k.brandt@example.com"},
        fields={"release": BEFORE},
        steps=(
            Review(
                50,
                Verdict.NEEDS_EDIT,
                notes="12 days is within 30: the money goes back to the card. Say so, and how the credit is reversed.",
                policy_reason="refunds-v3, first sentence",
                by="chloe",
            ),
            NewDraft(
                35,
                {
                    "model_draft": "You are right, and I am sorry: a return after 12 days is refunded to the card that "
                    "you paid with. I have asked for the store credit of 42.00 USD to be reversed and for the same "
                    "amount to be refunded to your card. You will get a confirmation by e-mail.",
                    "evidence": [
                        {
                            "document_id": "refunds-v3",
                            "quote": "A full refund to the original means of payment.",
                            "score": 0.95,
                        }
                    ],
                    "signals": signals(0.94, 0.93, 0.2, 0.93, 0.91, 0.97, 1.0),
                    "release": BEFORE,
                },
            ),
            Review(25, Verdict.ACCEPT, by="chloe", minutes=3),
        ),
    ),
    Story(
        "conv-20940",
        "billing",
        hours(1.6),
        "Please change the name on invoice R-55240 to our parent company.",
        "I have changed the name on your invoice. A new copy is on its way.",
        signals(0.71, 0.5, 0.12, 0.75, 0.57, 0.6, 0.0, 0.92),
        evidence=(("invoices-en", "An issued invoice is never changed: it is cancelled and issued again.", 0.88),),
        tools=(("update_invoice", "error", {"code": "immutable", "message": "Issued invoices cannot be changed."}),),
        customer={"reference": "cust_8811", "email": "accounts@fernley.example"},
        fields={"release": RELEASE},
        steps=(
            Review(
                30,
                Verdict.NEEDS_EDIT,
                notes="The tool refused the change. Offer to cancel R-55240 and issue a new invoice, and ask for the "
                "VAT number.",
                code="wrong_fact",
            ),
        ),
    ),
    Story(
        "conv-20710",
        "billing",
        days(1.0),
        "I want my 210 dollars back for order A-119001, the parcel never came.",
        "The carrier confirms the loss, so I am refunding 210.00 USD in full.",
        signals(0.86, 0.81, 0.17, 0.85, 0.84, 0.9, 1.0, 0.95),
        evidence=(("lost-parcels", "After the carrier confirms a loss the order is refunded or sent again.", 0.9),),
        tools=(("track", "ok", {"carrier": "NorthPost", "status": "lost, confirmed"}),),
        customer={"reference": "cust_4067"},
        fields={
            "release": RELEASE,
            "proposed_action": refund("A-119001", "210.00", "parcel lost, confirmed by the carrier"),
        },
        steps=(Withdrawn(150, "The parcel was found and delivered this morning."),),
    ),
    Story(
        "conv-20601",
        "billing",
        days(2.0),
        "Does the 15 percent newsletter discount work on top of sale prices?",
        "Yes, the newsletter code takes 15 percent off everything in your basket, sale items included.",
        signals(0.98, 0.97, 0.27, 0.95, 0.96, 0.98, 1.0, 0.99),
        evidence=(("newsletter-code", "15 percent off your next order.", 0.96),),
        customer={"reference": "cust_5533", "email": "a.fontaine@example.com"},
        fields={"release": RELEASE},
        steps=(
            Reopened(
                410, "The fine print has excluded sale items since this month; the article in the index is the old one."
            ),
            Review(
                22,
                Verdict.EDIT,
                answer="The newsletter code takes 15 percent off items at their regular price. Since this month it can "
                "no longer be combined with sale prices.",
                code="wrong_policy",
                policy_reason="Newsletter terms of this month",
                incorrect_evidence=("newsletter-code",),
                by="dora",
            ),
        ),
    ),
)
