"""Skylark Airways: what comes in every day, told once and varied."""

from cases.vocabulary import Verdict
from config.demo.cases_skylark import BAGS, BEFORE, COMPENSATION, FARES, RELEASE, action
from config.demo.story import Review, Story, signals
from config.demo.tables import table

SKYLARK_DAILY = (
    Story(
        "chat-761",
        "disruption",
        0,
        "Is {flight} to {city} on time {day}?",
        "Yes, {flight} to {city} leaves on time at {time} from gate {gate}.",
        signals(0.99, 0.99, 0.27, 0.98, 0.98, 0.99, 1.0, 0.99),
        evidence=(("flight-status", "{flight}, scheduled {time}, gate {gate}, on time.", 0.99),),
        tools=(("get_flight", "ok", {"flight": "{flight}", "status": "on time", "gate": "{gate}"}),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | flight | city   | day          | time  | gate
            4.0d | SK41   | Lyon   | this evening | 19:10 | A07
            3.2d | SK260  | Zurich | tomorrow     | 06:55 | C02
            2.5d | SK88   | Oslo   | tonight      | 21:20 | B03
            1.9d | SK415  | Vienna | this evening | 18:45 | A12
            30h  | SK19   | Madrid | tonight      | 20:35 | B14
            13h  | SK73   | Dublin | this morning | 07:25 | C09
            6h   | SK108  | Porto  | this evening | 17:50 | A03
        """),
    ),
    Story(
        "chat-762",
        "airline",
        0,
        "Please cancel {reservation}. {reason}",
        "I will cancel {reservation} and refund {amount} USD to your card.",
        signals(0.8, 0.71, 0.15, 0.87, 0.66, 0.62, 1.0, 0.96),
        evidence=(("fare-rules-7", "With insurance and a reason that it covers: health or weather.", 0.88),),
        policies=(FARES,),
        tools=(
            (
                "get_reservation_details",
                "ok",
                {"reservation_id": "{reservation}", "cabin": "{cabin}", "insurance": "{insurance}", "paid": "{amount}"},
            ),
        ),
        customer={"reference": "{customer}"},
        fields={
            "release": BEFORE,
            "model_decision": "approve",
            "proposed_action": action("cancel_reservation", "{customer}", {"reservation_id": "{reservation}"}),
        },
        variants=table(
            """
            age  | reservation | reason                                   | cabin    | insurance | amount | customer         | then
            4.3d | AA19LX      | My meeting was moved.                    | business | no        | 980.00 | eva_horn_5512    | good
            3.6d | DD02QT      | I have the flu, a doctor's note follows. | economy  | yes       | 340.00 | sam_price_2107   | good
            3.0d | FM61VE      | I found a cheaper flight.                | economy  | no        | 275.00 | lea_stone_8841   | refuse
            2.1d | GH77CB      | Our dog is ill.                          | economy  | yes       | 455.00 | tim_brook_3390   | refuse
            1.2d | JP50RN      | The storm in Dallas worries me.          | economy  | yes       | 610.00 | ida_holt_1275    | good
            95m  | KT33SU      | I cannot get leave from work.            | economy  | no        | 388.00 | max_egger_7062   |
            35m  | MB84YA      | My daughter broke her leg.               | economy  | yes       | 720.00 | rita_sand_4493   |
            """,  # noqa: E501 - a table
            good=(Review(40, Verdict.ACCEPT, minutes=4),),
            refuse=(
                Review(
                    52,
                    Verdict.REJECT,
                    code="wrong_policy",
                    policy_reason="fare-rules-7: health or weather, with insurance",
                    notes="Cabin {cabin}, insurance {insurance}: this reason is not covered, so there is no refund.",
                    minutes=5,
                ),
            ),
        ),
    ),
    Story(
        "chat-763",
        "baggage",
        0,
        "How many bags may I check in with {fare}? I am a {member} member.",
        "As a {member} member you may check in {bags} in {fare}, each up to 23 kg. One more costs 50 USD.",
        signals(0.99, 0.99, 0.27, 0.97, 0.98, 0.99, 1.0, 0.98),
        evidence=(("bags-4", "Economy: one checked bag for regular, two for silver, three for gold members.", 0.97),),
        policies=(BAGS,),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | fare    | member  | bags
            3.8d | economy | silver  | two bags
            2.7d | economy | gold    | three bags
            1.7d | economy | regular | one bag
            16h  | economy | silver  | two bags
        """),
    ),
    Story(
        "chat-764",
        "compensation",
        0,
        "{flight} arrived {delay} late {when} and I missed {missed}. What do I get?",
        "I am sorry. For a delay of {delay} you receive a certificate of {amount} USD.",
        signals(0.83, 0.74, 0.15, 0.86, 0.72, 0.64, 1.0, 0.95),
        evidence=(("care-12", "For a delay of more than three hours 50 USD.", 0.91),),
        policies=(COMPENSATION,),
        tools=(("get_user_details", "ok", {"membership": "{member}"}), ("get_flight", "ok", {"delay": "{delay}"})),
        customer={"reference": "{customer}"},
        fields={
            "release": BEFORE,
            "proposed_action": action(
                "send_certificate",
                "{customer}",
                {"user_id": "{customer}", "amount": "{amount}"},
                "care-12",
                amount="{amount}",
                currency="USD",
            ),
        },
        variants=table(
            """
            age  | flight | delay         | when          | missed            | amount | member  | customer        | then
            3.9d | SK305  | 3 h 40 min    | on Monday     | a family dinner   | 50.00  | silver  | olaf_krog_6624  | good
            2.8d | SK12   | 2 h 15 min    | yesterday     | my train          | 50.00  | gold    | anna_dell_1530  | short
            1.9d | SK377  | 5 hours       | last Friday   | a wedding         | 50.00  | regular | hugo_bell_9018  | regular
            21h  | SK305  | 3 h 55 min    | yesterday     | a concert         | 50.00  | silver  | mina_roy_4472   |
            5h   | SK640  | 4 h 10 min    | this morning  | a day of work     | 100.00 | gold    | jan_pool_2981   |
            """,  # noqa: E501 - a table
            good=(Review(120, Verdict.ACCEPT, minutes=3),),
            short=(
                Review(
                    170,
                    Verdict.EDIT,
                    answer="I am sorry that you missed {missed}. Certificates are given from a delay of three hours; "
                    "{flight} was {delay} late. I can offer you a seat of your choice free of charge on your next "
                    "flight.",
                    code="wrong_policy",
                    notes="Below three hours.",
                ),
            ),
            regular=(
                Review(
                    140,
                    Verdict.REJECT,
                    code="wrong_policy",
                    notes="Regular member in economy without insurance: no certificate under care-12.",
                ),
            ),
        ),
    ),
    Story(
        "chat-765",
        "loyalty",
        0,
        "{question}",
        "{answer}",
        signals(0.88, 0.86, 0.17, 0.87, 0.9, 0.95, 1.0, 0.96),
        evidence=(("miles-9", "{quote}", 0.87),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table(
            """
            age  | question                                     | answer                                                          | quote                                  | then
            3.3d | Can I pay a bag fee with miles?               | Yes, 6,000 miles pay one bag on any flight of ours.             | One bag: 6,000 miles, own flights.     | good
            2.0d | Do partner flights count for gold?            | Yes, all partner flights count towards gold status.             | Partner flights count from fare class Y. | narrow
            26h  | Can my company and I both collect miles?      | Yes, the company collects points and you collect miles.         | Company points and personal miles add up. | good
            4h   | How many miles is an upgrade to Lisbon?       | 15,000 miles each way from Europe.                              | Upgrade within Europe: 15,000 each way. |
            28m  | Can I gift my companion voucher to a friend?  | Yes, hand on the code; it works for any account.                | Vouchers are bound to the household.   |
            """,  # noqa: E501 - a table
            good=(Review(200, Verdict.ACCEPT, minutes=1.5),),
            narrow=(
                Review(
                    260,
                    Verdict.EDIT,
                    answer="Partner flights count towards gold status from fare class Y upwards. Cheaper classes earn "
                    "miles, but no status.",
                    code="missing_step",
                    notes="The fare class is what most callers get wrong.",
                    minutes=3,
                ),
            ),
        ),
    ),
    Story(
        "chat-766",
        "airline",
        0,
        "Move me to {flight} on {day}, please, reservation {reservation}. I pay with the card on file.",
        "{flight} on {day} has seats. The change costs {amount} USD, charged to your card ending in {card}.",
        signals(0.92, 0.9, 0.19, 0.9, 0.91, 0.94, 1.0, 0.97),
        evidence=(("search_direct_flight", "{flight}, {day}, seats available, difference {amount}.", 0.93),),
        policies=(FARES,),
        tools=(("get_reservation_details", "ok", {"reservation_id": "{reservation}", "cabin": "{cabin}"}),),
        customer={"reference": "{customer}"},
        fields={
            "release": RELEASE,
            "proposed_action": action(
                "update_reservation_flights",
                "{customer}",
                {
                    "reservation_id": "{reservation}",
                    "cabin": "{cabin}",
                    "flights": [{"flight_number": "{flight}", "date": "{day}"}],
                    "payment_id": "card_{card}",
                },
                amount="{amount}",
                currency="USD",
            ),
        },
        variants=table(
            """
            age  | flight | day      | reservation | cabin         | amount | card | customer        | then
            3.1d | SK512  | Tuesday  | ND40PQ      | economy       | 64.00  | 2210 | ella_frost_3186 | good
            2.4d | SK98   | Sunday   | PS91HJ      | basic_economy | 120.00 | 9034 | tom_reiter_5047 | fixed
            1.1d | SK220  | Thursday | RV05MK      | business      | 410.00 | 7781 | zoe_lang_2693   | good
            105m | SK330  | Monday   | TW68BD      | economy       | 35.00  | 1466 | ned_castle_8150 |
            20m  | SK14   | Saturday | UX72FG      | economy       | 88.00  | 5902 | amy_winter_6338 |
            """,
            good=(Review(30, Verdict.ACCEPT, minutes=4),),
            fixed=(
                Review(
                    33,
                    Verdict.REJECT,
                    code="wrong_policy",
                    policy_reason="Basic economy cannot be changed.",
                    notes="Offer to cancel and book again if it was booked within 24 hours.",
                ),
            ),
        ),
    ),
    Story(
        "chat-767",
        "baggage",
        0,
        "¿Puedo llevar {item} en la cabina?",
        "{answer}",
        signals(0.9, 0.88, 0.18, 0.88, 0.9, 0.96, 1.0, 0.96),
        language="es",
        evidence=(("cabin-items", "{quote}", 0.9),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table(
            """
            age  | item                    | answer                                                              | quote                                | then
            2.6d | una tabla de surf       | No, las tablas de surf viajan en la bodega y cuestan 75 USD.        | Surfboards: hold only, 75 USD.       | good
            1.0d | un carrito de bebé      | Sí, hasta la puerta de embarque, y es gratis.                       | Prams: to the gate, free of charge.  | good
            9h   | una guitarra            | Sí, cualquier guitarra cabe en el compartimento superior.           | Guitars: only if the case is below 90 cm. |
            55m  | dos botellas de vino    | Sí, si las ha comprado después del control de seguridad.            | Liquids bought after security are fine. |
            """,  # noqa: E501 - a table
            good=(Review(180, Verdict.ACCEPT, by="luis", minutes=2),),
        ),
    ),
    Story(
        "chat-768",
        "disruption",
        0,
        "{flight} was cancelled and I am stuck in {city}. Is a hotel paid?",
        "Yes. Show your boarding pass at the {hotel} next to the terminal; room, dinner and breakfast are booked in "
        "your name.",
        signals(0.86, 0.82, 0.16, 0.87, 0.85, 0.93, 0.5, 0.95),
        evidence=(("irregular-ops", "A night away from home: hotel, dinner and breakfast.", 0.9),),
        tools=(("book_hotel", "{status}", {"hotel": "{hotel}", "confirmation": "{confirmation}"}),),
        customer={"reference": "{customer}"},
        fields={"release": BEFORE, "risk_level": "medium"},
        variants=table(
            """
            age  | flight | city   | hotel         | status  | confirmation | customer         | then
            3.4d | SK701  | Boston | Harbour Inn   | ok      | H-44120      | carl_emden_7741  | good
            2.3d | SK54   | Rome   | Hotel Aurelia | timeout | none         | vera_blum_2058   | check
            18h  | SK615  | Madrid | Gran Barajas  | ok      | H-44871      | finn_adler_9915  | good
            70m  | SK702  | Boston | Harbour Inn   | full    | none         | gina_mott_3827   |
            """,
            good=(Review(18, Verdict.ACCEPT, minutes=3),),
            check=(
                Review(
                    15,
                    Verdict.EDIT,
                    answer="Yes, room, dinner and breakfast are paid. Our booking with the {hotel} is not confirmed "
                    "yet; please go to our desk opposite gate B2, where a colleague has a room for you.",
                    code="wrong_fact",
                    notes="The booking timed out: there is no confirmation.",
                    minutes=4,
                ),
            ),
        ),
    ),
)
