"""Deciding and taking the next case in one transaction."""

import pytest
from django.db import transaction

from cases.errors import Stale
from cases.models import Case
from cases.vocabulary import Verdict
from feedback.models import Review, ReviewDraft
from feedback.services.next_case import submit_and_next
from feedback.submission import Submission
from queues.models import Claim, Entry, Reviewer
from queues.services import claims
from tests.threads import in_parallel
from tests.worlds import make_world

ACCEPT = Submission(Verdict.ACCEPT)


@pytest.fixture
def world():
    return make_world("acme")


def decide(world, entry, submission=ACCEPT, user=None):
    return submit_and_next(entry.case_id, submission, actor=user or world.reviewer, generation=entry.generation)


@pytest.mark.django_db
def test_the_next_case_is_held_when_the_decision_is_in(world):
    first, second = world.submit(), world.submit()
    done = decide(world, world.claim())
    assert done.review.case_id == first.pk
    assert done.entry.case_id == second.pk
    assert Entry.objects.get(case=second).claimed_by == world.reviewer
    assert Case.objects.get(pk=first.pk).state == "approved"


@pytest.mark.django_db
def test_the_decided_case_makes_room_for_the_next_one(world):
    Reviewer.objects.filter(user=world.reviewer).update(capacity=1)
    world.submit(), world.submit()
    assert decide(world, world.claim()).entry is not None
    assert Claim.objects.filter(user=world.reviewer, ended_at=None).count() == 1


@pytest.mark.django_db
def test_with_nothing_waiting_only_the_decision_is_made(world):
    case = world.submit()
    done = decide(world, world.claim())
    assert (done.entry, done.why_none) == (None, "")
    assert Case.objects.get(pk=case.pk).state == "approved"


@pytest.mark.django_db
def test_whoever_went_off_shift_decides_and_is_told_why_nothing_follows(world):
    world.submit(), world.submit()
    entry = world.claim()
    Reviewer.objects.filter(user=world.reviewer).update(is_on_shift=False)
    done = decide(world, entry)
    assert done.entry is None and "off shift" in done.why_none
    assert Review.objects.filter(case=entry.case_id).exists()


@pytest.mark.django_db
def test_an_outsider_decides_nothing_and_is_given_nothing(world):
    other = make_world("globex")
    world.submit()
    waiting = other.submit()
    entry = world.claim()
    with pytest.raises(Stale):
        decide(world, entry, user=other.reviewer)
    assert Entry.objects.get(case=waiting).claimed_by is None
    assert not ReviewDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_stale_submit_takes_no_next_case_and_keeps_the_text(world):
    world.submit(), world.submit()
    entry = world.claim()
    claims.release(entry.case_id, world.reviewer, entry.generation)
    with pytest.raises(Stale):
        decide(world, entry, Submission(Verdict.REJECT, notes="All my findings."))
    assert not Entry.objects.held().exists()
    assert ReviewDraft.objects.get().content.text["notes"] == "All my findings."


@pytest.mark.django_db(transaction=True)
def test_a_failure_after_the_claim_undoes_the_decision_too(world):
    """Together or not at all: nobody holds a case whose taking was never committed."""
    case, following = world.submit(), world.submit()
    entry = world.claim()
    with pytest.raises(RuntimeError), transaction.atomic():
        decide(world, entry)
        raise RuntimeError
    assert Case.objects.get(pk=case.pk).state == "pending_review"
    assert Entry.objects.get(case=following).claimed_by is None


@pytest.mark.django_db(transaction=True)
def test_reviewers_who_decide_at_once_get_different_cases(world):
    people = [world.reviewer, world.colleague, world.person("ruth", "reviewer", reviews=True)]
    for _ in range(8):
        world.submit()
    entries = [world.claim(person) for person in people]

    jobs = [lambda person=p, entry=e: decide(world, entry, user=person) for p, e in zip(people, entries, strict=True)]
    given = [done.entry.case_id for done in in_parallel(jobs)]
    assert len({*given, *(entry.case_id for entry in entries)}) == 6
