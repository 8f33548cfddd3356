"""Setting a case aside: who gets it next, what is kept, and that it never goes round between two."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.services.lifecycle import reopen
from cases.vocabulary import Role, Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import AlreadyClaimed, AsideInvalid, NotFit, StaleClaim
from queues.models import Aside, Claim, Entry, Reviewer
from queues.services import asides
from queues.services.claims import LEASE, claim, claim_next, release
from queues.services.keeping import SKIPPED_FOR, sweep_kept, sweep_passed
from tests.worlds import make_world

HOUR = timedelta(hours=1)


@pytest.fixture
def world(db):
    return make_world()


def skip(world, user, entry) -> None:
    asides.skip(entry.case_id, user, entry.generation, reason="Not my field")


# --- skipping --------------------------------------------------------------------------------------------------------


def test_a_skipped_case_goes_to_others_and_its_skipper_gets_the_next_one(world):
    first, second = world.submit(), world.submit()
    entry = world.claim()
    skip(world, world.reviewer, entry)
    assert claim_next(world.reviewer).case_id == second.pk
    assert claim_next(world.colleague).case_id == first.pk
    assert Claim.objects.get(generation=entry.generation).end == Claim.End.SKIPPED
    aside = Aside.objects.get()
    assert (aside.kind, aside.reason.text["note"], aside.user) == ("skip", "Not my field", world.reviewer)
    assert bytes(aside.reason_digest) == aside.reason.digest()
    assert first.events.filter(kind=CaseEvent.Kind.SKIPPED).get().actor == world.reviewer


def test_a_skipped_case_comes_back_only_when_everybody_who_fits_has_had_it(world):
    third = world.person("tess", Role.REVIEWER, reviews=True)
    world.submit()
    seen = []
    for user in (world.reviewer, world.colleague):
        entry = claim_next(user)
        seen.append(entry.claimed_by_id)
        skip(world, user, entry)
        assert claim_next(world.reviewer) is None
    skip(world, third, claim_next(third))
    assert claim_next(third) is None, "who skipped it last stands behind the others"
    assert claim_next(world.reviewer) is not None


def test_the_only_one_who_fits_gets_it_back_after_some_hours(world):
    world.submit(language="fr")
    Reviewer.objects.filter(user=world.colleague).update(languages=["de"])
    skip(world, world.reviewer, world.claim())
    assert claim_next(world.reviewer) is None
    assert sweep_passed() == 0
    with pretend_now(db_now() + SKIPPED_FOR + HOUR):
        assert sweep_passed() == 1
        assert claim_next(world.reviewer) is not None


def test_a_skip_of_everybody_never_offers_a_case_twice_in_a_row(world):
    world.submit()
    team = [world.reviewer, world.colleague]
    last = None
    for _ in range(6):
        entry = next(found for user in team if (found := claim_next(user)))
        assert entry.claimed_by_id != last
        last = entry.claimed_by_id
        skip(world, entry.claimed_by, entry)


def test_who_skipped_a_case_may_still_ask_for_it(world):
    case = world.submit()
    skip(world, world.reviewer, world.claim())
    assert claim(case, world.reviewer).claimed_by_id == world.reviewer.pk


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * (asides.REASON_LENGTH + 1)])
def test_a_skip_says_why(world, reason):
    world.submit()
    entry = world.claim()
    with pytest.raises(AsideInvalid) as refused:
        asides.skip(entry.case_id, world.reviewer, entry.generation, reason=reason)
    assert refused.value.pointer == "/reason"
    assert Entry.objects.get().claimed_by == world.reviewer


# --- snoozing --------------------------------------------------------------------------------------------------------


def test_a_snoozed_case_is_hidden_until_its_time_then_first_its_owners_then_anybodys(world):
    case, urgent = world.submit(), world.submit(risk_level="critical")
    entry = claim(case, world.reviewer)
    start = db_now()
    asides.snooze(case.pk, world.reviewer, entry.generation, until=start + HOUR, reason="The customer calls back")
    assert claim_next(world.colleague).case_id == urgent.pk
    assert claim_next(world.colleague, queue_slug="general").case_id == urgent.pk
    assert claim_next(world.reviewer) is None
    with pytest.raises(AlreadyClaimed, match="kept for Rita"):
        claim(case, world.colleague)
    with pretend_now(start + HOUR + timedelta(minutes=1)):
        world.submit(risk_level="critical")
        assert sweep_kept() == 0
        assert claim_next(world.reviewer).case_id == case.pk
        assert Entry.objects.get(case=case).kept_for is None


def test_who_does_not_come_back_for_a_snoozed_case_leaves_it_to_the_others(world):
    case = world.submit()
    entry = world.claim()
    until = db_now() + HOUR
    asides.snooze(case.pk, world.reviewer, entry.generation, until=until)
    with pretend_now(until + LEASE + timedelta(seconds=1)):
        assert sweep_kept() == 1
        assert claim_next(world.colleague).case_id == case.pk


def test_a_snooze_may_end_early_for_its_owner_and_its_clock_never_stood(world):
    case = world.submit()
    entry = world.claim()
    asides.snooze(case.pk, world.reviewer, entry.generation, until=db_now() + HOUR)
    again = claim(case, world.reviewer)
    assert (again.due_at, again.paused_seconds) == (entry.due_at, 0)


@pytest.mark.parametrize(("hours", "words"), [(-1, "past"), (0, "past"), (5, "deadline"), (25, "24 hours")])
def test_a_snooze_is_bounded_by_a_day_and_by_the_deadline(world, hours, words):
    case = world.submit()
    entry = world.claim()
    if hours > 24:
        Entry.objects.update(due_at=db_now() + timedelta(days=9))
    with pytest.raises(AsideInvalid, match=words):
        asides.snooze(case.pk, world.reviewer, entry.generation, until=db_now() + hours * HOUR)
    assert Entry.objects.get().claimed_by == world.reviewer


def test_what_is_overdue_is_kept_for_nobody(world):
    case = world.submit()
    entry = world.claim()
    asides.snooze(case.pk, world.reviewer, entry.generation, until=entry.due_at - timedelta(minutes=1))
    with pretend_now(entry.due_at):
        assert sweep_kept() == 1


# --- declining -------------------------------------------------------------------------------------------------------


def test_a_declined_case_is_never_theirs_again_not_even_reopened(world):
    case = world.submit()
    entry = world.claim()
    asides.decline(case.pk, world.reviewer, entry.generation, reason="The customer is my sister")
    assert claim_next(world.reviewer) is None
    with pytest.raises(NotFit):
        claim(case, world.reviewer)
    taken = claim_next(world.colleague)
    done = Submission(verdict=Verdict.REJECT, notes="no")
    review = reviews.submit(case.pk, done, actor=world.colleague, generation=taken.generation)
    with pretend_now(review.created_at + timedelta(days=1)):
        reopen(case.pk, actor=world.supervisor, reason="appeal")
        assert world.reviewer.pk in Entry.objects.get(case=case).excluded
        assert claim_next(world.reviewer) is None


def test_the_reason_for_declining_stands_in_no_timeline(world):
    case = world.submit()
    entry = world.claim()
    asides.decline(case.pk, world.reviewer, entry.generation, reason="The customer is my sister")
    event = case.events.get(kind=CaseEvent.Kind.DECLINED)
    assert (event.note, "sister" in str(event.data)) == (None, False)
    assert not event.is_public


# --- fencing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["skip", "snooze", "decline"])
def test_a_stale_claim_sets_nothing_aside(world, verb):
    case = world.submit()
    entry = world.claim()
    release(case.pk, world.reviewer, entry.generation)
    how = {"until": db_now() + HOUR} if verb == "snooze" else {"reason": "r"}
    for user in (world.reviewer, make_world("other").reviewer):
        with pytest.raises(Exception) as refused:
            getattr(asides, verb)(case.pk, user, entry.generation, **how)
        assert refused.value.status in (409, 412)
    assert isinstance(refused.value, StaleClaim) or refused.value.code == "not_claimed"
    assert not Aside.objects.exists()
