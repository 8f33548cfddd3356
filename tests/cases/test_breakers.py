"""Breakers at work: they count what happened once each, alarm, stop automation, and wait for a person."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import AutomationSwitch, BreakerAlarm, BreakerMark, BreakerState, Case, CaseEvent, Notice
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import breakers, decisions, lifecycle, switch
from cases.services.breakers import AlarmIsReset
from cases.services.switch import ReasonMissing, Scope
from config import health
from tests.cases.breaking import advance, breaker, decided, later
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

# What is not committed is not read: each test really commits.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world():
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def state_of(rule) -> BreakerState:
    return BreakerState.objects.get(rule=rule)


def test_a_run_of_overrides_alarms_once_and_waits_for_a_person(world):
    rule = breaker(world)
    for _ in range(2):
        decided(world, "accept")
    for _ in range(6):
        decided(world, "reject")
    assert breakers.advance(rule.pk) == 0, "nothing counts while it can be undone"
    assert advance(rule) == 8
    (alarm,) = BreakerAlarm.objects.all()
    assert (alarm.domain, alarm.direction, alarm.baseline, alarm.trips) == ("billing", "rise", 0.1, False)
    assert alarm.hits == alarm.n <= 6, "it counts from where the run began"
    assert alarm.statistic >= alarm.limit and alarm.low < 1 == alarm.high
    (notice,) = Notice.objects.filter(kind="breaker.alarm")
    assert notice.user == world.supervisor
    assert "Watch overrides in billing: overrides: " in notice.text and "usually 10%" in notice.text
    assert (state_of(rule).phase, state_of(rule).n, state_of(rule).hits) == ("alarmed", 8, 6)
    for _ in range(3):
        decided(world, "reject")
    assert advance(rule) == 3
    assert BreakerAlarm.objects.count() == 1
    assert switch.read(world.tenant, domain="billing").allowed


def test_what_was_undone_and_what_is_no_real_case_is_not_counted(world):
    rule = breaker(world)
    undone = decided(world, "reject")
    with transaction.atomic():
        case = lifecycle.locked(undone.pk)
        decisions.undo(case, actor=world.reviewer, now=db_now())
    again = decided(world, "reject")
    with transaction.atomic():
        case = lifecycle.locked(again.pk)
        decisions.undo(case, actor=world.reviewer, now=db_now())
    with transaction.atomic():
        case = lifecycle.locked(again.pk)
        decisions.decide(case, decisions.Decision("edit"), actor=world.reviewer, now=db_now())
    challenge = decided(world, "reject")
    Case.objects.filter(pk=challenge.pk).update(purpose=Case.Purpose.CHALLENGE)
    decided(world, "edit", model_draft=None)
    decided(make_world("other"), "reject")
    assert advance(rule) == 5
    assert (state_of(rule).n, state_of(rule).hits) == (1, 1)


@pytest.mark.parametrize(
    ("watches", "fields", "hit", "miss"),
    [
        ("denials", {"decision": "deny"}, {"model_decision": "deny"}, {"model_decision": "allow"}),
        ("escalations", {}, {}, {"signals": SURE}),
        ("automatic", {}, {"signals": SURE}, {}),
        (
            "tool_failures",
            {},
            {"tool_results": [{"tool": "a", "status": "ok"}, {"tool": "b", "status": "error"}]},
            {"tool_results": [{"tool": "a", "status": "ok"}]},
        ),
    ],
)
def test_each_breaker_counts_what_it_says(world, watches, fields, hit, miss):
    rule = breaker(world, watches, baseline=0.5, **fields)
    for sent in (hit, miss, miss):
        world.submit(**sent)
    switch.stop(Scope(world.tenant), actor=system_actor(), reason="a stop is no news about the AI")
    world.submit(**hit)
    world.submit(**miss)
    assert advance(rule) == 5
    assert (state_of(rule).n, state_of(rule).hits) == (5, 2)
    world.submit(model_decision=None, tool_results=None)
    advance(rule)
    assert state_of(rule).n == (6 if watches in ("escalations", "automatic") else 5), "no trial, no count"


def test_a_trip_stops_automation_in_the_domain_with_the_reason(world):
    rule = breaker(world, action="trip")
    for _ in range(6):
        decided(world)
    advance(rule)
    row = AutomationSwitch.objects.get(tenant=world.tenant, domain="billing")
    assert not row.is_enabled and row.changed_by == system_actor()
    assert row.reason.startswith("Breaker Watch overrides in billing: overrides: ")
    assert BreakerAlarm.objects.get().trips
    assert CaseEvent.objects.filter(kind="automation.stopped", tenant=world.tenant, data__domain="billing").count() == 1
    assert world.submit(signals=SURE).state == "pending_review"
    assert world.submit(signals=SURE, domain="returns").state == "auto_approved"


def test_a_stop_that_a_person_made_keeps_its_reason(world):
    rule = breaker(world, action="trip")
    switch.stop(Scope(world.tenant, "billing"), actor=world.supervisor, reason="Prices are wrong")
    for _ in range(6):
        decided(world)
    advance(rule)
    assert AutomationSwitch.objects.get(tenant=world.tenant, domain="billing").reason == "Prices are wrong"
    assert not BreakerAlarm.objects.get().trips


def test_a_person_resets_and_the_series_is_watched_again(world):
    rule, other = breaker(world), make_world("other")
    for _ in range(6):
        decided(world)
    advance(rule)
    alarm = BreakerAlarm.objects.get()
    for outsider in (other.supervisor, world.reviewer):
        with pytest.raises(Denied):
            breakers.reset(alarm.pk, actor=outsider, reason="mine now")
    with pytest.raises(ReasonMissing):
        breakers.reset(alarm.pk, actor=world.supervisor, reason=" ")
    breakers.reset(alarm.pk, actor=world.supervisor, reason="A price list was missing", learns_anew=True)
    with pytest.raises(AlarmIsReset):
        breakers.reset(alarm.pk, actor=world.supervisor, reason="again")
    assert (state_of(rule).phase, state_of(rule).n) == ("watching", 0), "a fixed baseline is not learned"
    assert not breakers.open_alarms().exists()
    for _ in range(6):
        decided(world)
    advance(rule)
    assert BreakerAlarm.objects.count() == 2


def test_it_learns_from_the_latest_cases_and_goes_on_where_they_end(world):
    for number in range(24):
        decided(world, "reject" if number % 4 == 0 else "accept")
    with later():
        rule = breaker(world, baseline=None, baseline_cases=20)
    state = state_of(rule)
    assert (state.phase, state.learned_n, state.learned_hits, state.n) == ("watching", 20, 5, 0)
    decided(world, "accept")
    assert advance(rule) == 1
    assert state_of(rule).n == 1, "what it learned from is not counted again"


def test_a_new_release_is_measured_by_the_one_before_it(world):
    rule = breaker(world, baseline=None, baseline_cases=20, shift=0.3)
    for number in range(21):
        decided(world, "reject" if number % 10 == 0 else "accept", release={"model": "one"})
    advance(rule)
    assert state_of(rule).phase == "watching"
    for _ in range(8):
        decided(world, release={"model": "two"})
    advance(rule)
    (alarm,) = BreakerAlarm.objects.all()
    assert alarm.release.model == "two" and alarm.baseline == pytest.approx(0.1)
    assert BreakerState.objects.get(release__model="one").phase == "watching"


def test_a_change_of_the_test_begins_anew_and_a_change_of_words_does_not(world):
    rule = breaker(world)
    decided(world)
    advance(rule)
    rule.name, rule.action = "Another name", "trip"
    breakers.save_rule(rule, actor=system_actor(), reason="words")
    assert state_of(rule).n == 1
    rule.shift = 0.3
    breakers.save_rule(rule, actor=system_actor(), reason="finer")
    assert not BreakerState.objects.exists()
    assert advance(rule) == 0, "what was before is not counted by the new test"
    with pytest.raises(Denied):
        breakers.save_rule(rule, actor=world.supervisor, reason="not mine")


def test_volume_counts_slots_and_an_empty_one_too(world):
    rule = breaker(world, "volume", baseline=3.0, shift=1.0, slot_minutes=15, looks="both")
    start = BreakerMark.objects.get(rule=rule).at
    for slot, cases in enumerate((3, 0, 3)):
        with pretend_now(start + timedelta(minutes=15 * slot + 1)):
            for _ in range(cases):
                world.submit()
    with pretend_now(start + timedelta(minutes=45)):
        assert breakers.advance(rule.pk) == 2, "a slot is counted a minute after its end"
    with pretend_now(start + timedelta(minutes=47)):
        assert breakers.advance(rule.pk) == 1
        assert breakers.advance(rule.pk) == 0
    state = state_of(rule)
    assert (state.n, state.hits, state.phase) == (3, 6, "watching")
    with pretend_now(start + timedelta(minutes=46)):
        for _ in range(25):
            world.submit()
    with pretend_now(start + timedelta(minutes=62)):
        breakers.advance(rule.pk)
    assert "25.0 cases a slot in 1 slot" in BreakerAlarm.objects.get().sentence


def test_two_workers_at_once_count_everything_once(world):
    rule = breaker(world, baseline=0.9)
    for _ in range(12):
        decided(world)
    with later():
        at = db_now()

    def work():
        with pretend_now(at):
            return sum(breakers.advance(rule.pk) or 0 for _ in range(4))

    results = in_parallel([work] * 4)
    assert not failures(results) and sum(results) == 12
    assert (state_of(rule).n, state_of(rule).hits) == (12, 12)


def test_an_event_that_commits_late_is_counted_in_its_turn(world):
    rule = breaker(world, "escalations", baseline=0.9)
    slow = connection.copy()
    try:
        with slow.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_current_xact_id()")
            world.submit()
            assert advance(rule) == 0, "somebody who began earlier may still join"
            cursor.execute("COMMIT")
    finally:
        slow.close()
    assert advance(rule) == 1


def test_a_batch_that_fails_changes_nothing(world):
    rule = breaker(world)
    for _ in range(6):
        decided(world)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_breakeralarm ADD CONSTRAINT broken CHECK (n < 0)")
    try:
        with pytest.raises(Exception, match="broken"):
            advance(rule)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE cases_breakeralarm DROP CONSTRAINT broken")
    assert not BreakerState.objects.exists() and not Notice.objects.filter(kind="breaker.alarm").exists()
    advance(rule)
    assert BreakerAlarm.objects.count() == 1


def test_the_series_that_are_kept_are_bounded_and_the_quietest_goes(world, monkeypatch):
    monkeypatch.setattr(breakers, "MOST_SERIES", 2)
    rule = breaker(world, "escalations", baseline=0.9)
    for domain in ("one", "two", "three"):
        world.submit(domain=domain)
        advance(rule)
    assert set(BreakerState.objects.values_list("domain", flat=True)) == {"two", "three"}


def test_health_says_that_somebody_has_to_look_and_that_nobody_reads_on(world):
    rule = breaker(world)
    assert not [check for check in health.checks() if check.name == "Breakers" and (check.problem or check.caution)]
    for _ in range(6):
        decided(world)
    assert breakers.sweep(seconds=5) == 0
    with later():
        breakers.sweep(seconds=5)
    BreakerMark.objects.filter(rule=rule).update(checked_at=db_now() - timedelta(minutes=6))
    (check,) = [check for check in health.checks() if check.name == "Breakers"]
    assert check.caution == "A breaker has alarmed: somebody has to look."
    assert check.problem == "Breakers do not read on: is the beat or the worker down?"
    assert check.figures == {"breaker_alarms": 1}
