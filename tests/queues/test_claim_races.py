"""Claims at the same instant: two people never hold the same case."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import transaction

from cases.clock import db_now, pretend_now
from cases.models import User
from cases.vocabulary import Role, Verdict
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import AlreadyClaimed, AtCapacity, StaleClaim
from queues.models import Claim, Entry, Reviewer
from queues.services import claims
from queues.services.claims import LEASE, claim, claim_next, release, return_lost
from tests.queues.copies import multiply
from tests.threads import failures, in_parallel
from tests.worlds import make_world

ACCEPT = Submission(verdict=Verdict.ACCEPT)
EDIT = Submission(verdict=Verdict.EDIT, final_answer="My own words.", notes="a note")


def change(user: User, **fields) -> None:
    Reviewer.objects.filter(user=user).update(**fields)


@pytest.mark.django_db(transaction=True)
def test_thirty_two_people_claim_five_hundred_cases_and_each_goes_to_one():
    world = make_world()
    template = world.submit()
    multiply(template, 499)
    team = [world.person(f"reviewer{number}", Role.REVIEWER, reviews=True) for number in range(32)]
    Reviewer.objects.update(capacity=1000)

    def work(user: User) -> list[tuple]:
        taken = []
        while entry := claims._claim(claims.working(user, world.tenant), user):
            taken.append((entry.case_id, entry.generation))
        return taken

    order = {case: place for place, case in enumerate(Entry.objects.by_urgency().values_list("case", flat=True))}
    results = in_parallel([lambda user=user: work(user) for user in team])
    assert not failures(results)
    # Each claim passes over at most what the others are just taking, so that everybody's own go up but for that.
    for pairs in results:
        places = [order[case] for case, _ in pairs]
        assert all(later > earlier - len(team) for earlier, later in pairwise(places))
    taken = [pair for pairs in results for pair in pairs]
    assert len(taken) == len({case for case, _ in taken}) == len({generation for _, generation in taken}) == 500
    assert Claim.objects.count() == 500
    held = Counter(Entry.objects.values_list("claimed_by", flat=True))
    assert held == {user.pk: len(pairs) for user, pairs in zip(team, results, strict=True) if pairs}


@pytest.mark.django_db(transaction=True)
def test_races_for_one_case_one_lease_and_one_decision():
    world = make_world()
    case = world.submit()

    # Everybody wants the same case: one has it.
    wanted = in_parallel([lambda user=user: claim(case, user) for user in (world.reviewer, world.colleague) * 4])
    refused = failures(wanted)
    holders = {entry.claimed_by_id for entry in wanted if entry not in refused}
    assert len(holders) == 1
    assert all(isinstance(error, AlreadyClaimed) for error in refused), refused
    assert Claim.objects.count() == 1

    # The holder sends the same decision four times at once: one counts, the others are told.
    entry = Entry.objects.get()
    holder = User.objects.get(pk=entry.claimed_by_id)
    sent = in_parallel([lambda: reviews.submit(case.pk, ACCEPT, actor=holder, generation=entry.generation)] * 4)
    assert Review.objects.count() == 1
    assert sorted(type(one).__name__ for one in sent) == ["Review", "StaleClaim", "StaleClaim", "StaleClaim"]

    # A lease runs out while its holder decides and another one claims: either way one person's decision counts.
    second = world.submit()
    entry = claim(second, world.reviewer)

    def sweep_and_take():
        with pretend_now(db_now() + LEASE + timedelta(seconds=1)):
            return_lost()
        return claim_next(world.colleague)

    def decide():
        return reviews.submit(second.pk, EDIT, actor=world.reviewer, generation=entry.generation)

    decided, taken = in_parallel([decide, sweep_and_take])
    if isinstance(decided, Review):
        assert taken is None
    else:
        assert isinstance(decided, StaleClaim), decided
        assert ReviewDraft.objects.get(case=second).content.text["final_answer"] == "My own words."
    assert Review.objects.filter(case=second).count() == isinstance(decided, Review)

    # Two sweeps at once return each lost case once.
    for _ in range(20):
        world.submit()
    change(world.reviewer, capacity=50)
    fitness = claims.working(world.reviewer, world.tenant)
    while claims._claim(fitness, world.reviewer):
        pass
    held = Entry.objects.held().filter(claimed_by=world.reviewer).count()

    def sweep():
        with pretend_now(db_now() + LEASE + timedelta(seconds=1)):
            return return_lost()

    counts = in_parallel([sweep] * 4)
    assert not failures(counts)
    assert sum(counts) == Entry.objects.waiting().count() >= held >= 20


@pytest.mark.django_db(transaction=True)
def test_two_claims_of_one_person_at_once_never_exceed_what_they_may_hold():
    world = make_world()
    multiply(world.submit(), 39)
    change(world.reviewer, capacity=3)
    cases = [entry.case for entry in Entry.objects.select_related("case__tenant")[:16]]
    for case in cases[:2]:
        claim(case, world.reviewer)
    taken = in_parallel([lambda case=case: claim(case, world.reviewer) for case in cases[2:10]])
    refused = failures(taken)
    assert (len(taken) - len(refused), Entry.objects.held().count()) == (1, 3)
    assert all(isinstance(error, AtCapacity) for error in refused), refused

    # Whoever asks for the next case eight times at once holds one: each of the others finds it unfinished.
    found = in_parallel([lambda: claim_next(world.colleague)] * 8)
    assert not failures(found)
    assert len({entry.pk for entry in found}) == Entry.objects.held().filter(claimed_by=world.colleague).count() == 1
    assert sorted(Claim.objects.filter(user=world.reviewer).values_list("place", flat=True)) == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("languages", [[], ["en", "de"]])
def test_a_claim_passes_over_what_others_are_just_taking_however_many_they_are(languages):
    world = make_world()
    multiply(world.submit(), 299)
    change(world.reviewer, languages=languages)
    order = list(Entry.objects.by_urgency().values_list("pk", flat=True))

    def next_while_locked(count: int) -> Entry | None:
        with transaction.atomic():
            assert len(Entry.objects.select_for_update().filter(pk__in=order[:count])) == count
            (entry,) = in_parallel([lambda: claim_next(world.reviewer)])
        if entry is not None:
            release(entry.case_id, world.reviewer, entry.generation)
        return entry

    for others in (0, 15, 16, 270):
        assert next_while_locked(others).pk == order[others]
    assert next_while_locked(300) is None
