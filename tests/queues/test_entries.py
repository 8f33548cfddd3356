"""Entries: how a case waits, pauses, comes back and leaves, and what is kept of it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent
from cases.models.people import system_actor
from cases.services import intake, lifecycle
from cases.vocabulary import Verdict
from cases.wire.intake import parse_draft
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import BusinessCalendar, Claim, Entry, Passage, Queue
from queues.services import asides, claims, consults
from queues.services.clocks import MAX_PAUSE_SHIFT
from queues.services.health import queue_health
from queues.services.setup import QueueInvalid, create_queue, save_queue
from tests.worlds import FAIR, SURE, make_world

pytestmark = pytest.mark.django_db

K = CaseEvent.Kind
HOUR = timedelta(hours=1)
TASK = Submission(verdict=Verdict.NEEDS_EDIT, notes="say which policy")


@pytest.fixture
def world():
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def decide(world, case, submission=TASK):
    entry = claims.claim(case, world.reviewer)
    return reviews.submit(case.pk, submission, actor=world.reviewer, generation=entry.generation)


def new_draft(world, case, **fields):
    sent = parse_draft({"model_draft": "Better.", "signals": FAIR} | fields)
    return intake.add_draft(case.pk, sent, actor=world.service)


def kinds(case) -> list[str]:
    return list(case.events.order_by("id").values_list("kind", flat=True))


def test_a_case_waits_in_one_entry_only(world):
    entry = Entry.objects.get(case=world.submit())
    entry.pk = None
    with pytest.raises(IntegrityError, match="one_open_entry_per_case"), transaction.atomic():
        entry.save(force_insert=True)


def test_a_held_entry_has_a_lease_and_is_never_paused(world):
    world.submit()
    entry = world.claim()
    for broken in ({"lease_expires_at": None}, {"claimed_by": None}, {"paused_at": db_now()}):
        with pytest.raises(IntegrityError, match="claims_have_a_lease"), transaction.atomic():
            Entry.objects.filter(pk=entry.pk).update(**broken)


def test_an_entry_that_closes_leaves_a_passage_with_its_times(world):
    case = world.submit()
    entry = Entry.objects.get(case=case)
    decide(world, case, Submission(verdict=Verdict.ACCEPT))
    assert not Entry.objects.exists()
    passage = Passage.objects.get(case=case)
    assert (passage.pk, passage.queue, passage.kind, passage.end) == (entry.pk, world.queue, "review", K.DECIDED)
    assert (passage.entered_at, passage.due_at, passage.breached_at) == (entry.entered_at, entry.due_at, None)
    assert passage.left_at == Case.objects.get().decided_at
    assert Claim.objects.get().end == Claim.End.DECIDED


def test_a_wish_for_a_new_draft_stops_the_clock_and_ends_the_claim(world):
    case = world.submit()
    decide(world, case)
    entry = Entry.objects.get(case=case)
    assert (entry.claimed_by, entry.paused_at is not None) == (None, True)
    assert entry.pause_reason == "Waiting for a new draft"
    assert not Passage.objects.exists()
    assert claims.claim_next(world.reviewer) is None


def test_a_new_draft_starts_the_clock_again_and_moves_the_deadline_by_the_pause(world):
    case = world.submit()
    due = Entry.objects.get(case=case).due_at
    decide(world, case)
    with pretend_now(Entry.objects.get().paused_at + HOUR):
        new_draft(world, case)
    entry = Entry.objects.get(case=case)
    assert (entry.paused_at, entry.pause_reason, entry.paused_seconds) == (None, "", 3600)
    assert entry.due_at == due + HOUR
    assert world.claim(world.colleague).case_id == case.pk


def test_pauses_move_a_deadline_by_a_week_at_most(world):
    case = world.submit()
    due = Entry.objects.get(case=case).due_at
    for days in (5, 5):
        decide(world, case)
        with pretend_now(Entry.objects.get().paused_at + timedelta(days=days)):
            new_draft(world, case)
    entry = Entry.objects.get(case=case)
    assert entry.paused_seconds == MAX_PAUSE_SHIFT
    assert entry.due_at == due + timedelta(days=7)


def test_a_deadline_that_was_missed_before_the_pause_does_not_move(world):
    case = world.submit(sla_deadline=(db_now() - HOUR).isoformat())
    due = Entry.objects.get(case=case).due_at
    decide(world, case)
    with pretend_now(db_now() + HOUR):
        new_draft(world, case)
    assert Entry.objects.get(case=case).due_at == due
    assert kinds(case).count(K.SLA_BREACHED) == 1


def test_a_new_draft_for_a_case_that_waits_changes_its_route_and_can_raise_its_place(db):
    world = make_world(rules={"risk_floor": {"billing": "low"}})
    case = world.submit(risk_level="low")
    before = Entry.objects.get(case=case)
    world.policy.risk_floor = {"billing": "high"}
    from cases.services import policies

    policies.publish(world.policy, actor=system_actor(), reason="riskier than thought")
    new_draft(world, case)
    after = Entry.objects.get(case=case)
    assert (before.risk, after.risk) == ("low", "high")
    assert after.priority > before.priority
    assert after.route == "full_investigation"


def test_an_undone_decision_puts_the_case_before_its_reviewer_with_the_deadline_that_it_had(world):
    case = world.submit()
    before = Entry.objects.get(case=case)
    decide(world, case, Submission(verdict=Verdict.ACCEPT))
    reviews.undo(case.pk, actor=world.reviewer)
    entry = Entry.objects.get(case=case)
    assert (entry.claimed_by, entry.due_at, entry.entered_at) == (world.reviewer, before.due_at, before.entered_at)
    assert world.claim().pk == entry.pk
    assert Claim.objects.filter(case=case, ended_at=None).count() == 1


def test_an_undone_decision_does_not_say_again_that_the_deadline_was_missed(world):
    case = world.submit(sla_deadline=(db_now() - HOUR).isoformat())
    decide(world, case, Submission(verdict=Verdict.ACCEPT))
    reviews.undo(case.pk, actor=world.reviewer)
    assert kinds(case).count(K.SLA_BREACHED) == 1
    assert Entry.objects.get(case=case).breached_at is not None


def test_a_reopened_case_waits_anew_before_new_ones_of_its_risk(world):
    case = world.submit(signals=SURE)
    lifecycle.reopen(case.pk, actor=world.supervisor, reason="appeal")
    fresh = world.submit()
    assert Entry.objects.get(case=case).priority > Entry.objects.get(case=fresh).priority
    assert world.claim().case_id == case.pk


def test_a_broken_calendar_turns_no_case_away(world):
    calendar = BusinessCalendar(tenant=world.tenant, name="Broken", hours={"0": [["nine", "five"]]})
    calendar.save_as(system_actor())
    world.queue.sla_policy.calendar, world.queue.sla_policy.unit = calendar, "business_days"
    world.queue.sla_policy.save_as(system_actor())
    entry = Entry.objects.get(case=world.submit())
    assert "calendar failed" in entry.queue_reason
    assert timedelta(hours=23) < entry.due_at - db_now() <= timedelta(days=1)


# --- the queues themselves -----------------------------------------------------------------------------------------


def test_a_tenants_first_queue_is_its_fallback_and_the_place_can_be_taken_over(world):
    second = create_queue(
        world.tenant,
        actor=system_actor(),
        slug="second",
        name="Second",
        sla_policy=world.queue.sla_policy,
        is_fallback=True,
    )
    assert list(Queue.objects.filter(is_fallback=True)) == [second]


def test_a_tenant_is_never_left_without_a_fallback(world):
    world.queue.is_fallback = False
    with pytest.raises(QueueInvalid), transaction.atomic():
        save_queue(world.queue, system_actor(), "no fallback")
    assert Queue.objects.get().is_fallback


def test_a_queue_reaches_into_no_other_tenant(world):
    other = make_world("other")
    for name in ("sla_policy", "escalation_target"):
        value = other.queue if name == "escalation_target" else other.queue.sla_policy
        stolen = Queue.objects.get(pk=world.queue.pk)
        setattr(stolen, name, value)
        with pytest.raises(QueueInvalid), transaction.atomic():
            save_queue(stolen, system_actor(), "reaching over")


def test_the_health_of_a_queue_counts_what_waits_is_held_is_due_and_is_overdue(world):
    soon = (db_now() + timedelta(minutes=10)).isoformat()
    late = (db_now() - timedelta(minutes=10)).isoformat()
    first = world.submit()
    for extra in ({}, {"sla_deadline": soon}, {"sla_deadline": late}):
        world.submit(**extra)
    claims.claim(first, world.reviewer)
    snoozed, asked = world.submit(), world.submit()
    entry = claims.claim(snoozed, world.reviewer)
    asides.snooze(snoozed.pk, world.reviewer, entry.generation, until=db_now() + timedelta(hours=1))
    entry = claims.claim(asked, world.reviewer)
    consults.ask(asked.pk, world.reviewer, entry.generation, colleague=world.colleague, question="May I?")
    make_world("other").submit()
    (health,) = queue_health(type(world.tenant).objects.filter(pk=world.tenant.pk))
    assert {name: health[name] for name in ("waiting", "held", "kept", "paused", "due_soon", "breached")} == {
        "waiting": 3,
        "held": 1,
        "kept": 1,
        "paused": 1,
        "due_soon": 1,
        "breached": 1,
    }
    assert health["oldest_at"] == Entry.objects.get(case=first).entered_at
