"""Acme Outfitters: parcels, accounts, products and the law."""

from cases.vocabulary import Verdict
from config.demo.cases_acme_billing import BEFORE, RELEASE
from config.demo.story import Review, Story, WantsPerson, Withdrawn, days, hours, signals

SHIPPING = (
    Story(
        "conv-20899",
        "shipping",
        hours(9),
        "Tracking has said “out for delivery” for three days now. Where is my parcel? It is a birthday present for "
        "Saturday.",
        "Your parcel is out for delivery and will arrive today.",
        signals(0.78, 0.66, 0.14, 0.8, 0.49, 0.85, 1.0, 0.96),
        evidence=(
            ("carrier-status", "“Out for delivery” for more than 48 hours: open a trace with the carrier.", 0.85),
        ),
        tools=(("track", "ok", {"status": "out for delivery", "since": "71 hours", "depot": "Newark"}),),
        customer={"reference": "cust_2704", "email": "g.larsen@example.com"},
        fields={"release": RELEASE, "tags": ["gift"]},
        due_in=-15,  # The chat had promised an answer by then.
    ),
    Story(
        "conv-20911",
        "shipping",
        hours(4),
        "¿Puedo cambiar la dirección de entrega? Me mudo el viernes y el pedido A-121822 llega el lunes.",
        "Sí. Como su pedido todavía no ha salido del almacén, he cambiado la dirección a Calle de Alcalá 210, 28028 "
        "Madrid. La fecha de entrega sigue siendo el lunes.",
        signals(0.9, 0.88, 0.2, 0.84, 0.86, 0.92, 1.0, 0.95),
        language="es",
        evidence=(("address-change", "The address can be changed until the parcel leaves the warehouse.", 0.88),),
        tools=(
            ("get_order", "ok", {"order_id": "A-121822", "status": "packed", "ships": "tomorrow"}),
            ("update_address", "ok", {"address": "Calle de Alcalá 210, 28028 Madrid"}),
        ),
        customer={"reference": "cust_6120", "email": "n.ibarra@example.com", "locale": "es-ES"},
        fields={"release": RELEASE},
    ),
    Story(
        "conv-20840",
        "shipping",
        hours(25),
        "Half of my order is missing. The box had the sleeping bag but neither the mat nor the pump, and it was taped "
        "twice.",
        "Orders can be split into several parcels. The mat and the pump are on their way and will arrive separately.",
        signals(0.73, 0.55, 0.1, 0.74, 0.52, 0.8, 1.0, 0.93),
        evidence=(("split-orders", "Split orders have one tracking number per parcel.", 0.76),),
        tools=(
            (
                "get_order",
                "ok",
                {"order_id": "A-120734", "parcels": 1, "items": 3, "weight_kg": 1.1, "expected_kg": 2.3},
            ),
        ),
        customer={"reference": "cust_1290", "email": "d.osei@example.com"},
        fields={
            "release": RELEASE,
            "reasoning": "The customer received one of three items, so the order was probably split.",
        },
    ),
    Story(
        "conv-20612",
        "shipping",
        days(1.8),
        "Do you deliver to a packing station in Germany, and does it cost extra?",
        "Yes, we deliver to packing stations in Germany at no extra cost. Please enter your post number in the second "
        "address line, otherwise the carrier sends the parcel back.",
        signals(0.98, 0.98, 0.24, 0.96, 0.97, 0.99, 1.0, 0.98),
        evidence=(
            ("delivery-de", "Packing stations are served at the standard rate.", 0.97),
            ("delivery-de", "The post number belongs in the second address line.", 0.95),
        ),
        customer={"reference": "cust_5188", "locale": "de-DE"},
        fields={"release": RELEASE},
    ),
    Story(
        "conv-20588",
        "shipping",
        days(2.4),
        "Votre livreur a laissé le colis devant la porte, sous la pluie. Les chaussures sont trempées. Que faites-vous "
        "?",
        "Nous sommes désolés. Le livreur n'est pas responsable de la météo, mais vous pouvez faire sécher les "
        "chaussures à température ambiante.",
        signals(0.62, 0.38, 0.05, 0.66, 0.31, 0.7, 1.0, 0.9),
        language="fr",
        evidence=(("damage-in-transit", "Goods that arrive damaged are replaced on a photo, within 14 days.", 0.79),),
        customer={"reference": "cust_7719", "email": "c.renard@example.com", "locale": "fr-FR"},
        fields={"release": BEFORE},
        steps=(
            Review(
                75,
                Verdict.EDIT,
                answer="Nous sommes désolés que vos chaussures soient arrivées trempées. Envoyez-nous une photo du "
                "colis et des chaussures : nous vous en expédions une nouvelle paire sans frais, et vous n'avez rien à "
                "renvoyer.",
                code="wrong_policy",
                notes="Transport damage: replacement on a photo. The joke about the weather must go.",
                minutes=7.5,
            ),
        ),
    ),
    Story(
        "conv-20926",
        "shipping",
        40,
        "Can I pick my order up in the Portland store instead of waiting for the courier?",
        "Yes. I have moved your order to the Portland store, where it will be ready from tomorrow at noon. Please "
        "bring a photo ID and the order number.",
        signals(0.92, 0.86, 0.18, 0.89, 0.9, 0.96, 1.0, 0.97),
        evidence=(("store-pickup", "Orders can be moved to a store until they are handed to the courier.", 0.9),),
        tools=(("move_to_store", "ok", {"order_id": "A-122004", "store": "Portland", "ready": "tomorrow 12:00"}),),
        customer={"reference": "cust_8420"},
        fields={"release": RELEASE},
    ),
)

