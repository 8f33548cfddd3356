"""Wellspring Clinic: cases written one by one. No advice in here is meant for a real patient."""

from cases.vocabulary import Verdict
from config.demo.story import NewDraft, Reopened, Review, Story, WantsPerson, Withdrawn, days, hours, signals

RELEASE = {
    "model": "mistral-large",
    "version": "2026-07",
    "prompt_version": "desk-9",
    "retrieval_version": "leaflets-18",
}
BEFORE = {
    "model": "mistral-large",
    "version": "2026-04",
    "prompt_version": "desk-8",
    "retrieval_version": "leaflets-17",
}

REMIT = (
    "remit-2",
    "The assistant gives dates, directions and the wording of our leaflets. It neither changes a dose nor judges "
    "symptoms: both belong to a nurse or a physician, at once where pain, breath or consciousness are concerned.",
)
NO_SHOW = (
    "ausfall-3",
    "Termine können bis 24 Stunden vorher kostenlos abgesagt werden. Danach berechnen wir 40 Euro, außer bei "
    "plötzlicher Krankheit.",
)

WELLSPRING_CASES = (
    Story(
        "desk-3310",
        "medication",
        14,
        "I took my blood pressure tablet twice this morning by mistake. Should I skip tomorrow's?",
        "Yes, skip tomorrow's tablet and continue as usual the day after.",
        signals(0.72, 0.48, 0.1, 0.75, 0.3, 0.15, None, 0.94),
        evidence=(
            ("leaflet-amlodipine", "In case of an overdose contact your physician or the emergency service.", 0.8),
        ),
        policies=(REMIT,),
        customer={"reference": "pat_40112", "phone": "+49 30 5550 118"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "limited_answer": "Please do not take any more tablets now. A nurse calls you within minutes. If you feel "
            "faint, dial 112.",
            "tags": ["overdose"],
            "reasoning": "Skipping a dose evens out the double dose over two days.",
        },
    ),
    Story(
        "desk-3307",
        "medication",
        26,
        "Darf ich Ibuprofen nehmen, wenn ich seit letzter Woche Blutverdünner bekomme?",
        "Ja, bis zu 1.200 mg am Tag sind unbedenklich.",
        signals(0.78, 0.4, 0.07, 0.7, 0.35, 0.3, None, 0.96),
        language="de",
        evidence=(
            ("beipackzettel-ibuprofen", "Nicht zusammen mit Gerinnungshemmern, außer auf ärztliche Anweisung.", 0.9),
            ("beipackzettel-apixaban", "Schmerzmittel vom Typ NSAR erhöhen das Blutungsrisiko.", 0.86),
        ),
        policies=(REMIT,),
        customer={"reference": "pat_38870", "email": "h.wolter@example.com", "locale": "de-DE"},
        fields={"release": RELEASE},
    ),
    Story(
        "desk-3299",
        "medication",
        hours(1.2),
        "Mon fils de 4 ans (17 kg) a 39,2 de fièvre. Combien de sirop de paracétamol puis-je lui donner ?",
        "Donnez-lui 10 ml toutes les 4 heures, au maximum 6 fois par jour.",
        signals(0.8, 0.62, 0.12, 0.82, 0.5, 0.44, None, 0.95),
        language="fr",
        evidence=(
            (
                "notice-paracetamol",
                "15 mg par kg et par prise, au maximum 4 prises par jour, à 6 heures d'intervalle.",
                0.93,
            ),
            ("notice-paracetamol", "1 ml contient 24 mg.", 0.88),
        ),
        policies=(REMIT,),
        customer={"reference": "pat_41007", "phone": "+49 30 5550 177", "locale": "fr-FR"},
        fields={"release": RELEASE, "reasoning": "17 kg × 15 mg = 255 mg, soit environ 10 ml.", "tags": ["child"]},
    ),
    Story(
        "desk-3312",
        "medication",
        6,
        "Ist mein Rezept für L-Thyroxin schon fertig? Ich bin um 11 Uhr in der Nähe.",
        "Ja, Ihr Rezept liegt als E-Rezept vor. Sie können es in jeder Apotheke mit Ihrer Gesundheitskarte einlösen "
        "und müssen nicht vorbeikommen.",
        signals(0.97, 0.97, 0.24, 0.95, 0.95, 0.96, None, 0.98),
        language="de",
        evidence=(
            ("rezepte", "E-Rezepte werden mit der Gesundheitskarte in jeder Apotheke eingelöst.", 0.96),
            ("praxis-system", "E-Rezept L-Thyroxin 75, ausgestellt heute.", 0.95),
        ),
        customer={"reference": "pat_22903", "locale": "de-DE"},
        fields={"release": RELEASE},
    ),
    Story(
        "desk-3303",
        "appointments",
        hours(2.2),
        "Ich muss meinen Termin morgen um 9:20 absagen. Fällt dafür etwas an?",
        "Nein, Absagen sind bei uns immer kostenlos. Ich habe den Termin storniert.",
        signals(0.84, 0.66, 0.14, 0.86, 0.7, 0.72, 1.0, 0.97),
        language="de",
        evidence=(
            ("ausfall-3", "Bis 24 Stunden vorher kostenlos, danach 40 Euro, außer bei plötzlicher Krankheit.", 0.93),
        ),
        policies=(NO_SHOW,),
        tools=(("cancel_appointment", "ok", {"termin": "morgen 09:20", "status": "storniert", "vorlauf_stunden": 22}),),
        customer={"reference": "pat_31544", "email": "j.arnold@example.com", "locale": "de-DE"},
        fields={"release": RELEASE},
    ),
    Story(
        "desk-3308",
        "appointments",
        35,
        "I have had chest pain when climbing stairs since Sunday. Is there an appointment this week?",
        "Yes, our cardiologist has a free slot on Friday at 14:40. Shall I book it for you?",
        signals(0.93, 0.92, 0.2, 0.92, 0.4, 0.35, 1.0, 0.98),
        evidence=(("calendar", "Dr Adler, Friday, 14:40, free.", 0.97),),
        policies=(REMIT,),
        tools=(("find_slots", "ok", [{"physician": "Dr Adler", "at": "Friday 14:40"}]),),
        customer={"reference": "pat_29961", "phone": "+49 30 5550 102"},
        fields={
            "release": RELEASE,
            "risk_level": "critical",
            "triggers": ["high_stakes"],
            "tags": ["symptoms"],
            "limited_answer": "Chest pain needs to be looked at without delay. A nurse calls you now. If it gets worse "
            "or you are short of breath, dial 112.",
        },
    ),
    Story(
        "desk-3290",
        "insurance",
        hours(22),
        "Meine Krankenkasse hat die Rechnung für die Hautkrebsvorsorge abgelehnt. Muss ich die 92 Euro selbst zahlen?",
        "Ja. Die Hautkrebsvorsorge ist eine Privatleistung und wird nicht erstattet.",
        signals(0.7, 0.45, 0.06, 0.76, 0.42, 0.6, 1.0, 0.95),
        language="de",
        evidence=(
            ("vorsorge", "Ab 35 Jahren alle zwei Jahre Kassenleistung; davor je nach Kasse freiwillig.", 0.89),
            ("preise", "Auflichtmikroskopie mit Foto: 92 Euro, keine Kassenleistung.", 0.84),
        ),
        tools=(("get_invoice", "ok", {"nr": "2026-4410", "position": "Auflichtmikroskopie mit Foto", "alter": 41}),),
        customer={"reference": "pat_18822", "email": "s.reimann@example.com", "locale": "de-DE"},
        fields={"release": RELEASE},
    ),
    Story(
        "desk-3295",
        "insurance",
        hours(17),
        "Je suis assurée en France. Est-ce que ma carte européenne couvre la consultation chez vous ?",
        "Oui, la carte européenne d'assurance maladie couvre toutes nos consultations. Vous n'avez rien à avancer.",
        signals(0.81, 0.64, 0.11, 0.82, 0.66, 0.7, None, 0.96),
        language="fr",
        evidence=(
            (
                "carte-europeenne",
                "Soins nécessaires pendant le séjour. Les soins planifiés demandent le formulaire S2.",
                0.9,
            ),
        ),
        customer={"reference": "pat_41220", "locale": "fr-FR"},
        fields={"release": RELEASE},
        due_in=hours(19),
    ),
    Story(
        "desk-3309",
        "general",
        21,
        "Avez-vous un accès pour fauteuil roulant ? Ma mère vient jeudi à 10 heures.",
        "Oui. L'entrée par la cour est de plain-pied et l'ascenseur mène à tous les étages. Sonnez à « Réception », "
        "quelqu'un vous ouvre.",
        signals(0.95, 0.94, 0.19, 0.92, 0.95, 0.99, None, 0.97),
        language="fr",
        evidence=(("acces", "Entrée de plain-pied par la cour, ascenseur à tous les étages.", 0.95),),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "desk-3222",
        "medication",
        days(2.1),
        "Kann ich die Antibiotika absetzen? Nach drei Tagen geht es mir wieder gut.",
        "Wenn Sie keine Beschwerden mehr haben, können Sie die Tabletten absetzen.",
        signals(0.75, 0.42, 0.08, 0.74, 0.28, 0.25, None, 0.94),
        language="de",
        evidence=(
            ("beipackzettel-amoxicillin", "Nehmen Sie das Arzneimittel so lange ein, wie es verordnet wurde.", 0.91),
            ("verordnung", "Amoxicillin 1000, 7 Tage.", 0.9),
        ),
        policies=(REMIT,),
        customer={"reference": "pat_30018", "locale": "de-DE"},
        fields={"release": BEFORE},
        steps=(
            Review(
                12,
                Verdict.EDIT,
                answer="Bitte nehmen Sie die Tabletten weiter so ein, wie sie verordnet wurden, also insgesamt 7 Tage. "
                "Wenn Sie sie nicht vertragen, rufen Sie uns an: Eine Pflegekraft spricht dann mit Ihnen und der "
                "Ärztin.",
                code="unsafe_advice",
                notes="Widerspricht der Verordnung und dem Beipackzettel.",
                by="rosa",
                minutes=5,
            ),
        ),
    ),
    Story(
        "desk-3198",
        "medication",
        days(2.8),
        "Can I take my iron tablets together with coffee?",
        "Please leave about an hour between them: coffee and tea reduce the uptake of iron. A glass of water or orange "
        "juice is fine.",
        signals(0.94, 0.95, 0.21, 0.93, 0.94, 0.9, None, 0.97),
        evidence=(
            ("leaflet-iron", "Not with coffee, tea or milk; keep a distance of one hour.", 0.95),
            ("leaflet-iron", "Vitamin C supports the uptake.", 0.87),
        ),
        customer={"reference": "pat_27719"},
        fields={"release": BEFORE},
        steps=(Review(18, Verdict.ACCEPT, notes="Matches the leaflet word for word.", minutes=2.5),),
    ),
    Story(
        "desk-3176",
        "insurance",
        days(3.4),
        "Combien coûte le vaccin contre la fièvre jaune et est-il remboursé ?",
        "Le vaccin coûte 85 euros. Toutes les caisses le remboursent.",
        signals(0.77, 0.6, 0.12, 0.82, 0.58, 0.75, None, 0.95),
        language="fr",
        evidence=(
            (
                "vaccins-voyage",
                "Fièvre jaune : 85 euros. De nombreuses caisses remboursent sur demande, pas toutes.",
                0.92,
            ),
        ),
        customer={"reference": "pat_39004", "locale": "fr-FR"},
        fields={"release": BEFORE},
        steps=(
            Review(
                200,
                Verdict.EDIT,
                answer="Le vaccin coûte 85 euros. De nombreuses caisses le remboursent, mais pas toutes : demandez à "
                "la vôtre avant le rendez-vous. Nous vous remettons une facture pour la demande.",
                code="unsupported",
                notes="“Toutes” ne figure pas dans la source.",
                by="samuel",
            ),
        ),
    ),
    Story(
        "desk-3241",
        "appointments",
        days(1.4),
        "Bis wann kann ich meinen Termin kostenlos absagen?",
        "Bis 24 Stunden vorher. Danach berechnen wir 40 Euro, außer bei plötzlicher Krankheit.",
        signals(0.99, 0.99, 0.3, 0.98, 0.98, 1.0, None, 0.99),
        language="de",
        evidence=(
            ("ausfall-3", "Bis 24 Stunden vorher kostenlos, danach 40 Euro, außer bei plötzlicher Krankheit.", 0.99),
        ),
        policies=(NO_SHOW,),
        fields={"release": RELEASE, "risk_level": "low"},
    ),
    Story(
        "desk-3233",
        "general",
        days(1.7),
        "Do I have to wear a mask in the waiting room?",
        "No, masks are voluntary in the waiting room. In the oncology ward they are still required.",
        signals(0.99, 0.99, 0.28, 0.97, 0.98, 1.0, None, 0.98),
        evidence=(("house-rules", "Masks: voluntary, required in oncology.", 0.98),),
        fields={"release": RELEASE, "risk_level": "low"},
        steps=(
            Reopened(150, "Since noon masks are required in the whole house because of the flu wave."),
            Review(
                10,
                Verdict.EDIT,
                answer="Yes, at the moment: because of the flu wave masks are required in the whole house. You get one "
                "at reception.",
                code="wrong_fact",
                notes="Rule of today, limited to the flu wave.",
                minutes=2,
            ),
        ),
    ),
    Story(
        "desk-3255",
        "general",
        days(1.1),
        "Wie komme ich mit der U-Bahn zu Ihnen?",
        "Mit der U2 bis Senefelderplatz, Ausgang Metzer Straße, von dort sind es drei Minuten zu Fuß.",
        signals(0.99, 0.99, 0.3, 0.99, 0.98, 1.0, None, 0.98),
        language="de",
        evidence=(("anfahrt", "U2 Senefelderplatz, Ausgang Metzer Straße, drei Minuten.", 0.99),),
        fields={"release": RELEASE, "risk_level": "low"},
        steps=(WantsPerson(90, "Die Patientin sitzt im Rollstuhl und möchte mit jemandem über den Aufzug sprechen."),),
    ),
    Story(
        "desk-3305",
        "appointments",
        hours(1.5),
        "Please send my MRI images to my orthopaedist before Tuesday.",
        "I have sent your images to the practice that you named.",
        signals(0.76, 0.55, 0.13, 0.8, 0.55, 0.5, 0.0, 0.94),
        evidence=(("images", "Images leave the house only with a signed release.", 0.92),),
        tools=(("send_images", "denied", "There is no signed release on file."),),
        customer={"reference": "pat_33180", "email": "n.fischer@example.com"},
        fields={"release": RELEASE},
        steps=(
            Review(
                35,
                Verdict.NEEDS_EDIT,
                code="wrong_fact",
                notes="Nothing was sent. Ask for the signed release and attach the form.",
                by="tilda",
            ),
        ),
    ),
    Story(
        "desk-3160",
        "appointments",
        days(3.9),
        "Mon rendez-vous de vaccination est-il confirmé ?",
        "Oui.",
        signals(0.82, 0.7, 0.15, 0.84, 0.6, 0.9, 1.0, 0.96),
        language="fr",
        evidence=(("agenda", "Vaccination grippe, mercredi 9 h 30, Dr Wolf, confirmé.", 0.93),),
        customer={"reference": "pat_36651", "locale": "fr-FR"},
        fields={"release": BEFORE},
        steps=(
            Review(
                45,
                Verdict.NEEDS_EDIT,
                code="missing_step",
                notes="Ajouter la date, l'heure, le médecin et le carnet de vaccination à apporter.",
                by="samuel",
            ),
            NewDraft(
                20,
                {
                    "model_draft": "Oui, votre vaccination contre la grippe est confirmée pour mercredi à 9 h 30 avec "
                    "le Dr Wolf. Merci d'apporter votre carnet de vaccination.",
                    "evidence": [
                        {
                            "document_id": "agenda",
                            "quote": "Vaccination grippe, mercredi 9 h 30, Dr Wolf, confirmé.",
                            "score": 0.95,
                        }
                    ],
                    "signals": signals(0.96, 0.97, 0.22, 0.95, 0.96, 0.99),
                    "release": BEFORE,
                },
            ),
            Review(25, Verdict.ACCEPT, by="samuel", minutes=1.5),
        ),
    ),
    Story(
        "desk-3270",
        "appointments",
        hours(26),
        "I need a medical certificate for my marathon on 3 May.",
        "We can examine you on Wednesday at 8:40; the certificate costs 35 euros and you take it with you.",
        signals(0.91, 0.89, 0.18, 0.9, 0.92, 0.95, 1.0, 0.97),
        evidence=(("certificates", "Sports certificate: 35 euros, after an examination.", 0.92),),
        customer={"reference": "pat_40650"},
        fields={"release": RELEASE},
        steps=(Withdrawn(55, "The patient has found an appointment closer to home."),),
    ),
    Story(
        "desk-3311",
        "general",
        11,
        "Where can I complain about the way a physician spoke to me?",
        "",
        customer={"reference": "pat_35090", "email": "c.whitby@example.com"},
        fields={"release": RELEASE, "reason_for_escalation": "A complaint about staff is answered by a person."},
    ),
)
