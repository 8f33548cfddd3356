"""Results: when a review is judged, who hears of a miss, who is paused, and how somebody comes back."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import Notice
from cases.models.people import system_actor
from cases.permissions import Denied
from feedback.errors import ReviewInvalid
from feedback.models import Challenge, ChallengeResult, FrictionCap, ResultSeen, Review, TrainingAlert
from feedback.services import challenge_results, friction, planting, reviews
from queues.models import QuorumRule, Reviewer
from queues.services import claims
from tests.feedback.challenging import decide, gold, judged, missed, plant, policy, real_cases
from tests.threads import failures, in_parallel
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db) -> World:
    world = make_world("acme")
    real_cases(world)
    return world


def test_a_result_waits_for_the_end_of_the_undo_window(world):
    gold(world)
    planted = plant(world)
    decide(world, planted.case)
    assert challenge_results.judge(planted.pk) == []
    (result,) = judged(world, planted)
    assert not result.is_caught and result.person == world.reviewer
    assert "You chose: accept" in result.why[0]
    assert judged(world, planted) == [], "once"


def test_an_undone_decision_is_not_judged_and_the_next_one_is(world):
    gold(world)
    planted = plant(world)
    decide(world, planted.case)
    reviews.undo(planted.pk, actor=world.reviewer)
    assert judged(world, planted) == []
    decide(world, planted.case, "reject")
    (result,) = judged(world, planted)
    assert result.is_caught


def test_an_edit_is_judged_by_its_words(world):
    gold(world)
    planted = plant(world)
    decide(world, planted.case, "edit", final_answer="It could be returned within 30 days, not 60 days.")
    (result,) = judged(world, planted)
    assert result.why == ["Your answer still says “60 days”."]


def test_a_change_of_the_gold_case_changes_no_challenge_that_is_out(world):
    challenge = gold(world)
    planted = plant(world)
    Challenge.objects.filter(pk=challenge.pk).update(right_verdicts=["needs_edit"])
    decide(world, planted.case, "reject")
    assert judged(world, planted)[0].is_caught


def test_each_of_several_voters_is_judged_alone(world):
    QuorumRule(tenant=world.tenant, name="Two", queue=world.queue).save_as(system_actor(), "two")
    gold(world)
    planted = plant(world)
    decide(world, planted.case, "accept")
    decide(world, planted.case, "accept", by=world.colleague)
    assert {result.person for result in judged(world, planted)} == {world.reviewer, world.colleague}


def test_a_miss_tells_the_supervisors_and_names_nobody_in_the_message(world):
    result = missed(world)
    alert = TrainingAlert.objects.get()
    assert (alert.result, alert.person, alert.misses, alert.among) == (result, world.reviewer, 1, 1)
    notice = Notice.objects.get(kind="training.alert")
    assert notice.user == world.supervisor and "rita" not in notice.text.lower() and str(alert.pk) in notice.path


def test_a_catch_raises_no_alert(world):
    gold(world)
    planted = plant(world)
    decide(world, planted.case, "reject")
    judged(world, planted)
    assert not TrainingAlert.objects.exists()


def test_so_many_misses_pause_and_a_supervisor_ends_it_with_a_reason(world):
    policy(world, pause_misses=2, pause_among=3)
    missed(world)
    missed(world)
    reviewer = Reviewer.objects.get(user=world.reviewer)
    alert = TrainingAlert.objects.get(has_paused=True)
    assert reviewer.is_paused and alert.misses == 2
    assert planting.counted_results(world.reviewer, world.tenant) == [False, False]
    closing = {"outcome": "trained", "note": "We read the returns policy together.", "ends_pause": True}
    with pytest.raises(ReviewInvalid):
        challenge_results.close(alert.pk, actor=world.supervisor, **closing | {"note": " "})
    with pytest.raises(Denied):
        challenge_results.close(alert.pk, actor=world.reviewer, **closing)
    with pytest.raises(Denied):  # Compliance sees it, and does not staff the queues.
        challenge_results.close(alert.pk, actor=world.compliance, **closing)
    assert TrainingAlert.objects.get(pk=alert.pk).is_open
    with pretend_now(db_now() + timedelta(minutes=1)):
        challenge_results.close(alert.pk, actor=world.supervisor, **closing)
    reviewer.refresh_from_db()
    assert not reviewer.is_paused
    assert "returns policy" in reviewer.history.latest("history_id").history_change_reason
    assert planting.counted_results(world.reviewer, world.tenant) == [], "who was trained begins anew"
    with pytest.raises(challenge_results.AlertClosed):
        challenge_results.close(alert.pk, actor=world.supervisor, **closing)


def test_a_challenge_at_fault_counts_for_nobody_and_is_given_out_no_more(world):
    result = missed(world)
    challenge_results.close(
        result.alert.pk, actor=world.supervisor, outcome="challenge_wrong", note="The policy has changed."
    )
    assert planting.counted_results(world.reviewer, world.tenant) == []
    assert not Challenge.objects.get(pk=result.planted.challenge_id).is_active


def test_nobody_closes_an_alert_about_themselves(world):
    person = world.person("both", "supervisor", "reviewer", reviews=True)
    result = missed(world, person)
    with pytest.raises(challenge_results.OwnAlert):
        challenge_results.take_on(result.alert.pk, actor=person)
    assert challenge_results.take_on(result.alert.pk, actor=world.supervisor).seen_by == world.supervisor


def test_another_tenants_supervisor_may_do_nothing(world):
    result, outsider = missed(world), make_world("other")
    with pytest.raises(Denied):
        challenge_results.take_on(result.alert.pk, actor=outsider.supervisor)
    with pytest.raises(ChallengeResult.DoesNotExist):
        challenge_results.acknowledge(result.pk, person=outsider.reviewer)


def test_a_result_is_read_by_its_person_once(world):
    result = missed(world)
    assert list(challenge_results.unread_of(world.reviewer)) == [result]
    with pytest.raises(ChallengeResult.DoesNotExist):
        challenge_results.acknowledge(result.pk, person=world.supervisor)
    first = challenge_results.acknowledge(result.pk, person=world.reviewer)
    assert challenge_results.acknowledge(result.pk, person=world.reviewer).at == first.at
    assert not challenge_results.unread_of(world.reviewer).exists()


@pytest.mark.parametrize("model", [ChallengeResult, ResultSeen, TrainingAlert.history.model])
def test_what_is_on_record_cannot_be_changed(world, model):
    result = missed(world)
    challenge_results.acknowledge(result.pk, person=world.reviewer)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(f'DELETE FROM "{model._meta.db_table}"')


def test_two_sweeps_at_once_judge_once(transactional_db):
    world = make_world("acme")
    real_cases(world)
    gold(world)
    planted = plant(world)
    decide(world, planted.case)

    def judge():
        with pretend_now(later):
            return challenge_results.judge(planted.pk)

    later = db_now() + timedelta(minutes=1)
    results = in_parallel([judge] * 3)
    assert not failures(results)
    assert ChallengeResult.objects.count() == TrainingAlert.objects.count() == 1


# --- the cap on friction ----------------------------------------------------------------------------------------------


def test_the_share_counts_challenges_and_stops_at_the_stated_one(world):
    assert friction.share_left(world.reviewer, world.tenant) == pytest.approx(0.15 - 1 / friction.FEW)
    for _ in range(3):
        missed(world)
    found = friction.friction_of(world.reviewer, world.tenant)
    assert (found.cases, found.challenges, found.votes, found.looks, found.percent) == (3, 3, 0, 0, 15)
    assert friction.share_left(world.reviewer, world.tenant) == 0
    assert friction.share_left(world.colleague, world.tenant) > 0


def test_the_cap_stops_the_draw(world):
    case = world.submit()
    decide(world, case)
    policy(world)
    cap = FrictionCap(tenant=world.tenant, percent=0)
    cap.save()
    assert planting.draw(case, world.reviewer, now=db_now(), lot=0.0) is None
    FrictionCap.objects.update(percent=15)
    assert planting.draw(case, world.reviewer, now=db_now(), lot=0.0) is not None


def test_an_undone_review_takes_no_share(world):
    case = world.submit()
    decide(world, case)
    reviews.undo(case.pk, actor=world.reviewer)
    assert friction.friction_of(world.reviewer, world.tenant).cases == 0
    assert Review.objects.count() == 2 and claims.fitness_of(world.reviewer).held == 1