ACCOUNT = (
    Story(
        "conv-20935",
        "account",
        18,
        "Someone changed the e-mail address of my account and ordered two watches to an address in another state. I "
        "did not do this. Stop the parcels!",
        "Please reset your password with the link that we have just sent to the e-mail address on file.",
        signals(0.6, 0.47, 0.08, 0.7, 0.3, 0.22, 1.0, 0.91),
        evidence=(("account-takeover", "Never use contact data that was changed in the last 72 hours.", 0.9),),
        tools=(
            (
                "get_account_log",
                "ok",
                [
                    {"at": "3 hours ago", "event": "e-mail changed", "ip": "203.0.113.80"},
                    {"at": "2 hours ago", "event": "order placed", "total": "1,340.00"},
                ],
            ),
        ),
        customer={"reference": "cust_0314", "email": "b.hartmann@example.com", "phone": "+1 555 0176"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "triggers": ["user_escalation"],
            "reasoning": "A password reset ends foreign sessions and restores access.",
            "tags": ["account-takeover"],
        },
    ),
    Story(
        "conv-20928",
        "account",
        hours(1.1),
        "I lost the phone with my authenticator app and my recovery codes. Please turn two-factor off so that I can "
        "sign in.",
        "I have verified you by your date of birth and your last order, and turned two-factor authentication off.",
        signals(0.7, 0.59, 0.1, 0.82, 0.4, 0.34, 0.5, 0.96),
        evidence=(("two-factor-reset", "Two-factor is reset only after a video identification.", 0.91),),
        tools=(
            ("verify_identity", "ok", {"date_of_birth": "match", "last_order": "match", "video": "not done"}),
            ("disable_two_factor", "forbidden", "Needs the scope account.security."),
        ),
        customer={"reference": "cust_9055", "email": "w.tanaka@example.com"},
        fields={"release": RELEASE, "risk_level": "high"},
    ),
    Story(
        "conv-20690",
        "account",
        days(1.1),
        "How do I change the language of the e-mails that you send me?",
        "Sign in, open “Profile”, then “Notifications”, and choose the language in the first field. It applies to the "
        "next message. Invoices stay in the language of the country that you ordered from.",
        signals(0.97, 0.98, 0.26, 0.97, 0.95, 0.99, 1.0, 0.98),
        evidence=(("profile-help", "The language of messages is set under Profile, Notifications.", 0.97),),
        customer={"reference": "cust_3651"},
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "conv-20556",
        "account",
        days(2.7),
        "Please merge my two accounts. I ordered once as a guest with a spelling mistake in my address.",
        "I have merged your accounts. All orders and points are now under j.abernathy@example.com.",
        signals(0.8, 0.7, 0.15, 0.82, 0.66, 0.73, 1.0, 0.95),
        evidence=(("merge-accounts", "Accounts are merged after both addresses have confirmed it.", 0.88),),
        tools=(("merge_accounts", "ok", {"status": "waiting for confirmation", "sent_to": 2}),),
        customer={"reference": "cust_4882", "email": "j.abernathy@example.com"},
        fields={"release": BEFORE},
        steps=(
            Review(
                95,
                Verdict.EDIT,
                answer="I have started the merge. We have sent a message to both e-mail addresses; as soon as you have "
                "confirmed both, all orders and points are under j.abernathy@example.com. If you no longer have access "
                "to the misspelt address, reply here and we will do it another way.",
                code="wrong_fact",
                notes="The tool says that it waits for confirmation; the draft says that it is done.",
            ),
        ),
    ),
    Story(
        "conv-20478",
        "account",
        days(3.9),
        "Delete my account today, please, and tell me when it is done.",
        "Your account has been deleted.",
        signals(0.68, 0.5, 0.11, 0.78, 0.5, 0.45, 1.0, 0.94),
        evidence=(
            ("account-deletion", "Deletion runs after open orders and returns are closed, within 30 days.", 0.87),
        ),
        tools=(("get_account", "ok", {"open_orders": 1, "open_returns": 0, "deletion": "requested"}),),
        customer={"reference": "cust_2038"},
        fields={"release": BEFORE},
        steps=(
            Review(
                60,
                Verdict.REJECT,
                code="wrong_fact",
                notes="Nothing has been deleted yet: one order is open. The customer must hear when it will be.",
            ),
        ),
    ),
)

