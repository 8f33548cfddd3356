"""One cap on friction: a day's work at several settings keeps within the stated share, whoever gives what; only votes
that cannot be spared go beyond it, and that is said. ``FRICTION_CASES=200`` and ``-s``: a longer day."""

import os
import random
from datetime import timedelta

import pytest
from django.test import Client

from cases.clock import db_now, pretend_now
from cases.models.people import system_actor
from cases.vocabulary import Verdict
from feedback.dose import FEW, LOOKED_AT, has_room
from feedback.models import BlindFirstPolicy, FrictionCap, Review
from feedback.services import challenge_results, firsts, friction, looks, planting, reviews
from feedback.services.looks import Wish
from feedback.submission import Submission
from queues.errors import NotFit, Unassignable
from queues.models import Entry, QuorumRule
from queues.services import claims, supervision
from tests.feedback.challenging import gold, policy
from tests.feedback.review_pages import words_of
from tests.worlds import World, make_world

RULES = {"new_release_reviews": 0, "sampling_share": 0.0}
A_DAY = int(os.environ.get("FRICTION_CASES", "24"))  # cases that come in and are decided, ten minutes apart
PERCENTS = [5, 10, 15, 20, 30, 50] if "FRICTION_CASES" in os.environ else [10, 30]


def capped(world: World, percent: int) -> None:
    FrictionCap.objects.filter(tenant=world.tenant).delete()
    FrictionCap(tenant=world.tenant, percent=percent).save_as(system_actor(), "tests")


def rule(world: World, **fields) -> QuorumRule:
    asked = QuorumRule(tenant=world.tenant, name="Two", required_reviews=2, **fields)
    asked.save_as(system_actor(), "tests")
    return asked


def take_one(world: World, person) -> Review | None:
    """The next case of ``person``, with their own opinion first where that is asked."""
    entry = claims.claim_next(person, tenant=world.tenant)
    if entry is None:
        return None
    if firsts.blindness(entry.case, entry, person).asks:
        firsts.give(entry.case_id, actor=person, generation=entry.generation, answer="No, it is too late.")
    said = Submission(Verdict.ACCEPT, notes="looked into")
    return reviews.submit(entry.case_id, said, actor=person, generation=entry.generation)


