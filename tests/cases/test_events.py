"""Events and the outbox: what is recorded, for whom it is queued, and when it may leave."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from cases.clock import db_now
from cases.models import Case, CaseEvent, Delivery, WebhookEndpoint
from cases.models.people import system_actor
from cases.outcome import events_for_callers, in_public_state, is_final, outcome_document, public_state
from cases.services import events, lifecycle, switch
from cases.services.events import record
from cases.vocabulary import Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.services import claims
from tests.worlds import DRAFT, SURE, make_world

K = CaseEvent.Kind
RULES = {"new_release_reviews": 0, "sampling_share": 0.0}
ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world(rules=RULES)


def endpoint(world, *kinds: str, is_active: bool = True) -> WebhookEndpoint:
    found = WebhookEndpoint(
        tenant=world.tenant,
        url="https://example.org/hook",
        secret="whsec_" + "A" * 43 + "=",
        kinds=list(kinds),
        is_active=is_active,
    )
    found.save_as(system_actor(), "added")
    return found


def decide(world, case, verdict=Verdict.ACCEPT):
    entry = claims.claim(case, world.reviewer)
    return reviews.submit(
        case.pk, Submission(verdict=verdict, notes="reason"), actor=world.reviewer, generation=entry.generation
    )


def queued(receiver: WebhookEndpoint) -> list[str]:
    return list(receiver.deliveries.order_by("event__id").values_list("event__kind", flat=True))


def now_of(case) -> Case:
    return Case.objects.with_text().get(pk=case.pk)


def test_the_timeline_holds_what_happened_in_its_order_with_who_and_when(world):
    case = world.submit(proposed_action=ACTION)
    decide(world, case)
    assert [(event.kind, event.actor) for event in case.events.order_by("id")] == [
        (K.OPENED, world.service),
        (K.DECIDED, world.reviewer),
    ]
    assert case.events.first().at == case.opened_at


def test_a_note_rests_in_erasable_content_and_the_event_holds_its_digest(world):
    case = world.submit()
    record(case, K.ESCALATED, world.service, note="please call me", code="phone")
    event = case.events.get(kind=K.ESCALATED)
    assert event.data == {"code": "phone"}
    assert event.note.text == {"note": "please call me"}
    assert bytes(event.note_digest) == event.note.digest()


def test_an_endpoint_gets_the_events_that_it_asked_for_and_all_where_it_named_none(world):
    other = make_world("other")
    everything, decided = endpoint(world), endpoint(world, K.DECIDED)
    off, strange = endpoint(world, is_active=False), endpoint(other)
    decide(world, world.submit())
    assert queued(everything) == [K.OPENED, K.DECIDED]
    assert queued(decided) == [K.DECIDED]
    assert queued(off) == queued(strange) == []


def test_what_is_told_to_people_only_is_never_queued(world):
    receiver = endpoint(world)
    case = world.submit()
    lifecycle.escalate(case.pk, actor=world.service)
    decide(world, case)
    reviews.undo(case.pk, actor=world.reviewer)
    assert not set(queued(receiver)) & CaseEvent.INTERNAL


def test_a_challenge_is_never_delivered(world):
    receiver = endpoint(world)
    case = world.submit()
    assert queued(receiver) == [K.OPENED]
    Case.objects.filter(pk=case.pk).update(purpose=Case.Purpose.CHALLENGE)
    decide(world, now_of(case))
    assert queued(receiver) == [K.OPENED]


def test_a_stop_everywhere_is_told_to_every_tenant_and_a_tenants_own_to_it_alone(world):
    other = make_world("other")
    here, there = endpoint(world), endpoint(other)
    switch.stop(switch.Scope(), actor=system_actor(), reason="test")
    switch.stop(switch.Scope(world.tenant), actor=system_actor(), reason="test")
    assert queued(here) == [K.AUTOMATION_STOPPED, K.AUTOMATION_STOPPED]
    assert queued(there) == [K.AUTOMATION_STOPPED]


def test_one_event_reaches_one_endpoint_once(world):
    receiver = endpoint(world)
    event = world.submit().events.get()
    with pytest.raises(IntegrityError, match="one_delivery_per_event_and_endpoint"), transaction.atomic():
        Delivery.objects.create(event=event, endpoint=receiver, next_attempt_at=event.at)


def test_a_decision_leaves_the_house_when_it_can_no_longer_be_undone(world):
    receiver = endpoint(world)
    case = world.submit()
    decide(world, case)
    case = now_of(case)
    delivery = receiver.deliveries.get(event__kind=K.DECIDED)
    assert delivery.next_attempt_at == case.final_at == case.decided_at + timedelta(seconds=world.tenant.undo_seconds)
    assert receiver.deliveries.get(event__kind=K.OPENED).next_attempt_at == case.opened_at


def test_an_undo_cancels_what_was_about_to_be_sent_and_nothing_else(world):
    receiver = endpoint(world)
    case = world.submit()
    decide(world, case)
    reviews.undo(case.pk, actor=world.reviewer)
    states = dict(receiver.deliveries.values_list("event__kind", "state"))
    assert states == {K.OPENED: "pending", K.DECIDED: "cancelled"}


def test_the_outcome_and_its_delivery_wait_until_every_linked_action_has_ended(world):
    receiver = endpoint(world)
    case = world.submit(proposed_action=ACTION)
    decide(world, case)
    case, late = now_of(case), db_now() + MINUTE
    assert receiver.deliveries.get(event__kind=K.DECIDED).is_held
    assert (is_final(case, late), public_state(case, late), outcome_document(case, late)) == (
        False,
        "pending_review",
        None,
    )
    lifecycle.settle_action(case, system_actor())
    assert not receiver.deliveries.get(event__kind=K.DECIDED).is_held
    case = now_of(case)
    assert (is_final(case, late), public_state(case, late)) == (True, "approved")
    assert outcome_document(case, late)["final_answer"] == DRAFT


def test_the_outcome_is_hidden_until_the_undo_window_has_passed(world):
    case = world.submit()
    decide(world, case, Verdict.REJECT)
    case = now_of(case)
    just_before, at_last = case.final_at - timedelta(microseconds=1), case.final_at
    assert (public_state(case, just_before), outcome_document(case, just_before)) == ("pending_review", None)
    assert public_state(case, at_last) == "rejected"
    outcome = outcome_document(case, at_last)
    assert (outcome["verdict"], outcome["final_answer"], outcome["decided_by"]) == ("reject", None, "human")


def test_an_automatic_approval_is_final_at_once(world):
    case = world.submit(signals=SURE)
    outcome = outcome_document(now_of(case), db_now())
    assert (outcome["verdict"], outcome["final_answer"], outcome["decided_by"]) == ("accept", DRAFT, "automatic")


@pytest.mark.parametrize("final", [False, True])
def test_the_filter_by_state_agrees_with_the_state_that_is_shown(world, final):
    cases = [world.submit(), world.submit(signals=SURE), world.submit(proposed_action=ACTION)]
    for verdict in (Verdict.ACCEPT, Verdict.REJECT, Verdict.NEEDS_EDIT):
        cases.append(world.submit())
        decide(world, cases[-1], verdict)
    decide(world, cases[2])
    gone = world.submit()
    lifecycle.withdraw(gone.pk, actor=world.service)
    now = db_now() + (MINUTE if final else timedelta(0))
    for state in {public_state(now_of(case), now) for case in [*cases, gone]} | {"approved", "rejected"}:
        shown = {case.pk for case in Case.objects.all() if public_state(case, now) == state}
        assert set(in_public_state(Case.objects.all(), state, now).values_list("pk", flat=True)) == shown


def callers_timeline(case, now) -> list[str]:
    return [event.kind for event in events_for_callers(case.events.order_by("id"), now_of(case), now)]


def test_callers_see_a_decision_in_the_timeline_only_when_it_is_final(world):
    case = world.submit()
    decide(world, case)
    assert callers_timeline(case, db_now()) == [K.OPENED]
    assert callers_timeline(case, db_now() + MINUTE) == [K.OPENED, K.DECIDED]


def test_callers_never_see_a_decision_that_was_undone(world):
    case = world.submit()
    decide(world, case, Verdict.REJECT)
    reviews.undo(case.pk, actor=world.reviewer)
    assert callers_timeline(case, db_now() + MINUTE) == [K.OPENED]
    decide(world, case)
    assert callers_timeline(case, db_now()) == [K.OPENED]
    assert callers_timeline(case, db_now() + MINUTE) == [K.OPENED, K.DECIDED]


def test_an_earlier_outcome_stays_in_the_timeline_while_the_next_one_is_not_final(world):
    case = world.submit(signals=SURE)
    lifecycle.escalate(case.pk, actor=world.service)
    decide(world, case)
    assert callers_timeline(case, db_now()) == [K.OPENED, K.AUTO_APPROVED, K.RECALLED]


def test_a_nudge_that_cannot_be_sent_costs_nothing(world, monkeypatch, django_capture_on_commit_callbacks):
    endpoint(world)
    asked = []
    monkeypatch.setattr(events, "nudge", lambda task: asked.append(task) or False)
    with django_capture_on_commit_callbacks(execute=True):
        world.submit()
    assert asked == ["cases.tasks.sweep_deliveries"]


def test_the_handlers_are_those_of_the_settings_and_store_an_action_before_its_case_is_routed(settings):
    events._handlers.cache_clear()
    names = [f"{handler.__module__}.{handler.__name__}" for handler in events._handlers()]
    assert names == settings.CASE_EVENT_HANDLERS
    assert names.index("approvals.handlers.on_events") < names.index("queues.handlers.on_events")
