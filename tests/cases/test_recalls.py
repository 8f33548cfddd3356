"""Recalls: automatic approvals of a window go back to people once, whatever is killed on the way."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, Delivery, RecallRun, WebhookEndpoint
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import lifecycle, policies, recalls, switch
from cases.services.recalls import MomentInvalid, RecallRunning
from cases.services.switch import ReasonMissing
from cases.signing import new_secret
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


def ask(world, **options) -> RecallRun:
    options = {"since": db_now() - timedelta(hours=1), "reason": "wrong price list"} | options
    return recalls.ask(world.tenant, actor=world.supervisor, **options)


def test_what_passed_since_the_moment_goes_back_and_what_passed_before_stays(world):
    early = db_now() - timedelta(hours=3)
    with pretend_now(early):
        before = world.submit(signals=SURE)
    after = [world.submit(signals=SURE) for _ in range(3)]
    # The key of a case that was told an earlier time is of now; the instant decides.
    run = ask(world)
    assert run.found == 3
    assert recalls.sweep(seconds=10) == 3
    run.refresh_from_db()
    assert (run.recalled, run.finished_at is not None) == (3, True)
    assert set(Case.objects.filter(state="pending_review")) == set(after)
    assert Case.objects.get(pk=before.pk).state == "auto_approved"
    assert Entry.objects.filter(case__in=after).count() == 3


def test_receivers_are_told_of_each_case_once(world):
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://acme.example/hook", secret=new_secret())
    endpoint.save_as(system_actor(), "created")
    case = world.submit(signals=SURE)
    run = ask(world)
    recalls.sweep(seconds=10)
    recalls.sweep(seconds=10)
    event = CaseEvent.objects.get(kind="case.recalled")
    assert (event.case, event.actor, event.data) == (
        case,
        world.supervisor,
        {"trigger": "automation_recall", "recall_id": run.wire_id},
    )
    assert Delivery.objects.filter(event=event, endpoint=endpoint).count() == 1


def test_what_came_back_already_or_was_confirmed_by_a_person_is_left_alone(world):
    world.policy.sampling_share = 1.0
    policies.publish(world.policy, actor=system_actor(), reason="sample all")
    confirmed, escalated, plain = (world.submit(signals=SURE) for _ in range(3))
    entry = claims.claim(confirmed, world.reviewer)
    reviews.submit(confirmed.pk, Submission("accept"), actor=world.reviewer, generation=entry.generation)
    lifecycle.escalate(escalated.pk, actor=world.service)
    assert recalls.preview(world.tenant, since=db_now() - timedelta(hours=1), actor=world.supervisor) == 1
    ask(world)
    assert recalls.sweep(seconds=10) == 1
    assert CaseEvent.objects.filter(kind="case.recalled", case=escalated).count() == 1
    assert not CaseEvent.objects.filter(kind="case.recalled", case=confirmed).exists()
    assert Case.objects.get(pk=plain.pk).state == "pending_review"


def test_a_recall_of_one_domain_leaves_the_others(world):
    world.submit(signals=SURE, domain="shipping")
    mine = world.submit(signals=SURE)
    assert ask(world, domain="billing").found == 1
    recalls.sweep(seconds=10)
    assert list(Case.objects.filter(state="pending_review")) == [mine]


def test_a_batch_is_bounded_and_the_next_one_carries_on(world, monkeypatch):
    monkeypatch.setattr(recalls, "BATCH", 2)
    for _ in range(5):
        world.submit(signals=SURE)
    run = ask(world)
    steps = []
    while (done := recalls.advance(run.pk)) is not None:
        steps.append(done)
        run.refresh_from_db()
        assert run.recalled == sum(steps)
    assert steps == [2, 2, 1]


def test_a_batch_that_is_killed_counts_nothing_and_loses_nothing(world, monkeypatch):
    for _ in range(3):
        world.submit(signals=SURE)
    run = ask(world)

    class Killed(BaseException):
        pass

    with pytest.raises(Killed), transaction.atomic():
        recalls.advance(run.pk)
        raise Killed
    run.refresh_from_db()
    assert (run.recalled, run.finished_at) == (0, None)
    assert recalls.sweep(seconds=10) == 3


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_take_each_case_back_once():
    world = make_world(rules=CALM)
    for _ in range(12):
        world.submit(signals=SURE)
    ask(world)
    assert not failures(in_parallel([lambda: recalls.sweep(seconds=10)] * 4))
    assert CaseEvent.objects.filter(kind="case.recalled").count() == 12
    assert RecallRun.objects.get().recalled == 12


def test_one_recall_runs_per_tenant(world):
    world.submit(signals=SURE)
    ask(world)
    with pytest.raises(RecallRunning):
        ask(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        run = RecallRun.objects.get()
        run.pk = None
        RecallRun.objects.create(
            tenant=run.tenant, since=run.since, until=run.until, reason="x", asked_by=run.asked_by, found=0
        )


@pytest.mark.parametrize(
    ("options", "error"),
    [({"reason": " "}, ReasonMissing), ({"since": timedelta(hours=1)}, MomentInvalid)],
)
def test_a_recall_needs_a_reason_and_a_moment_in_the_past(world, options, error):
    if isinstance(options.get("since"), timedelta):
        options = {"since": db_now() + options["since"]}
    with pytest.raises(error):
        ask(world, **options)


def test_who_may_recall(world):
    since = db_now() - timedelta(hours=1)
    for actor in (world.reviewer, world.compliance, world.service, make_world("other").supervisor):
        with pytest.raises(Denied):
            recalls.preview(world.tenant, since=since, actor=actor)
        with pytest.raises(Denied):
            recalls.ask(world.tenant, since=since, reason="x", actor=actor)


def test_a_recall_touches_no_other_tenant(world):
    other = make_world("other", rules=CALM)
    theirs = other.submit(signals=SURE)
    world.submit(signals=SURE)
    ask(world)
    recalls.sweep(seconds=10)
    assert Case.objects.get(pk=theirs.pk).state == "auto_approved"


def test_a_stopped_tenant_can_be_recalled(world):
    case = world.submit(signals=SURE)
    switch.stop(switch.Scope(world.tenant), actor=world.supervisor, reason="odd")
    ask(world)
    recalls.sweep(seconds=10)
    assert Case.objects.get(pk=case.pk).state == "pending_review"
