"""Routing: which queue takes a case, and why, as tables of facts."""

import pytest

from cases.vocabulary import Route
from queues.routing import CaseFacts, NoQueue, QueueFacts, choose

FALLBACK = QueueFacts("general", position=100, is_fallback=True)


def queue(slug: str, position: int = 50, **conditions) -> QueueFacts:
    return QueueFacts(slug, position, **{name: frozenset(values) for name, values in conditions.items()})


def case(domain="billing", language="en", risk="low", route=Route.QUICK_REVIEW, authority="") -> CaseFacts:
    return CaseFacts(domain=domain, language=language, risk=risk, route=route, authority_code=authority)


BILLING = queue("billing", domains={"billing"})
BILLING_GERMAN = queue("billing-de", domains={"billing"}, languages={"de"})
ANYTHING = queue("anything")
HIGH = queue("high", risks={"high", "critical"})
FULL = queue("full", routes={Route.FULL_INVESTIGATION})
REFUNDS = QueueFacts("refunds", 50, domains=frozenset({"billing"}), authority_code="refunds")


@pytest.mark.parametrize(
    ("facts", "queues", "expected"),
    [
        (case(), [BILLING], "billing"),
        (case(domain="shipping"), [BILLING], "general"),
        (case(language="de"), [BILLING, BILLING_GERMAN], "billing-de"),
        (case(language="de-AT"), [BILLING, BILLING_GERMAN], "billing-de"),
        (case(language="DE"), [BILLING, BILLING_GERMAN], "billing-de"),
        (case(language="und"), [BILLING_GERMAN], "general"),
        (case(language="xx"), [BILLING_GERMAN], "general"),
        (case(domain="never-heard-of"), [BILLING, BILLING_GERMAN], "general"),
        (case(domain="never-heard-of"), [BILLING, ANYTHING], "anything"),
        (case(risk="critical"), [BILLING, HIGH], "billing"),
        (case(risk="critical", domain="legal"), [BILLING, HIGH], "high"),
        (case(route=Route.FULL_INVESTIGATION, domain="legal"), [FULL, ANYTHING], "full"),
        (case(authority="refunds"), [BILLING, REFUNDS], "refunds"),
        (case(), [REFUNDS], "general"),
    ],
)
def test_the_most_specific_queue_takes_the_case(facts, queues, expected):
    chosen, reason = choose(facts, [FALLBACK, *queues])
    assert chosen.slug == expected
    assert reason.startswith(f"{expected}: ")


def test_position_decides_between_equally_specific_queues_then_the_slug():
    first, second = queue("b", 1, domains={"billing"}), queue("a", 2, domains={"billing"})
    assert choose(case(), [second, first, FALLBACK])[0] is first
    same = queue("a", 1, domains={"billing"})
    assert choose(case(), [first, same, FALLBACK])[0] is same


def test_the_order_in_which_queues_are_given_does_not_matter():
    queues = [FALLBACK, BILLING, BILLING_GERMAN, HIGH, FULL, ANYTHING]
    for facts in (case(), case(language="de"), case(domain="legal"), case(domain="legal", risk="high")):
        assert choose(facts, queues)[0] == choose(facts, reversed(queues))[0]


def test_the_fallback_takes_a_case_only_when_no_other_queue_does_even_when_it_fits_better():
    choosy = QueueFacts("general", 0, is_fallback=True, domains=frozenset({"billing"}), risks=frozenset({"low"}))
    assert choose(case(), [choosy, ANYTHING])[0] is ANYTHING


def test_the_reason_names_what_was_met_and_the_near_misses():
    _, reason = choose(case(route=Route.FULL_INVESTIGATION), [FALLBACK, BILLING_GERMAN, BILLING])
    assert reason == "billing: domain billing; billing-de skipped: language is en"
    _, reason = choose(case(domain="legal"), [FALLBACK, BILLING])
    assert reason == "general: the fallback, as no other queue takes it; billing skipped: domain is legal"


def test_a_tenant_without_queues_gets_a_clear_refusal():
    with pytest.raises(NoQueue, match="nothing was stored"):
        choose(case(), [])
