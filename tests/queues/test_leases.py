"""Leases and generations: who lost a case changes nothing and loses no text."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.permissions import Denied
from cases.vocabulary import Verdict
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import NotClaimed, StaleClaim
from queues.models import Claim, Entry
from queues.services.claims import heartbeat, release, return_lost
from queues.services.supervision import take_back
from tests.worlds import make_world

ACCEPT = Submission(verdict=Verdict.ACCEPT)
EDIT = Submission(verdict=Verdict.EDIT, final_answer="My own words.", notes="a note")


@pytest.fixture
def world(db):
    return make_world()


def test_a_heartbeat_renews_the_lease_and_a_stale_one_does_not(world):
    world.submit()
    entry = world.claim()
    with pretend_now(db_now() + timedelta(minutes=10)):
        assert heartbeat(entry.case_id, world.reviewer, entry.generation) > entry.lease_expires_at
    for user, generation in ((world.reviewer, entry.generation + 1), (world.colleague, entry.generation)):
        with pytest.raises(StaleClaim):
            heartbeat(entry.case_id, user, generation)


def test_a_stale_submit_changes_nothing_and_keeps_the_text(world):
    case = world.submit()
    entry = world.claim()
    with pytest.raises(StaleClaim) as refused:
        reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=entry.generation + 1)
    assert refused.value.status == 412
    assert "text was kept" in refused.value.message
    assert not Review.objects.exists()
    assert ReviewDraft.objects.get(case=case, reviewer=world.reviewer).content.text == EDIT.texts() | {
        "verdict": "edit",
        "final_decision": "",
        "reason_code": "",
    }


def test_kept_text_is_the_last_one_and_goes_when_its_writer_decides(world):
    case = world.submit()
    entry = world.claim()
    for words in ("first", "second"):
        written = Submission(verdict=Verdict.EDIT, final_answer=words)
        with pytest.raises(StaleClaim):
            reviews.submit(case.pk, written, actor=world.reviewer, generation=99_999)
    assert ReviewDraft.objects.get().content.text["final_answer"] == "second"
    reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=entry.generation)
    assert not ReviewDraft.objects.exists()


def test_a_case_that_nobody_ever_claimed_is_taken_before_it_is_decided(world):
    case = world.submit()
    with pytest.raises(NotClaimed):
        reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=1)


def test_a_lost_lease_returns_to_the_queue_and_its_old_holder_is_stale(world):
    case = world.submit()
    lost = world.claim()
    assert return_lost() == 0
    with pretend_now(lost.lease_expires_at + timedelta(seconds=1)):
        assert return_lost() == 1
    assert Claim.objects.get(generation=lost.generation).end == Claim.End.LOST
    taken = world.claim(world.colleague)
    assert (taken.case_id, taken.generation > lost.generation) == (case.pk, True)
    with pytest.raises(StaleClaim):
        reviews.submit(case.pk, EDIT, actor=world.reviewer, generation=lost.generation)
    assert ReviewDraft.objects.get().reviewer == world.reviewer
    assert reviews.submit(case.pk, ACCEPT, actor=world.colleague, generation=taken.generation).reviewer == (
        world.colleague
    )


def test_a_lease_that_has_run_out_counts_until_somebody_returns_it(world):
    case = world.submit()
    entry = world.claim()
    with pretend_now(entry.lease_expires_at + timedelta(hours=1)):
        assert reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)


def test_a_generation_never_returns(world):
    world.submit()
    seen = []
    for _ in range(3):
        entry = world.claim()
        seen.append(entry.generation)
        release(entry.case_id, world.reviewer, entry.generation)
    assert seen == sorted(set(seen))


def test_a_released_case_keeps_its_place_and_its_deadline(world):
    first, _ = world.submit(), world.submit()
    entry = world.claim()
    release(entry.case_id, world.reviewer, entry.generation)
    assert Claim.objects.get(generation=entry.generation).end == Claim.End.RELEASED
    again = world.claim(world.colleague)
    assert (again.case_id, again.due_at) == (first.pk, entry.due_at)
    with pytest.raises(StaleClaim):
        release(entry.case_id, world.reviewer, entry.generation)


def test_a_supervisor_takes_a_case_back_and_nobody_else_does(world):
    world.submit()
    entry = world.claim()
    for actor in (world.colleague, world.compliance, world.service, make_world("other").supervisor):
        with pytest.raises(Denied):
            take_back(entry.pk, actor=actor)
    take_back(entry.pk, actor=world.supervisor)
    assert Entry.objects.get().claimed_by is None
    ended = Claim.objects.get()
    assert (ended.end, ended.ended_by) == (Claim.End.TAKEN, world.supervisor)
    with pytest.raises(StaleClaim):
        heartbeat(entry.case_id, world.reviewer, entry.generation)
    take_back(entry.pk, actor=world.supervisor)