def worst(world: World, person, *, is_spared: bool) -> float:
    """The greatest share in percent that such work had among the cases of ``person``, as they looked after each; with
    ``is_spared`` without the votes that could not be spared."""
    done = friction._work(world.tenant).filter(reviewer=person).order_by("created_at")
    rows = list(friction._described(done).values_list(*friction._COLUMNS))
    among = [friction._counted(rows[max(0, n - LOOKED_AT) : n], 0) for n in range(1, len(rows) + 1)]
    return max(100 * (one.taken - is_spared * one.demanded) / max(one.cases, FEW) for one in among)


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.django_db
@pytest.mark.timeout(60 + A_DAY)
def test_a_day_with_everything_switched_on_keeps_within_the_stated_share(percent):
    dice = random.Random(percent)
    world = make_world(rules=RULES, undo_seconds=0)
    capped(world, percent)
    policy(world, base_rate=0.2, rate_after_miss=0.5, most_per_day=50, pause_misses=0)
    BlindFirstPolicy(tenant=world.tenant, percent=30, percent_risky=30).save_as(system_actor(), "tests")
    two = rule(world, queue=world.queue)
    for n in range(4):
        gold(world, f"Sixty days {n}")
    people, start = [world.reviewer, world.colleague], db_now()
    for n in range(A_DAY):
        with pretend_now(start + n * timedelta(minutes=10)):
            world.submit(external_id=f"conv-{n}")
            type(two).objects.filter(pk=two.pk).update(is_active=n % 10 == 4)
            if n == A_DAY // 2:
                asked = Wish(since=start, until=db_now(), number=A_DAY // 4, is_blind=True)
                looks.sample(world.tenant, asked, actor=world.supervisor, reason="sample")
            planting.open_due(within=timedelta(0))
            for person in dice.sample(people, 2):
                take_one(world, person)
            challenge_results.judge_due()
    found = [friction.friction_of(person, world.tenant) for person in people]
    shares = [[worst(world, person, is_spared=it) for it in (True, False)] for person in people]
    kinds = {kind: sum(getattr(one, kind) for one in found) for kind in ("challenges", "votes", "looks", "firsts")}
    print(f"cap {percent} %: {[[round(share) for share in both] for both in shares]} % at most, {kinds}")
    assert all(spared <= percent for spared, _ in shares), (shares, found)
    assert sum(kinds.values()) > 0, "nothing was given at all"


@pytest.fixture
def world(db):
    return make_world(rules=RULES, undo_seconds=0)


def test_a_second_look_is_neither_offered_nor_given_to_who_has_had_their_share(world):
    take = [world.submit() for _ in range(2)]
    for _ in take:
        take_one(world, world.reviewer)
    asked = Wish(since=db_now() - timedelta(hours=1), until=db_now(), number=2)
    drawn = looks.sample(world.tenant, asked, actor=world.supervisor, reason="sample")
    capped(world, 5)
    assert take_one(world, world.colleague).kind == Review.Kind.SECOND  # one of twenty
    left = Entry.objects.get()
    assert claims.claim_next(world.colleague, tenant=world.tenant) is None
    with pytest.raises(NotFit, match="share"):
        claims.claim(left.case, world.colleague)
    with pytest.raises(Unassignable, match="share"):
        supervision.give(left.pk, actor=world.supervisor, to=world.colleague, reason="quick")
    world.submit()
    assert claims.claim_next(world.colleague, tenant=world.tenant).kind == Entry.Kind.REVIEW
    capped(world, 30)
    assert claims.claim_next(world.person("theo", "reviewer", reviews=True), tenant=world.tenant) == left
    assert len(drawn) == 2


def test_a_further_vote_goes_to_somebody_with_room_first_and_to_anybody_where_there_is_none(world):
    theo = world.person("theo", "reviewer", reviews=True)
    rule(world, queue=world.queue)
    capped(world, 5)
    case = world.submit()
    take_one(world, world.reviewer)
    assert Entry.objects.get().spares_until > db_now()
    take_one(world, world.colleague)  # who has had their one of twenty now
    assert friction.is_used_up(world.colleague, world.tenant) and case.reviews.count() == 2
    second = world.submit()
    take_one(world, world.reviewer)
    assert claims.claim_next(world.colleague, tenant=world.tenant) is None
    assert claims.claim(second, world.colleague), "who asks for this very case may have it"
    claims.release(second.pk, world.colleague, Entry.objects.get().generation)
    take_one(world, theo)
    assert friction.is_used_up(theo, world.tenant)
    world.submit()
    take_one(world, world.reviewer)
    entry = Entry.objects.get()
    assert entry.spares_until is None, "nobody at work has room, and the case has a deadline"
    assert claims.claim_next(theo, tenant=world.tenant) == entry
    assert friction.friction_of(world.reviewer, world.tenant).taken == 0, "a first vote is what a case needs anyway"


def test_a_vote_is_waited_for_no_longer_than_half_of_the_time_that_is_left(world):
    rule(world, queue=world.queue)
    capped(world, 5)
    theo = world.person("theo", "reviewer", reviews=True)
    world.submit()
    take_one(world, world.reviewer)
    take_one(world, world.colleague)
    world.submit()
    take_one(world, theo)
    entry = Entry.objects.get()
    assert claims.claim_next(world.colleague, tenant=world.tenant) is None
    with pretend_now(db_now() + timedelta(hours=2, minutes=1)):  # of four
        assert claims.claim_next(world.colleague, tenant=world.tenant) == entry


def test_what_the_stakes_demand_goes_beyond_the_cap_and_says_so(world):
    rule(world, risk_from="high")
    capped(world, 5)
    for _ in range(3):
        world.submit(risk_level="high", signals=None, evidence=None)
        for person in (world.reviewer, world.colleague):
            entry = claims.claim_next(person, tenant=world.tenant)
            said = Submission(Verdict.ACCEPT, notes="looked into", no_evidence_applies=True)
            reviews.submit(entry.case_id, said, actor=person, generation=entry.generation)
    found = friction.friction_of(world.colleague, world.tenant)
    assert (found.votes, found.demanded, found.is_beyond) == (3, 3, True)
    assert friction.friction_of_team([world.colleague, world.reviewer], world.tenant)[world.colleague.pk] == found
    for person, page in ((world.colleague, "habits/"), (world.supervisor, "habits/")):
        client = Client()
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        text = words_of(client.get(f"/admin/feedback/review/{page}"))
        assert "beyond the cap 3 votes that a rule asked for because of a high risk or impact" in text, person


def test_what_is_begun_counts_as_done(world):
    world.reviewer.reviewer_profiles.update(capacity=5)
    BlindFirstPolicy(tenant=world.tenant, percent=100, percent_risky=100).save_as(system_actor(), "tests")
    capped(world, 10)  # two of twenty
    held = []
    for _ in range(4):
        case = world.submit()
        held.append(claims.claim(case, world.reviewer))
    asked = [firsts.blindness(entry.case, entry, world.reviewer).asks for entry in held]
    assert asked == [True, True, False, False]
    assert friction.is_used_up(world.reviewer, world.tenant)


def test_the_last_one_within_the_share_fits_and_the_next_does_not():
    assert [has_room(taken, 0, 10) for taken in range(4)] == [True, True, False, False]
    assert has_room(4, LOOKED_AT, 10) and not has_room(5, LOOKED_AT, 10)
    assert not has_room(0, FEW, 0) and not has_room(0, FEW, 4)
