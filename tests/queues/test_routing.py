"""Routing: which queue takes a case, and why, as tables of facts."""

from datetime import timedelta

import pytest

from cases.vocabulary import Route
from queues.routing import REASON_LENGTH, CaseFacts, NoQueue, QueueFacts, choose, explain

FALLBACK = QueueFacts("general", position=100, is_fallback=True)


def queue(slug: str, position: int = 50, **conditions) -> QueueFacts:
    return QueueFacts(slug, position, **{name: frozenset(values) for name, values in conditions.items()})


def case(
    domain="billing", language="en", risk="low", route=Route.QUICK_REVIEW, authority="", hours=None, **fields
) -> CaseFacts:
    due_in = None if hours is None else timedelta(hours=hours)
    return CaseFacts(
        domain=domain, language=language, risk=risk, route=route, authority_code=authority, due_in=due_in, **fields
    )


BILLING = queue("billing", domains={"billing"})
BILLING_GERMAN = queue("billing-de", domains={"billing"}, languages={"de"})
ANYTHING = queue("anything")
HIGH = queue("high", risks={"high", "critical"})
FULL = queue("full", routes={Route.FULL_INVESTIGATION})
REFUNDS = QueueFacts("refunds", 50, domains=frozenset({"billing"}), authority_code="refunds")
URGENT = QueueFacts("urgent", 50, due_within=timedelta(hours=4))
LAWYERS = QueueFacts("lawyers", 50, domains=frozenset({"legal"}), skill="law")


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
        (case(authority="other"), [REFUNDS], "general"),
        (case(hours=4), [URGENT, ANYTHING], "urgent"),
        (case(hours=-1), [URGENT, ANYTHING], "urgent"),
        (case(hours=5), [URGENT, ANYTHING], "anything"),
        (case(), [URGENT, ANYTHING], "anything"),
        (case(hours=1), [URGENT, BILLING_GERMAN, BILLING], "billing"),
        (case(domain="legal"), [LAWYERS, ANYTHING], "lawyers"),
        (case(domain="legal", skill="law"), [LAWYERS, ANYTHING], "lawyers"),
        (case(skill="law"), [LAWYERS, ANYTHING, BILLING], "general"),
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


@pytest.mark.parametrize(
    ("facts", "queues", "said"),
    [
        (case(), [HIGH], "high skipped: risk below high"),
        (case(risk="critical"), [queue("mid", risks={"low", "medium"})], "mid skipped: risk above medium"),
        (case(risk="medium"), [queue("ends", risks={"low", "high"})], "ends skipped: risk is medium"),
        (case(), [REFUNDS], "refunds skipped: authority is none"),
        (case(), [URGENT], "urgent skipped: the caller set no deadline"),
        (case(hours=5), [URGENT], "urgent skipped: not due within 4 h"),
        (case(skill="law"), [BILLING], "billing skipped: skill law is asked for"),
        (case("legal", "fr"), [BILLING_GERMAN], "billing-de skipped: domain is legal and language is fr"),
    ],
)
def test_the_reason_says_what_each_near_miss_lacked(facts, queues, said):
    assert choose(facts, [FALLBACK, *queues])[1] == f"general: the fallback, as no other queue takes it; {said}"


def test_the_nearest_misses_are_named_first_and_two_at_most():
    far = queue("far", 1, domains={"legal"}, languages={"de"})
    nearer = queue("nearer", 2, domains={"billing"}, languages={"de"})
    _, reason = choose(case(), [FALLBACK, far, queue("near", 3, domains={"legal"}), nearer, ANYTHING])
    assert reason == "anything: takes anything; nearer skipped: language is en; near skipped: domain is billing"


def test_an_assumed_language_is_said_to_be_the_tenants():
    _, reason = choose(case(language="de", is_language_assumed=True), [FALLBACK, BILLING_GERMAN])
    assert reason == "billing-de: domain billing, language de (the tenant's fallback, as the case names none)"


def test_a_reason_stays_short_whatever_the_names():
    long = [queue("q" * 49 + str(n), n, domains={"d" * 50}, languages={f"x{n}"}) for n in range(9)]
    _, reason = choose(case(domain="e" * 400), [FALLBACK, *long, queue("wide", domains={"e" * 400})])
    assert len(reason) <= REASON_LENGTH
    assert reason.startswith("wide: domain eee")


def test_every_other_queue_is_told_why_it_was_passed_over():
    later, last = queue("later", 60, domains={"billing"}), queue("z", domains={"billing"})
    placement = explain(case(), [FALLBACK, later, HIGH, ANYTHING, BILLING, last])
    assert placement.queue is BILLING
    assert [(other.slug, why) for other, why in placement.others] == [
        ("z", "takes it too, at the same position; billing comes first by name"),
        ("later", "takes it too, but stands at position 60, billing at 50"),
        ("anything", "takes it too, but fills fewer conditions (0, billing 1)"),
        ("high", "risk below high"),
        ("general", "the fallback, only for what no other queue takes"),
    ]


def test_a_tenant_without_queues_gets_a_clear_refusal():
    with pytest.raises(NoQueue, match="nothing was stored"):
        choose(case(), [])
