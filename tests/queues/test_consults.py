"""Asking a colleague: the clock stands within a bound, the answer comes back to who asked."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Membership
from cases.models.people import system_actor
from cases.services import lifecycle
from cases.services.members import set_absence, stand_in_of, stands_in_for
from cases.vocabulary import Role
from queues.errors import AsideInvalid, NotAsked, NotWaiting
from queues.models import Claim, Consultation, Entry
from queues.services import asides
from queues.services.claims import LEASE, claim, claim_next
from queues.services.consults import answer, ask, colleague_named, questions_to, stop_waiting, sweep_consultations
from queues.services.keeping import sweep_kept
from tests.threads import in_parallel
from tests.worlds import make_world

HOUR = timedelta(hours=1)


@pytest.fixture
def world(db):
    return make_world()


def asked(world, **how) -> Consultation:
    entry = world.claim()
    how = {"colleague": world.colleague, "question": "Is this covered?"} | how
    return ask(entry.case_id, world.reviewer, entry.generation, **how)


def waiting_for(user):
    return list(questions_to(user, type(user.memberships.get().tenant).objects.all(), db_now()))


def test_the_clock_stands_until_the_answer_and_the_deadline_moves_by_as_much(world):
    case = world.submit()
    due = Entry.objects.get().due_at
    question = asked(world)
    assert Claim.objects.get().end == Claim.End.ASKED
    with pytest.raises(NotWaiting):
        claim(case, world.reviewer)
    assert waiting_for(world.colleague) == [question]
    assert waiting_for(world.reviewer) == []
    with pretend_now(question.asked_at + 2 * HOUR):
        answer(case.pk, world.colleague, text="Yes, section 4.")
        entry = Entry.objects.get()
        assert (entry.due_at - due, entry.paused_at) == (2 * HOUR, None)
        assert claim_next(world.colleague) is None, "it is its asker's first"
        assert claim_next(world.reviewer).case_id == case.pk
    question.refresh_from_db()
    assert (question.end, question.answer.text["note"]) == ("answered", "Yes, section 4.")


def test_after_its_bound_the_clock_goes_on_by_itself(world):
    case = world.submit()
    question = asked(world, hours=1)
    assert sweep_consultations() == 0
    with pretend_now(question.answer_by + timedelta(seconds=5)):
        assert sweep_consultations() == 1
        assert sweep_consultations() == 0
        with pytest.raises(NotAsked):
            answer(case.pk, world.colleague, text="Too late")
        entry = Entry.objects.get()
        assert entry.kept_for == world.reviewer
    with pretend_now(question.answer_by + LEASE + timedelta(minutes=1)):
        sweep_kept()
        assert claim_next(world.colleague).case_id == case.pk


def test_who_asked_may_go_on_without_the_answer_and_nobody_else_decides_that(world):
    case = world.submit()
    asked(world)
    for user in (world.colleague, world.supervisor):
        with pytest.raises(NotAsked):
            stop_waiting(case.pk, user)
    stop_waiting(case.pk, world.reviewer)
    assert claim_next(world.reviewer).case_id == case.pk


@pytest.mark.parametrize("who", ["reviewer", "supervisor", "outsider"])
def test_only_the_colleague_answers(world, who):
    case = world.submit()
    asked(world)
    user = make_world("other").colleague if who == "outsider" else getattr(world, who)
    with pytest.raises(NotAsked):
        answer(case.pk, user, text="I say no.")
    assert Consultation.objects.get().is_open


def test_nobody_is_asked_who_may_not_see_the_case_or_has_a_conflict(world):
    world.submit()
    entry = world.claim()

    def refused(colleague):
        with pytest.raises(AsideInvalid) as error:
            ask(entry.case_id, world.reviewer, entry.generation, colleague=colleague, question="?")
        assert error.value.pointer == "/colleague"
        assert Entry.objects.get(pk=entry.pk).claimed_by == world.reviewer

    for person in (world.reviewer, world.service, make_world("other").colleague):
        refused(person)
    Entry.objects.update(excluded=[world.colleague.pk])
    refused(world.colleague)
    for unknown in ("nobody@acme", "carl@other"):
        with pytest.raises(AsideInvalid):
            colleague_named(unknown, world.tenant)


def test_a_case_that_leaves_takes_its_question_along(world):
    case = world.submit()
    asked(world)
    lifecycle.withdraw(case.pk, actor=world.service)
    assert Consultation.objects.get().end == Consultation.End.CLOSED
    with pytest.raises(NotAsked):
        answer(case.pk, world.colleague, text="Yes")


@pytest.mark.django_db(transaction=True)
def test_two_answers_and_a_sweep_at_once_end_a_question_once():
    world = make_world()
    case = world.submit()
    question = asked(world)

    def lapse():
        with pretend_now(question.answer_by + HOUR):
            return sweep_consultations()

    results = in_parallel([lambda: answer(case.pk, world.colleague, text="Yes"), lapse] * 3)
    ended = [one for one in results if isinstance(one, Consultation) or one == 1]
    assert len(ended) == 1, results
    assert case.events.filter(kind="case.consult_ended").count() == 1


# --- absence ---------------------------------------------------------------------------------------------------------


def away(world, user, delegate=None, **how) -> Membership:
    start = db_now() - HOUR
    return set_absence(user, world.tenant, actor=system_actor(), away_from=start, delegate=delegate, **how)


def test_an_absent_colleague_is_stood_in_for_by_their_delegate(world):
    deputy = world.person("dora", Role.REVIEWER, reviews=True)
    away(world, world.colleague, deputy)
    now = db_now()
    assert stands_in_for(deputy, world.tenant, now) == [world.colleague]
    assert stand_in_of(world.colleague, world.tenant, now) == deputy
    case = world.submit()
    assert asked(world).colleague == deputy
    answer(case.pk, deputy, text="Yes")


def test_a_delegate_answers_what_was_asked_before_the_absence(world):
    deputy = world.person("dora", Role.REVIEWER, reviews=True)
    case = world.submit()
    question = asked(world)
    away(world, world.colleague, deputy)
    assert waiting_for(deputy) == [question]
    answer(case.pk, deputy, text="Yes")
    question.refresh_from_db()
    assert question.ended_by == deputy


def test_without_a_delegate_an_absent_colleague_is_not_asked(world):
    away(world, world.colleague)
    world.submit()
    with pytest.raises(AsideInvalid, match="nobody stands in"):
        asked(world)


def test_what_is_kept_for_somebody_who_goes_away_goes_to_their_delegate(world):
    deputy = world.person("dora", Role.REVIEWER, reviews=True)
    for _ in range(2):
        world.submit()
    entry = world.claim()
    asides.snooze(entry.case_id, world.reviewer, entry.generation, until=db_now() + HOUR)
    away(world, world.reviewer, deputy)
    assert sweep_kept() == 1
    assert Entry.objects.get(pk=entry.pk).kept_for == deputy
    away(world, deputy)
    assert sweep_kept() == 1
    assert Entry.objects.get(pk=entry.pk).kept_for is None
