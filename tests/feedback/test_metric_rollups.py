"""The sums equal the raw facts, to the last digit, whoever writes meanwhile."""

from datetime import timedelta
from fractions import Fraction

import pytest
from django.core.management import CommandError, call_command

from cases.clock import db_now, pretend_now
from cases.models import Case
from cases.services import intake, lifecycle, satisfaction
from cases.wire.intake import parse_intake
from config.invariants import broken
from feedback.metrics import rollups
from feedback.metrics.days import ASTRAY
from feedback.metrics.definitions import BY_METRIC, MEASURES
from feedback.models import MetricDay, MetricHour, MetricMark, Review
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Reviewer
from queues.services import claims
from tests.submissions import complete
from tests.threads import failures, in_parallel
from tests.worlds import SURE, World, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
SAMPLED = {"new_release_reviews": 0, "sampling_share": 1.0}


@pytest.fixture
def world(db) -> World:
    return make_world(rules=CALM, undo_seconds=0)


def review(world: World, case: Case, verdict: str, user=None, **texts) -> Review:
    entry = claims.claim(case, user or world.reviewer)
    return reviews.submit(
        case.pk,
        complete(Submission(verdict, **texts), entry),
        actor=user or world.reviewer,
        generation=entry.generation,
    )


def sums(dimension: str = "all", key: str = "") -> dict:
    rollups.refresh()
    rows = MetricHour.objects.filter(dimension=dimension, key=key)
    names = [measure.name for measure in MEASURES]
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def value(name: str) -> Fraction | None:
    return BY_METRIC[name].value(sums())


def test_a_case_and_its_review_are_counted(world):
    world.submit(signals=SURE)
    review(world, world.submit(), "accept")
    review(world, world.submit(), "reject", notes="wrong")
    world.submit()
    assert value("escalation_rate") == Fraction(3, 4)
    assert value("approval_rate") == Fraction(2, 3)
    assert value("rejection_rate") == Fraction(1, 3)
    assert value("override_rate") == value("draft_acceptance_rate") == Fraction(1, 2)
    assert rollups.compare(world.tenant) == []


def test_challenges_and_probes_never_count(world):
    for purpose in ("challenge", "probe"):
        case = intake.submit(
            parse_intake({"domain": "billing", "user_question": "?", "model_draft": "!"}),
            actor=world.service,
            tenant=world.tenant,
            purpose=purpose,
        ).case
        if purpose == "challenge":  # A probe stands before nobody.
            review(world, case, "accept")
    rollups.refresh()
    rollups.rebuild(world.tenant)
    assert not MetricHour.objects.exists()


def test_a_withdrawn_case_counts_as_nothing_but_withdrawn(world):
    lifecycle.withdraw(world.submit().pk, actor=world.service)
    assert {name: n for name, n in sums().items() if n} == {"withdrawn": 1}


def test_a_decision_counts_once_it_is_final_and_never_when_it_is_undone(db):
    world = make_world(rules=CALM, undo_seconds=60)
    case = world.submit()
    review(world, case, "accept")
    assert (sums()["approved"], sums()["handled"]) == (0, 0)
    reviews.undo(case.pk, actor=world.reviewer)
    with pretend_now(db_now() + timedelta(seconds=61)):
        assert (sums()["approved"], sums()["handled"]) == (0, 0)
        entry = claims.claim_next(world.reviewer)
        reviews.submit(case.pk, Submission("accept"), actor=world.reviewer, generation=entry.generation)
    with pretend_now(db_now() + timedelta(seconds=200)):
        assert (sums()["approved"], sums()["handled"]) == (1, 1)
        assert rollups.compare(world.tenant) == []


def test_a_reopened_case_loses_its_outcome_and_keeps_its_review(world):
    case = world.submit()
    review(world, case, "accept")
    lifecycle.reopen(case.pk, actor=world.supervisor, reason="appeal")
    assert (sums()["approved"], sums()["accepted"]) == (0, 1)
    review(world, case, "reject", user=world.colleague, notes="after all not")
    assert (sums()["approved"], sums()["rejected"], sums()["judged"]) == (0, 1, 2)


def test_the_last_score_of_a_customer_counts(world):
    case = world.submit()
    for score in (2, 5):
        satisfaction.report(case.pk, score=score, actor=world.service)
    satisfaction.report(world.submit().pk, score=4, actor=world.service)
    assert value("user_satisfaction") == Fraction(9, 2)