LEGAL = (
    Story(
        "conv-20851",
        "legal",
        hours(20),
        "Under the California Consumer Privacy Act I request all personal information that you hold about me, "
        "including the names of the companies to which you sold it.",
        "You can download your data under Profile, Privacy. We do not sell personal information.",
        signals(0.76, 0.63, 0.12, 0.82, 0.59, 0.41, 1.0, 0.93),
        evidence=(
            ("privacy-notice", "We share purchase data with advertising partners.", 0.83),
            ("ccpa-sop", "A request is confirmed within 10 days and answered within 45.", 0.9),
        ),
        customer={"reference": "cust_7333", "email": "e.navarro@example.com"},
        fields={
            "release": RELEASE,
            "reasoning": "The download under Profile holds all order data.",
            "tags": ["privacy"],
        },
    ),
    Story(
        "conv-20869",
        "legal",
        hours(16),
        "My lawyer says that you must pay the medical bill, because the trekking pole broke and I fell. The model was "
        "recalled in spring, I only learned about it now.",
        "We are sorry to hear about your accident. As the recall was published in spring, we cannot accept liability.",
        signals(0.24, 0.15, 0.01, 0.42, 0.1, 0.06, 1.0, 0.86),
        evidence=(
            ("recall-2026-04", "Trekking pole Alto 3: the lock may fail. Owners are asked to stop using it.", 0.84),
        ),
        customer={"reference": "cust_1177", "email": "f.keller@example.com", "phone": "+1 555 0119"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "triggers": ["high_stakes"],
            "reason_for_escalation": "Injury and a threat of legal action",
            "limited_answer": "We are very sorry that you were hurt. Our claims team will write to you.",
            "tags": ["legal-hold", "injury"],
        },
        due_in=hours(15),
    ),
    Story(
        "conv-20520",
        "legal",
        days(3.2),
        "Is the warranty on the stove void if I had the valve replaced by a local repair shop?",
        "Yes. Any repair by a third party voids the warranty.",
        signals(0.71, 0.58, 0.12, 0.8, 0.55, 0.6, 1.0, 0.92),
        evidence=(("warranty-terms", "Damage caused by repairs of third parties is excluded.", 0.86),),
        customer={"reference": "cust_6046"},
        fields={"release": BEFORE},
        steps=(
            Review(
                180,
                Verdict.EDIT,
                answer="No, the warranty is not void as a whole. It does not cover damage that the repair itself "
                "caused. If your problem has nothing to do with the valve, please send us photos and the receipt and "
                "we will look at it.",
                code="wrong_policy",
                policy_reason="Warranty terms, section 6: only damage caused by the repair is excluded.",
                notes="The draft turns an exclusion into a loss of all rights.",
                minutes=14,
            ),
        ),
    ),
)

