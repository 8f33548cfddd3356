"""Which section speaks to which expectation of law and frameworks. Evidence for whoever judges, and no judgement.

Sources: Regulation (EU) 2024/1689, Articles 12, 14, 19 and 26; NIST AI RMF 1.0 (NIST AI 100-1), the four functions;
OECD Recommendation on AI (OECD/LEGAL/0449, as amended in 2024), principle 1.2.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """``asks`` is our short reading of the text, which alone counts; ``sections`` are keys of the registry."""

    source: str
    where: str
    asks: str
    sections: tuple[str, ...]
    shows: str
    not_shows: str


EU, NIST, OECD = "EU AI Act", "NIST AI RMF", "OECD AI principles"

EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        EU,
        "Article 12",
        "A high-risk system can record events by itself over its lifetime, so that risks are found and watched.",
        ("records", "seals", "cases"),
        "What was recorded of each case from intake to outcome, by itself, and that the record is sealed.",
        "It does not show what the AI system logged inside of itself before it handed a case over.",
    ),
    Expectation(
        EU,
        "Article 14 (4) a to c",
        "People who oversee know the system’s limits, stay aware of automation bias and can interpret its output.",
        ("cases", "challenges", "overrides"),
        "What reviewers were shown, and how often they found what was wrong in challenges and in real cases.",
        "It does not show what a person understood in a given case.",
    ),
    Expectation(
        EU,
        "Article 14 (4) d",
        "People can decide not to use the output, or disregard, override or reverse it.",
        ("overrides", "actions", "volumes"),
        "That people did override, refuse and reverse, how often, and on whose authority.",
        "It does not show that every output that should have been overridden was.",
    ),
    Expectation(
        EU,
        "Article 14 (4) e",
        "People can interrupt the system by a stop.",
        ("switch", "incidents"),
        "When automation was stopped and resumed, by whom, and that the stop is tested.",
        "It does not show that a stop was pressed whenever it should have been.",
    ),
    Expectation(
        EU,
        "Article 19",
        "The provider keeps the logs that are generated automatically and under its control, for six months at least.",
        ("records", "seals"),
        "That the records of the window exist and were sealed, and what the latest verification of the seals found.",
        "It does not show how long they will be kept, nor logs that the product does not hold.",
    ),
    Expectation(
        EU,
        "Article 26 (2)",
        "The deployer gives oversight to people with the competence, training, authority and support for it.",
        ("authority", "challenges"),
        "Who had which authority at each instant, and which training alerts were raised and closed.",
        "It does not show anybody’s competence or the support that they had.",
    ),
    Expectation(
        EU,
        "Article 26 (5) and (6)",
        "The deployer monitors the operation, tells of risks and serious incidents, and keeps the logs.",
        ("volumes", "sla", "incidents", "records"),
        "That the operation was measured, what alarms there were and what people did about them.",
        "It does not show what was told to providers or authorities.",
    ),
    Expectation(
        NIST,
        "Govern",
        "Policies, roles and lines of authority are in place, clear and documented.",
        ("policies", "authority"),
        "The policies in force with their authors and reasons, and who held which role and authority.",
        "It does not show the organisation’s culture, nor policies that are kept elsewhere.",
    ),
    Expectation(
        NIST,
        "Map",
        "The context, the risks and the processes of human oversight are defined and documented.",
        ("policies", "cases"),
        "Which domains and risks went to people, by which thresholds and conditions.",
        "It does not show the assessment from which these choices came.",
    ),
    Expectation(
        NIST,
        "Measure",
        "Risks, performance and oversight are measured by methods that are documented, also in production.",
        ("volumes", "sla", "overrides", "challenges"),
        "The rates with their formulas, numerators and denominators, and the errors that samples and challenges found.",
        "It does not show harms that no measure of these looks for, nor fairness between groups of people.",
    ),
    Expectation(
        NIST,
        "Manage",
        "Risks are treated; systems can be superseded, disengaged or deactivated; incidents are followed up.",
        ("switch", "incidents", "actions"),
        "Stops, alarms, recalls and what became of actions whose result was unknown.",
        "It does not show that the treatment was enough.",
    ),
    Expectation(
        OECD,
        "Principle 1.2: human agency and oversight",
        "Mechanisms and safeguards keep the capacity for human agency and oversight.",
        ("overrides", "switch", "authority", "cases"),
        "That people decided, overrode and stopped, each by name and with a reason.",
        "It does not show how the people on whom was decided saw it.",
    ),
)
