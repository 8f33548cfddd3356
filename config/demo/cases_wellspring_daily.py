"""Wellspring Clinic: what comes in every day, told once and varied."""

from cases.vocabulary import Verdict
from config.demo.cases_wellspring import BEFORE, NO_SHOW, RELEASE, REMIT
from config.demo.story import Review, Story, signals
from config.demo.tables import table

WELLSPRING_DAILY = (
    Story(
        "desk-321",
        "appointments",
        0,
        "Wann ist mein Termin bei {physician}?",
        "Ihr Termin bei {physician} ist {day} um {time} Uhr in {room}. Bitte bringen Sie {bring} mit.",
        signals(0.99, 0.99, 0.3, 0.98, 0.98, 1.0, None, 0.99),
        language="de",
        evidence=(("kalender", "{physician}, {day}, {time} Uhr, {room}.", 0.99),),
        customer={"reference": "{customer}", "locale": "de-DE"},
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | physician        | day         | time  | room           | bring                         | customer
            4.1d | Dr. Adler        | am Dienstag | 9:20  | Zimmer 12      | Ihre Gesundheitskarte         | pat_20441
            3.3d | Dr. Wolf         | am Freitag  | 8:00  | der Impfstelle | Ihren Impfpass                | pat_31902
            2.4d | Frau Dr. Sommer  | am Montag   | 15:10 | Zimmer 4       | den Überweisungsschein        | pat_28817
            1.8d | Dr. Adler        | morgen      | 10:40 | Zimmer 12      | Ihre Gesundheitskarte         | pat_40093
            28h  | Frau Dr. Yilmaz  | am Mittwoch | 14:30 | Zimmer 7       | Ihre letzten Laborwerte       | pat_25560
            10h  | Dr. Wolf         | am Donnerstag | 11:50 | Zimmer 2     | Ihre Gesundheitskarte         | pat_37748
            5h   | Frau Dr. Sommer  | am Freitag  | 9:40  | Zimmer 4       | Ihren Medikationsplan         | pat_40488
        """),
    ),
    Story(
        "desk-322",
        "medication",
        0,
        "Comment dois-je prendre {drug} ?",
        "{answer}",
        signals(0.9, 0.88, 0.18, 0.9, 0.86, 0.83, None, 0.96),
        language="fr",
        evidence=(("notice-{code}", "{quote}", 0.92), ("ordonnance", "{drug}, selon la notice.", 0.84)),
        policies=(REMIT,),
        customer={"reference": "{customer}", "locale": "fr-FR"},
        fields={"release": BEFORE},
        variants=table(
            """
            age  | drug          | code       | answer                                                         | quote                                   | customer  | then
            4.0d | l'oméprazole  | omeprazole | Une gélule le matin, 30 minutes avant le petit-déjeuner.        | Le matin, 30 minutes avant le repas.    | pat_36120 | good
            3.0d | la cortisone  | prednisone | Un comprimé le soir, avec un verre d'eau.                       | Le matin, pendant le repas.             | pat_37755 | wrong
            1.9d | le magnésium  | magnesium  | Un sachet par jour, dissous dans un verre d'eau.                | Un sachet par jour dans un verre d'eau. | pat_38401 | good
            45m  | la metformine | metformine | Un comprimé à jeun, le matin et le soir.                        | Pendant ou après le repas.              | pat_39313 |
            """,  # noqa: E501 - a table
            good=(Review(15, Verdict.ACCEPT, by="samuel", minutes=3),),
            wrong=(
                Review(
                    16,
                    Verdict.EDIT,
                    answer="Un comprimé le matin, pendant le repas. Ne l'arrêtez pas sans en parler à votre médecin.",
                    code="unsafe_advice",
                    notes="La notice dit le matin, pendant le repas.",
                    by="samuel",
                    minutes=4,
                ),
            ),
        ),
    ),
    Story(
        "desk-323",
        "medication",
        0,
        "I forgot my {drug} {when}. What now?",
        "{answer}",
        signals(0.85, 0.8, 0.15, 0.87, 0.7, 0.6, None, 0.96),
        evidence=(("leaflet-{code}", "{quote}", 0.91), ("leaflet-{code}", "Never take a double dose.", 0.88)),
        policies=(REMIT,),
        customer={"reference": "{customer}"},
        fields={"release": BEFORE, "tags": ["missed-dose"]},
        variants=table(
            """
            age  | drug            | code         | when           | answer                                                       | quote                                        | customer  | then
            3.7d | contraceptive pill | pill      | last night     | Take it now, and the next one at the usual time.             | Within 12 hours: take it as soon as possible. | pat_24410 | good
            2.6d | thyroid tablet  | thyroxine    | this morning   | Take two tomorrow morning.                                   | Take the next tablet at the usual time.      | pat_26018 | double
            1.5d | inhaler         | budesonide   | yesterday      | Use it now as usual; do not make up for the missed puffs.    | Go on with the next regular dose.            | pat_30776 | good
            22h  | insulin         | insulin      | at lunch       | Measure your blood sugar first and follow the plan that your diabetes nurse gave you. | Measure first; follow the personal plan. | pat_31120 | good
            18m  | blood thinner   | apixaban     | this morning   | Take it as soon as you remember, then continue as before.    | Take it at once, then twice a day as before. | pat_33391 |
            """,  # noqa: E501 - a table
            good=(Review(14, Verdict.ACCEPT, notes="In line with the leaflet.", minutes=3),),
            double=(
                Review(
                    11,
                    Verdict.EDIT,
                    answer="Please do not take a double dose. Take your next {drug} at the usual time tomorrow. If you "
                    "have a racing heart or feel unwell, call us.",
                    code="unsafe_advice",
                    notes="A double dose is never right.",
                    minutes=4,
                ),
            ),
        ),
    ),
    Story(
        "desk-324",
        "insurance",
        0,
        "Übernimmt die {fund} {service}?",
        "{answer}",
        signals(0.88, 0.86, 0.16, 0.88, 0.85, 0.9, None, 0.96),
        language="de",
        evidence=(("kassenliste", "{quote}", 0.9),),
        customer={"reference": "{customer}", "locale": "de-DE"},
        fields={"release": BEFORE},
        variants=table(
            """
            age  | fund           | service                    | answer                                                       | quote                                             | customer  | then
            4.2d | Spreekasse     | die Reiseimpfung           | Ja, auf Antrag und gegen Rechnung zu 80 Prozent.             | Spreekasse: Reiseimpfungen 80 Prozent, auf Antrag. | pat_27001 | good
            3.1d | Havelkasse     | die professionelle Zahnreinigung | Ja, zweimal im Jahr ohne Zuzahlung.                    | Havelkasse: einmal im Jahr bis 60 Euro.           | pat_29348 | once
            2.2d | Nordbund BKK   | Osteopathie                | Ja, drei Sitzungen im Jahr bis je 40 Euro.                   | Nordbund BKK: drei Sitzungen, je 40 Euro.         | pat_35519 | good
            20h  | Spreekasse     | eine zweite Meinung        | Ja, vor jeder geplanten Operation.                           | Zweite Meinung: bei ausgewählten Operationen.     | pat_36602 |
            3h   | Havelkasse     | den Sehtest                | Nein, Sehtests sind eine Privatleistung.                     | Sehtest: bis 18 Jahre Kassenleistung.             | pat_40317 |
            """,  # noqa: E501 - a table
            good=(Review(170, Verdict.ACCEPT, minutes=2.5),),
            once=(
                Review(
                    230,
                    Verdict.EDIT,
                    answer="Die {fund} zahlt {service} einmal im Jahr bis 60 Euro. Für eine zweite Behandlung erhalten "
                    "Sie von uns eine Rechnung.",
                    code="wrong_fact",
                    notes="Einmal, nicht zweimal.",
                ),
            ),
        ),
    ),
    Story(
        "desk-325",
        "general",
        0,
        "{question}",
        "{answer}",
        signals(0.99, 0.99, 0.29, 0.98, 0.98, 1.0, None, 0.98),
        evidence=(("{document}", "{quote}", 0.98),),
        fields={"release": RELEASE, "risk_level": "low"},
        variants=table("""
            age  | question                                | answer                                                          | document     | quote
            3.6d | Is there parking at the clinic?          | Yes, in the courtyard: two hours are free with a stamp from reception. | parking | Courtyard, two hours free with a stamp.
            2.7d | When can I collect my blood results?     | From two working days after the sample, in the patient app or at reception. | laboratory | Two working days; app or reception.
            1.6d | May my partner come into the room?       | Yes, one person may come with you, except for X-rays.            | house-rules  | One companion, not during X-rays.
            15h  | Do you speak Turkish?                    | Dr Yilmaz and two of our nurses do. Please mention it when you book. | languages  | Turkish: Dr Yilmaz, two nurses.
            4h   | How do I change my address?              | In the patient app under Profile, or with the form at reception. | registration | Address: app, Profile; or the form at reception.
        """),  # noqa: E501 - a table
    ),
    Story(
        "desk-326",
        "appointments",
        0,
        "Ich kann am {day} um {time} Uhr nicht kommen. {reason} Muss ich etwas zahlen?",
        "{answer}",
        signals(0.86, 0.82, 0.17, 0.9, 0.82, 0.84, 1.0, 0.96),
        language="de",
        evidence=(
            ("ausfall-3", "Bis 24 Stunden vorher kostenlos, danach 40 Euro, außer bei plötzlicher Krankheit.", 0.93),
        ),
        policies=(NO_SHOW,),
        tools=(("cancel_appointment", "ok", {"termin": "{day} {time}", "vorlauf_stunden": "{lead}"}),),
        customer={"reference": "{customer}", "locale": "de-DE"},
        fields={"release": BEFORE},
        variants=table(
            """
            age  | day      | time  | lead | reason                       | answer                                                | customer  | then
            3.8d | Montag   | 9:00  | 70   | Ich bin verreist.            | Nein, Sie haben rechtzeitig abgesagt.                  | pat_21180 | good
            2.9d | Dienstag | 13:50 | 5    | Mein Kind hat Fieber.        | Ja, es fallen 40 Euro an.                              | pat_23345 | ill
            2.0d | Freitag  | 8:40  | 19   | Ich habe den Termin vergessen. | Ja, es fallen 40 Euro an. Möchten Sie einen neuen Termin? | pat_28090 | good
            25h  | Mittwoch | 16:20 | 30   | Ich muss länger arbeiten.    | Nein, Sie haben rechtzeitig abgesagt.                  | pat_32267 | good
            17h  | Freitag  | 10:20 | 40   | Meine Ärztin hat mich schon behandelt. | Nein, Sie haben rechtzeitig abgesagt.        | pat_39155 | good
            140m | Montag   | 11:10 | 12   | Ich liege mit Grippe im Bett. | Ja, es fallen 40 Euro an.                             | pat_34471 |
            25m  | Dienstag | 10:00 | 23   | Die Bahn streikt.            | Nein, das fällt unter plötzliche Gründe.               | pat_38936 |
            """,  # noqa: E501 - a table
            good=(Review(60, Verdict.ACCEPT, minutes=2),),
            ill=(
                Review(
                    48,
                    Verdict.EDIT,
                    answer="Nein, bei plötzlicher Krankheit berechnen wir nichts, auch nicht, wenn Ihr Kind krank ist. "
                    "Gute Besserung! Melden Sie sich für einen neuen Termin, wenn es wieder passt.",
                    code="wrong_fact",
                    notes="Ausnahme übersehen: plötzliche Krankheit, auch des Kindes.",
                ),
            ),
        ),
    ),
    Story(
        "desk-327",
        "appointments",
        0,
        "Je voudrais un rendez-vous chez {physician} {when}, si possible {time}.",
        "{physician} a une place {slot}. Voulez-vous que je la réserve ?",
        signals(0.93, 0.92, 0.19, 0.92, 0.93, 0.97, 1.0, 0.98),
        language="fr",
        evidence=(("agenda", "{physician} : {slot}, libre.", 0.95),),
        tools=(("find_slots", "{status}", {"medecin": "{physician}", "libre": "{slot}"}),),
        customer={"reference": "{customer}", "locale": "fr-FR"},
        fields={"release": RELEASE},
        variants=table(
            """
            age  | physician  | when                   | time            | slot                | status | customer  | then
            3.2d | Dr Wolf    | la semaine prochaine   | le matin        | mardi à 8 h 20      | ok     | pat_40018 | good
            2.3d | Dr Adler   | avant Noël             | après 16 heures | le 11 à 17 h 10     | ok     | pat_41316 | good
            1.2d | Dr Wolf    | mercredi               | à 8 heures      | mercredi à 8 h 00   | ok     | pat_40733 | good
            23h  | Dre Yilmaz | jeudi                  | à midi          | jeudi à 12 h 00     | stale  | pat_39977 | closed
            80m  | Dr Adler   | lundi                  | le matin        | lundi à 9 h 40      | ok     | pat_41408 |
            """,  # noqa: E501 - a table
            good=(Review(55, Verdict.ACCEPT, minutes=1.5),),
            closed=(
                Review(
                    40,
                    Verdict.REJECT,
                    code="wrong_fact",
                    notes="L'agenda était périmé : à midi, le cabinet est fermé de 12 h 30 à 14 h et la place est "
                    "prise.",
                ),
            ),
        ),
    ),
    Story(
        "desk-328",
        "insurance",
        0,
        "Your invoice {invoice} lists {item}, but {doubt}. Please check it.",
        "{answer}",
        signals(0.74, 0.6, 0.12, 0.8, 0.6, 0.7, 1.0, 0.95),
        evidence=(("invoice-{invoice}", "{item}: {line}.", 0.88),),
        tools=(("get_invoice", "ok", {"number": "{invoice}", "line": "{item}", "detail": "{line}"}),),
        customer={"reference": "{customer}"},
        fields={"release": BEFORE, "reasoning": "The line is on the invoice, so the service was given."},
        variants=table(
            """
            age  | invoice   | item              | doubt                          | answer                                          | line                                | customer  | then
            3.5d | 2026-4127 | an ultrasound     | I only had blood taken         | The invoice is correct and payable within 14 days. | entered by mistake, see cancellation | pat_22274 | fix
            2.5d | 2026-4201 | two consultations | I was there once               | The invoice is correct: one visit and one call by phone. | visit on the 4th, call on the 6th | pat_25583 | good
            6h   | 2026-4433 | a translation fee | I speak German                 | The fee is charged for every international patient. | booked with an interpreter          | pat_38207 |
            """,  # noqa: E501 - a table
            good=(Review(210, Verdict.ACCEPT, minutes=4),),
            fix=(
                Review(
                    260,
                    Verdict.EDIT,
                    answer="You are right, and we are sorry: {item} was entered by mistake. You do not have to pay "
                    "{invoice}; a corrected invoice follows within three working days.",
                    code="wrong_fact",
                    notes="The line has a cancellation note that the draft overlooked.",
                    minutes=7,
                ),
            ),
        ),
    ),
)