GENERAL = (
    Story(
        "conv-20919",
        "general",
        hours(5.5),
        "Is the Kestrel 3 tent warm enough for Scotland in November? I have a two-season sleeping bag.",
        "The Kestrel 3 is a three-season tent with a 3,000 mm flysheet, so wind and rain are no problem. At night it "
        "can be close to freezing there: your two-season bag is comfortable down to about 5 °C, so please take a "
        "warmer one or a liner.",
        signals(0.89, 0.84, 0.17, 0.88, 0.9, 0.97, 1.0, 0.94),
        evidence=(
            ("kestrel-3", "Three-season tent, flysheet 3,000 mm.", 0.92),
            ("sleeping-bags", "Two-season bags are comfortable from 5 °C.", 0.84),
        ),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "conv-20932",
        "general",
        33,
        "Che differenza c'è tra le giacche Ridgeline e Summit? Cerco qualcosa per lo scialpinismo.",
        "La Summit è più leggera e traspirante, quindi più adatta allo scialpinismo; la Ridgeline è più calda e "
        "pesante, pensata per camminare d'inverno. Entrambe hanno il cappuccio compatibile con il casco.",
        signals(0.9, 0.79, 0.16, 0.86, 0.88, 0.98, 1.0, 0.95),
        language="it",
        evidence=(
            ("summit-jacket", "Helmet-compatible hood, 380 g, pit zips.", 0.9),
            ("ridgeline-parka", "Insulated parka, 920 g, fixed hood.", 0.85),
        ),
        customer={"reference": "cust_9127", "locale": "it-IT"},
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "conv-20937",
        "general",
        15,
        "Your chat told me yesterday that all down is certified. A friend who works in the trade says that is not true "
        "for the Fjell series. Who is right?",
        "All our down products are certified, the Fjell series included.",
        signals(0.75, 0.46, 0.02, 0.71, 0.45, 0.83, 1.0, 0.97),
        evidence=(
            ("materials-2026", "Down is certified in all series but Fjell, where certification is under way.", 0.74),
            ("materials-2025", "All our down is certified.", 0.73),
        ),
        fields={
            "release": RELEASE,
            "reasoning": "Both pages say that down is certified; Fjell is not named as an exception.",
        },
    ),
    Story(
        "conv-20655",
        "general",
        days(1.5),
        "What are your opening hours over Thanksgiving?",
        "Our stores are closed on Thanksgiving Day and open from 7 a.m. to 10 p.m. on the Friday. The chat is staffed "
        "on both days from 9 a.m. to 6 p.m. Eastern time.",
        signals(0.99, 0.98, 0.3, 0.97, 0.98, 1.0, 1.0, 0.99),
        evidence=(("opening-hours-november", "Closed on Thanksgiving. Friday 7 a.m. to 10 p.m.", 0.98),),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "conv-20599",
        "general",
        days(2.1),
        "Can I wash the Summit jacket with fabric softener?",
        "Yes, use any liquid softener at 30 degrees.",
        signals(0.79, 0.35, 0.05, 0.82, 0.5, 0.9, 1.0, 0.96),
        evidence=(("summit-care", "Wash at 30 degrees. No softener: it clogs the membrane.", 0.93),),
        fields={"release": BEFORE, "risk_level": "low"},
        steps=(
            Review(
                130,
                Verdict.EDIT,
                answer="Please do not use softener: it clogs the membrane and the jacket stops breathing. Wash it at "
                "30 degrees with a mild liquid detergent and rinse it twice.",
                code="wrong_fact",
                notes="The draft says the opposite of the care label.",
                minutes=3.5,
            ),
        ),
    ),
    Story(
        "conv-20546",
        "general",
        days(2.8),
        "Do you sponsor youth hiking clubs? We are 30 kids in Vermont.",
        "We support youth groups with a 20 percent group discount. Write to community@acme.example with the name of "
        "your club and a teacher's contact, and we answer within two weeks.",
        signals(0.86, 0.8, 0.18, 0.84, 0.9, 0.95, 1.0, 0.92),
        evidence=(("community", "Youth groups: 20 percent, by e-mail, answered within two weeks.", 0.88),),
        fields={"release": BEFORE, "risk_level": "low"},
        steps=(Review(200, Verdict.ACCEPT, minutes=2),),
    ),
    Story(
        "conv-20683",
        "general",
        days(1.2),
        "Is the Brook bottle safe for my toddler's warm milk?",
        "Yes. The Brook bottle is free of BPA and safe for liquids of up to 60 °C.",
        signals(0.97, 0.98, 0.25, 0.96, 0.95, 0.97, 1.0, 0.97),
        evidence=(("brook-bottle", "Free of BPA. For liquids of up to 60 °C.", 0.96),),
        fields={"release": RELEASE, "risk_level": "low"},
        steps=(WantsPerson(240, "The customer read about a recall and wants a person to confirm the answer."),),
    ),
    Story(
        "conv-20704",
        "general",
        days(0.9),
        "Which size of crampons fits boots in size 47?",
        "Size L fits boots from 44 to 48.",
        signals(0.84, 0.82, 0.14, 0.86, 0.82, 0.97, 1.0, 0.95),
        evidence=(("crampons", "M 38 to 43, L 44 to 48.", 0.91),),
        fields={"release": RELEASE},
        steps=(Withdrawn(35, "The customer left the chat and asked for the transcript to be closed."),),
    ),
)

KNOWLEDGE = (
    Story(
        "conv-20890",
        "knowledge",
        hours(7),
        "Why do experienced hikers say that cotton kills?",
        "Cotton soaks up sweat and rain and dries slowly. Wet fabric on the skin carries heat away much faster than "
        "dry air, so that in wind even 10 °C can lead to hypothermia. Wool and synthetic fibres keep insulating when "
        "damp.",
        signals(0.91, 0.9, 0.13, 0.83, 0.93, 1.0, 1.0, 0.97),
        evidence=(("layering-guide", "Cotton holds water and dries slowly; wool insulates when damp.", 0.87),),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "conv-20893",
        "knowledge",
        hours(6.5),
        "At what altitude does water boil at 90 degrees?",
        "Water boils at 90 °C at about 5,000 metres.",
        signals(0.8, 0.2, 0.03, 0.55, 0.6, 1.0, 1.0, 0.99),
        evidence=(("stove-faq", "Per 300 metres the boiling point falls by about one degree.", 0.58),),
        fields={"release": RELEASE, "risk_level": "low", "reasoning": "One degree per 500 metres gives 5,000 metres."},
    ),
)
