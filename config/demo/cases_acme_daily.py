"""Acme Outfitters: what comes in every day, told once and varied in names, goods, amounts and outcome."""

from cases.vocabulary import Verdict
from config.demo.cases_acme_billing import BEFORE, REFUNDS, RELEASE, refund
from config.demo.story import Review, Story, signals
from config.demo.tables import table

DAILY = (
    Story(
        "conv-207",
        "shipping",
        0,
        "Hi, when will my {item} arrive? The order is {order}.",
        "Your {item} left our warehouse {left} and is with {carrier}. The expected delivery is {due}. You can follow "
        "the parcel with the number {tracking}.",
        signals(0.98, 0.99, 0.28, 0.95, 0.97, 0.99, 1.0, 0.98),
        evidence=(("order-status", "{order}: handed to {carrier} {left}, expected {due}.", 0.98),),
        tools=(("track", "ok", {"order_id": "{order}", "tracking": "{tracking}", "expected": "{due}"}),),
        customer={"reference": "{customer}"},
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | item            | order    | left         | carrier   | due      | tracking     | customer
            3.1d | rain jacket     | A-119870 | on Monday    | NorthPost | Thursday | NP 4471 0098 | cust_3318
            2.3d | head torch      | A-120015 | yesterday    | Swiftline | tomorrow | SL-88120-4   | cust_7291
            1.6d | climbing rope   | A-120441 | this morning | NorthPost | Friday   | NP 4471 2207 | cust_0925
            29h  | pair of gaiters | A-120902 | on Wednesday | Swiftline | Saturday | SL-88342-1   | cust_5570
            11h  | camping stove   | A-121377 | last night   | NorthPost | Monday   | NP 4473 1180 | cust_6814
        """),
    ),
    Story(
        "conv-205",
        "billing",
        0,
        "I sent back the {item} from order {order} {sent}. Has it reached you, and when do I get my money?",
        "Your return of the {item} arrived {arrived} and passed inspection. {amount} USD go back to your {method}; "
        "please allow your bank 3 to 5 working days to show it.",
        signals(0.92, 0.87, 0.18, 0.9, 0.88, 0.93, 1.0, 0.97),
        evidence=(("returns-sop", "A return that passed inspection is refunded on the same day.", 0.9),),
        policies=(REFUNDS,),
        tools=(("get_return", "ok", {"order_id": "{order}", "received": "{arrived}", "inspection": "{inspection}"}),),
        customer={"reference": "{customer}", "email": "{email}"},
        fields={
            "release": BEFORE,
            "model_decision": "approve",
            "proposed_action": refund("{order}", "{amount}", "return received and inspected", customer_id="{customer}"),
        },
        variants=table(
            """
            age  | item      | order    | sent          | arrived      | inspection | amount | method      | customer  | email                   | then
            4.2d | fleece    | A-116551 | last week     | yesterday    | passed     | 74.00  | Mastercard  | cust_2246 | o.petrov@example.com    | good
            3.4d | backpack  | A-116902 | on the 2nd    | on the 5th   | passed     | 139.00 | PayPal      | cust_8052 | t.nguyen@example.com    | good
            2.6d | touring set | A-117340 | ten days ago | on Tuesday | passed, torn edge noted | 498.00 | Visa card | cust_1571 | a.berg@example.com | worn
            8h   | lantern   | A-121102 | on Friday     | this morning | passed     | 58.00  | Visa card   | cust_4419 | y.dubois@example.com    |
            160m | down vest | A-121244 | on Thursday   | yesterday    | passed     | 119.00 | gift card   | cust_9304 | m.castell@example.com   |
            """,  # noqa: E501 - a table
            good=(Review(70, Verdict.ACCEPT, minutes=3),),
            worn=(
                Review(
                    45,
                    Verdict.REJECT,
                    code="wrong_fact",
                    notes="Inspection noted a torn edge: a partial refund at most, after the photo has been looked at.",
                    minutes=8,
                ),
            ),
        ),
    ),
    Story(
        "conv-204",
        "billing",
        0,
        "The {item} in order {order} came {damage}. It is usable, but I do not think I should pay the full price.",
        "I am sorry about the {item}. As it is {damage} but usable, we take {amount} USD off the price and you keep "
        "it.",
        signals(0.98, 0.97, 0.25, 0.95, 0.96, 0.98, 1.0, 0.97),
        evidence=(
            (
                "minor-damage",
                "Minor damage: up to 20 percent off, at most 50 USD, if the customer keeps the item.",
                0.96,
            ),
        ),
        tools=(("get_order", "ok", {"order_id": "{order}", "item": "{item}", "price": "{price}"}),),
        customer={"reference": "{customer}"},
        fields={
            "release": RELEASE,
            "risk_level": "low",
            "proposed_action": refund("{order}", "{amount}", "minor damage, customer keeps the item"),
        },
        variants=table("""
            age  | item       | order    | damage               | amount | price | customer
            1.7d | enamel mug | A-119555 | chipped at the rim   | 3.50   | 17.90 | cust_7743
            14h  | camp chair | A-121490 | scratched on one leg | 11.00  | 59.00 | cust_2080
        """),
    ),
    Story(
        "conv-203",
        "general",
        0,
        "Is the {item} in {variant} coming back into stock?",
        "Yes, the {item} in {variant} is back in {when}. Press “Notify me” on its page and you get a message on the "
        "day.",
        signals(0.87, 0.8, 0.15, 0.85, 0.88, 0.98, 1.0, 0.95),
        evidence=(("stock-plan", "{item}, {variant}: {plan}.", 0.86),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table(
            """
            age  | item            | variant | when                        | plan                              | then
            2.5d | Summit jacket   | size S  | the second week of December | 50 pieces, week 50                | good
            1.4d | Ridgeline parka | navy    | January                     | discontinued, moss continues      | gone
            192m | Alto 4 pole     | 120 cm  | about two weeks             | week 49                           |
            50m  | Kestrel 2 tent  | sand    | spring                      | not planned before March          |
            """,
            good=(Review(240, Verdict.ACCEPT, minutes=1.5),),
            gone=(
                Review(
                    300,
                    Verdict.EDIT,
                    answer="The {item} in {variant} has been discontinued and will not come back. It continues in "
                    "moss, which is in stock in your size.",
                    code="wrong_fact",
                    notes="The stock plan says discontinued.",
                    minutes=4,
                ),
            ),
        ),
    ),
    Story(
        "conv-202",
        "billing",
        0,
        "I would like to return the {item} from order {order}. It was delivered {delivered} and I never used it.",
        "Of course. {offer}",
        signals(0.7, 0.58, 0.12, 0.87, 0.6, 0.56, 1.0, 0.95),
        evidence=(("refunds-v3", "From day 31 to day 60 we offer store credit for 90 percent of the price.", 0.9),),
        policies=(REFUNDS,),
        tools=(("get_order", "ok", {"order_id": "{order}", "price": "{price}", "delivered": "{delivered}"}),),
        customer={"reference": "{customer}"},
        fields={"release": RELEASE, "model_decision": "approve"},
        variants=table(
            """
            age   | item            | order    | delivered   | price  | customer  | offer                                               | then
            2.75d | sleeping mat    | A-113720 | 47 days ago | 89.00  | cust_5025 | We refund the full 89.00 USD to your card.          | credit
            1.9d  | trail vest      | A-110208 | 74 days ago | 129.00 | cust_6390 | You will receive store credit for 116.10 USD.       | late
            114m  | dry bag         | A-115003 | 35 days ago | 35.00  | cust_1810 | You get the full price of 35.00 USD back.           |
            38m   | wool base layer | A-112940 | 52 days ago | 95.00  | cust_8177 | We refund 95.00 USD as soon as it is back with us.  |
            """,  # noqa: E501 - a table
            credit=(
                Review(
                    55,
                    Verdict.EDIT,
                    decision="partial",
                    answer="Because the {item} was delivered {delivered}, we can offer store credit for 80.10 USD, 90 "
                    "percent of the price. Shall I send you the label?",
                    code="wrong_policy",
                    notes="Day 31 to 60: store credit, no refund.",
                ),
            ),
            late=(
                Review(
                    90,
                    Verdict.EDIT,
                    decision="deny",
                    answer="I am sorry: after 60 days we can only take back faulty items. If something is wrong with "
                    "the {item}, please send us a photo and we will look at it.",
                    code="wrong_policy",
                    notes="Delivered {delivered}: outside both windows.",
                    minutes=5,
                ),
            ),
        ),
    ),
    Story(
        "conv-201",
        "knowledge",
        0,
        "{question}",
        "{answer}",
        signals(0.97, 0.98, 0.24, 0.95, 0.96, 1.0, 1.0, 0.98),
        evidence=(("{document}", "{quote}", 0.96),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | question                                  | answer                                                   | document       | quote
            3.5d | How do I wax leather boots?               | Clean them, warm them to room temperature, rub in a thin layer of wax and let it soak in overnight. | boot-care | A thin layer, at room temperature, overnight.
            2.2d | What does a 10,000 mm water column mean?  | A column of 10 metres of water can stand on the fabric before it leaks: enough for hours of rain.  | fabrics   | Millimetres of water that the fabric holds back.
            19h  | How do I store a down sleeping bag?       | Hang it up or keep it loose in a large cotton sack, never compressed, so that the down keeps its loft. | down-care | Loose, never compressed.
        """),  # noqa: E501 - a table
    ),
)
