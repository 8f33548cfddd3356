"""Queues that nothing can reach: exact against every kind of case that there is, and never slow."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cases.vocabulary import Risk, Route
from queues.reach import unreachable
from queues.routing import REASON_LENGTH, CaseFacts, QueueFacts, choose, explain, language_of, primary

PEOPLE = [Route.QUICK_REVIEW.value, Route.FULL_INVESTIGATION.value]
DOMAINS, LANGUAGES, CODES, SKILLS = ["billing", "legal"], ["en", "de-AT"], ["", "refunds"], ["", "law"]
HOUR = timedelta(hours=1)
FALLBACK = QueueFacts("general", 100, is_fallback=True)

some_queues = st.lists(
    st.builds(
        QueueFacts,
        slug=st.sampled_from("abcdefgh"),
        position=st.integers(0, 2),
        domains=st.frozensets(st.sampled_from(DOMAINS)),
        languages=st.frozensets(st.sampled_from(LANGUAGES)),
        risks=st.frozensets(st.sampled_from(Risk.values)),
        routes=st.frozensets(st.sampled_from(Route.values)),
        authority_code=st.sampled_from(CODES),
        skill=st.sampled_from(SKILLS),
        due_within=st.sampled_from([None, HOUR]),
    ),
    unique_by=lambda queue: queue.slug,
    max_size=6,
)
any_case = st.builds(
    CaseFacts,
    domain=st.text(max_size=50),
    language=st.text(max_size=35),
    risk=st.sampled_from(Risk.values),
    route=st.sampled_from(PEOPLE),
    authority_code=st.text(max_size=50),
    skill=st.text(max_size=50),
    due_in=st.none() | st.timedeltas(),
)


def every_kind_of_case():
    kinds = product([*DOMAINS, "other"], ["en", "de", "fr"], Risk.values, PEOPLE, CODES, SKILLS, [None, HOUR, 2 * HOUR])
    return [CaseFacts(d, la, ri, ro, co, sk, due) for d, la, ri, ro, co, sk, due in kinds]


EVERY_KIND = every_kind_of_case()


@given(some_queues)
@example([QueueFacts("a", 0)])
def test_unreachable_are_exactly_those_that_no_kind_of_case_is_routed_to(queues):
    left = {queue.slug for queue in queues} | {FALLBACK.slug}
    skills = {"", *(queue.skill for queue in queues)}
    for case in EVERY_KIND:
        if not left:
            break
        if case.skill not in skills:  # ``skill_asked`` heeds only a skill that some queue has.
            continue
        left.discard(choose(case, [*queues, FALLBACK])[0].slug)
    assert set(unreachable([*queues, FALLBACK])) == left


@given(any_case, some_queues, st.permutations(range(7)))
def test_no_case_is_ever_without_a_queue_whatever_its_facts(case, queues, order):
    known = [*queues, FALLBACK]
    chosen, reason = choose(case, known)
    assert chosen in known
    assert reason.startswith(chosen.slug) and len(reason) <= REASON_LENGTH
    shuffled = [known[place] for place in order if place < len(known)]
    placement = explain(case, shuffled)
    assert (placement.queue, placement.reason) == (chosen, reason)
    assert {queue.slug for queue, _ in placement.others} == {queue.slug for queue in known} - {chosen.slug}
    assert all(why for _, why in placement.others)


def queue(slug: str, position: int = 50, **lists) -> QueueFacts:
    return QueueFacts(slug, position, **{name: frozenset(values) for name, values in lists.items()})


@pytest.mark.parametrize(
    ("queues", "lost"),
    [
        ([queue("billing", domains={"billing"}), queue("legal", domains={"legal"})], {}),
        ([queue("first", 1), queue("second", 2)], {"second": ["first"], "general": ["first"]}),
        ([queue("any"), queue("billing", domains={"billing"})], {"general": ["any"]}),
        # Two that are more specific share out all that the wide one takes.
        (
            [
                queue("billing", domains={"billing"}),
                queue("low", domains={"billing"}, risks={"low", "medium"}),
                queue("high", domains={"billing"}, risks={"high", "critical"}),
            ],
            {"billing": ["high", "low"]},
        ),
        ([queue("never", routes={"auto_approve"})], {"never": []}),
        # Equal conditions, and the one before asks for nothing more: a skill turns no case away.
        (
            [replace(queue("lawyers", 1), skill="law"), queue("all", 2)],
            {"all": ["lawyers"], "general": ["lawyers"]},
        ),
        ([queue("all", 1), replace(queue("lawyers", 2), skill="law")], {"general": ["lawyers"]}),
        ([queue("billing", 1, domains={"billing"}), replace(queue("soon", 2), due_within=HOUR)], {}),
    ],
)
def test_a_queue_is_out_of_reach_where_those_before_it_take_all_of_its_cases(queues, lost):
    found = unreachable([*queues, FALLBACK])
    assert {slug: sorted(before) for slug, before in found.items()} == lost


def test_a_hundred_overlapping_queues_are_looked_through_in_a_moment():
    domains = [f"d{number}" for number in range(40)]
    many = [
        queue(
            f"q{number}",
            number,
            domains=domains[number % 7 :: 2],
            languages=["en", "de", "fr", "it"][: number % 4],
            risks=Risk.values[: number % 5],
            routes=PEOPLE[: number % 3],
        )
        for number in range(100)
    ]
    began = perf_counter()
    unreachable([*many, FALLBACK])
    assert perf_counter() - began < 5


@pytest.mark.parametrize(
    ("named", "fallback", "routed", "is_assumed"),
    [
        ("en-US", "de", "en", False),
        ("und", "de-AT", "de", True),
        ("UND", "de", "de", True),
        ("", "de", "de", True),
        ("und", "und", "und", False),
        ("und", "", "und", False),
    ],
)
def test_a_case_that_names_no_language_is_routed_by_the_tenants_fallback(named, fallback, routed, is_assumed):
    language, assumed = language_of(named, fallback)
    assert (primary(language), assumed) == (routed, is_assumed)
