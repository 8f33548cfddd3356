"""Acme Outfitters: corrections of the week before, which have gone out with its weekly overrides."""

from cases.vocabulary import Verdict
from config.demo.cases_acme_billing import BEFORE
from config.demo.story import Review, Story, signals
from config.demo.tables import table

LAST_WEEK = (
    Story(
        "conv-198",
        "general",
        0,
        "Can I put the {item} into the washing machine?",
        "Yes, wash the {item} at {wrong} degrees with any detergent.",
        signals(0.82, 0.7, 0.08, 0.81, 0.7, 0.9, 1.0, 0.93),
        evidence=(("care-guide", "{item}: {right} degrees, mild detergent, no softener.", 0.86),),
        customer={"reference": "{customer}"},
        fields={"release": BEFORE},
        variants=table(
            """
            age  | item           | wrong | right | customer  | then
            9.2d | merino shirt   | 60    | 30    | cust_6120 | cooler
            8.6d | down jacket    | 40    | 30    | cust_2874 | cooler
            8.1d | hiking trousers| 60    | 40    | cust_7703 | cooler
            """,
            cooler=(
                Review(
                    50,
                    Verdict.EDIT,
                    answer="Please wash the {item} at {right} degrees with a mild detergent and without softener.",
                    code="wrong_fact",
                    notes="The care guide says {right} degrees.",
                ),
            ),
        ),
    ),
)