def test_the_error_of_automatic_approvals_is_weighted_by_the_chance_of_being_sampled(db):
    world = make_world(rules=SAMPLED, undo_seconds=0)
    right, wrong = (world.submit(signals=SURE) for _ in range(2))
    review(world, right, "accept")
    review(world, wrong, "reject", notes="wrong")
    assert value("automatic_approval_error") == Fraction(1, 2)
    assert wrong.current_draft.sample_share == 1.0


def test_the_conditions_that_hold_are_kept_with_the_draft(world):
    from cases.models import TriggerCondition
    from cases.models.people import system_actor
    from cases.services import policies

    condition = TriggerCondition(policy=world.policy, name="every question", expression="true")
    condition.save_as(system_actor(), "added")
    policies.publish(world.policy, actor=system_actor(), reason="a condition")
    case = world.submit(signals=SURE)
    assert case.current_draft.conditions == ["every question"]
    assert sums("condition", "every question")["escalated"] == 1


def test_the_command_finds_what_differs_and_mends_it(world, capsys):
    world.submit()
    rollups.refresh()
    call_command("rebuild_metrics", "--dry-run")
    MetricHour.objects.filter(dimension="all").update(opened=7)
    with pytest.raises(CommandError, match="1 sums differ"):
        call_command("rebuild_metrics", "--dry-run")
    call_command("rebuild_metrics", "--tenant", "acme")
    call_command("rebuild_metrics", "--dry-run")
    assert "all sums agree" in capsys.readouterr().out


def test_the_command_finds_a_day_that_is_not_its_hours_and_mends_it(world, capsys):
    world.submit()
    rollups.refresh()
    kept = MetricDay.objects.get(dimension="all")
    MetricDay.objects.filter(pk=kept.pk).update(opened=7)
    MetricDay.objects.create(tenant=world.tenant, day=kept.day - timedelta(days=9), dimension="all", domain="x", key="")
    assert len(astray()[0]) == 2
    with pytest.raises(CommandError, match="2 sums differ"):
        call_command("rebuild_metrics", "--dry-run")
    assert f"{kept.day}, the whole day, billing, all: differs" in capsys.readouterr().out
    call_command("rebuild_metrics")
    assert (rollups.compare(world.tenant), astray(), MetricDay.objects.get(dimension="all").opened) == ([], [], 1)


def test_hours_are_those_of_the_tenants_own_zone(db):
    world = make_world(rules=CALM, undo_seconds=0, time_zone="Asia/Kolkata")
    world.submit()
    rollups.refresh()
    assert {row.hour.minute for row in MetricHour.objects.all()} == {30}
    assert rollups.compare(world.tenant) == []


def test_another_tenants_cases_are_in_none_of_its_sums(world):
    other = make_world("other", rules=CALM, undo_seconds=0)
    other.submit()
    rollups.refresh()
    assert set(MetricHour.objects.values_list("tenant__slug", flat=True)) == {"other"}
    rollups.rebuild(world.tenant)
    assert set(MetricHour.objects.values_list("tenant__slug", flat=True)) == {"other"}


@pytest.mark.django_db(transaction=True)
def test_sums_equal_the_facts_after_writers_and_refreshers_at_once():
    world = make_world(rules=CALM, undo_seconds=0)
    Reviewer.objects.filter(user=world.reviewer).update(capacity=20)  # The same person takes all of them at once.
    waiting = [world.submit() for _ in range(8)]

    def write(case: Case) -> None:
        review(world, case, "accept" if case.pk.int % 2 else "edit", final_answer=f"Better {case.pk}.")
        for number in range(3):
            world.submit(signals=SURE if number else None, risk_level="low")

    jobs = [lambda case=case: write(case) for case in waiting[:4]]
    jobs += [lambda: [rollups.refresh(batch=2) for _ in range(5)] for _ in range(2)]
    jobs += [lambda: lifecycle.withdraw(waiting[7].pk, actor=world.service)]
    jobs += [lambda: [astray() for _ in range(5)]]
    results = in_parallel(jobs)
    assert failures(results) == []
    assert results[-1] == [[]] * 5
    rollups.refresh()
    assert not MetricMark.objects.exists()
    assert rollups.compare(world.tenant) == []
    kept = sums()
    assert kept["opened"] == Case.objects.exclude(state="withdrawn").count() == 19
    assert kept["handled"] == 4
    rollups.rebuild(world.tenant)
    assert sums() == kept
    assert rollups.compare(world.tenant) == []
    assert astray() == []


def astray() -> list:
    """Days that are not what their hours add up to, at this committed moment."""
    return [keys for invariant, keys in broken() if invariant.sql == ASTRAY]
