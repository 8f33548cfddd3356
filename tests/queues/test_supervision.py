"""What supervisors do with the cases of their queues, and that nobody else does it."""

from collections import Counter

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from cases.clock import db_now
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.permissions import Denied, allowed
from cases.services.members import role_group, set_absence
from cases.vocabulary import Role
from queues.balance import Piece, Worker, plan
from queues.errors import StaleClaim, Unassignable
from queues.models import Claim, Entry, Queue, Reviewer
from queues.services.claims import claim, claim_next, heartbeat
from queues.services.floor import floor_of
from queues.services.setup import create_queue
from queues.services.supervision import give, hand_over, rebalance, supervised, take_back
from tests.worlds import make_world


@pytest.fixture
def world(db):
    return make_world()


def given(world, entry, to, **how):
    return give(entry.pk, actor=world.supervisor, to=to, reason="Knows the customer", **how)


def test_taking_back_says_who_did_it_and_why(world):
    case = world.submit()
    entry = world.claim()
    take_back(entry.pk, actor=world.supervisor, reason="Rita is ill")
    ended = Claim.objects.get()
    assert (ended.end, ended.ended_by) == (Claim.End.TAKEN, world.supervisor)
    event = case.events.select_related("note").get(kind=CaseEvent.Kind.TAKEN_BACK)
    assert (event.actor, event.note.text["note"]) == (world.supervisor, "Rita is ill")


def test_a_given_case_is_what_its_person_is_offered_next_and_nobody_else(world):
    calm, _ = world.submit(), world.submit(risk_level="critical")
    entry = claim(calm, world.reviewer)
    given(world, entry, world.colleague)
    with pytest.raises(StaleClaim):
        heartbeat(calm.pk, world.reviewer, entry.generation)
    assert claim_next(world.reviewer).case_id != calm.pk
    assert claim_next(world.colleague).case_id == calm.pk


@pytest.mark.parametrize("why", ["skill", "language", "conflict", "off shift", "no reviewer", "outsider", "on hold"])
def test_a_case_is_given_to_nobody_who_may_not_have_it_or_does_not_work(world, why):
    world.submit()
    entry, to = Entry.objects.get(), world.colleague
    profile = Reviewer.objects.filter(user=to)
    match why:
        case "skill":
            remove_perm("queues.work_queue", role_group(world.tenant, Role.REVIEWER), world.queue)
        case "language":
            profile.update(languages=["de"])
        case "conflict":
            Entry.objects.update(excluded=[to.pk])
        case "off shift":
            profile.update(is_on_shift=False)
        case "no reviewer":
            to = world.compliance
        case "outsider":
            to = make_world("other").reviewer
        case "on hold":
            Entry.objects.update(paused_at=db_now())
    with pytest.raises(Unassignable):
        given(world, entry, to)
    assert Entry.objects.get().kept_for is None


def test_a_case_given_to_somebody_who_is_away_goes_to_their_delegate(world):
    deputy = world.person("dora", Role.REVIEWER, reviews=True)
    set_absence(world.colleague, world.tenant, actor=system_actor(), away_from=db_now(), delegate=deputy)
    world.submit()
    assert given(world, Entry.objects.get(), world.colleague) == deputy


def test_only_the_supervisors_of_a_queue_move_its_cases(world):
    world.submit()
    entry = world.claim()
    elsewhere = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    lead = world.person("lena", Role.REVIEWER, reviews=True)
    assign_perm("queues.supervise_queue", lead, elsewhere)
    for actor in (world.reviewer, world.compliance, world.service, lead, make_world("outer").supervisor):
        for do in (
            lambda actor=actor: take_back(entry.pk, actor=actor),
            lambda actor=actor: give(entry.pk, actor=actor, to=world.colleague, reason="r"),
            lambda actor=actor: rebalance(world.queue.pk, actor=actor, reason="r"),
        ):
            with pytest.raises(Denied):
                do()
        assert hand_over(world.reviewer, actor=actor, reason="r").total == 0
    assert Entry.objects.get().claimed_by == world.reviewer


def test_the_supervised_queues_are_those_that_the_permission_allows(world):
    make_world("outer")
    for user in (world.supervisor, world.reviewer, world.compliance, world.service):
        allowed_here = {queue.pk for queue in Queue.objects.all() if allowed(user, "supervise_queue", queue)}
        assert {queue.pk for queue in supervised(user)} == allowed_here


def test_handing_over_moves_what_can_move_and_says_what_stays(world):
    for language in ("en", "fr", "en"):
        world.submit(language=language)
    Reviewer.objects.filter(user=world.colleague).update(languages=["en"])
    for entry in Entry.objects.all():
        claim(entry.case, world.reviewer)
    moves = hand_over(world.reviewer, actor=world.supervisor, to=world.colleague, reason="Rita is ill")
    assert moves.moved == {world.colleague: 2}
    assert len(moves.refused) == 1 and "does not read fr" in moves.refused[0]
    assert hand_over(world.reviewer, actor=world.supervisor, reason="Rita is ill").total == 1
    assert not Entry.objects.held().exists()


def test_a_rebalanced_queue_leaves_nobody_idle_beside_somebody_who_is_full(world):
    third = world.person("tess", Role.REVIEWER, reviews=True)
    for _ in range(4):
        world.submit()
    Reviewer.objects.filter(user=world.reviewer).update(capacity=4)
    for entry in Entry.objects.all():
        claim(entry.case, world.reviewer)
    moves = rebalance(world.queue.pk, actor=world.supervisor, reason="Morning")
    assert moves.total == 2
    kept = Counter(Entry.objects.exclude(kept_for=None).values_list("kept_for", flat=True))
    assert kept == {world.colleague.pk: 1, third.pk: 1}


def test_rebalancing_takes_from_who_is_not_at_work(world):
    world.submit()
    world.claim()
    Reviewer.objects.filter(user=world.reviewer).update(is_on_shift=False)
    rebalance(world.queue.pk, actor=world.supervisor, reason="Rita went home")
    assert Entry.objects.get().kept_for == world.colleague


@pytest.mark.parametrize("count", [1, 9])
def test_the_floor_takes_the_same_queries_however_much_is_held(world, count, django_assert_num_queries):
    for _ in range(count):
        world.submit()
    Reviewer.objects.update(capacity=20)
    for entry in Entry.objects.all():
        claim(entry.case, world.reviewer)
    with django_assert_num_queries(7):
        floor = floor_of(world.supervisor)
    assert {str(person.reviewer.user): len(person.has) for person in floor.people} == {"Rita": count, "Carl": 0}
    assert floor_of(make_world("outer").supervisor).people[0].has == []


EVERYBODY = frozenset("abc")


@pytest.mark.parametrize(
    ("people", "pieces", "moves"),
    [
        ({}, [("1", None, EVERYBODY)], {}),
        ({"a": (3, 0)}, [("1", None, EVERYBODY)], {"1": "a"}),
        ({"a": (1, 1)}, [("1", None, EVERYBODY)], {}),
        ({"a": (3, 0)}, [("1", "gone", EVERYBODY)], {"1": "a"}),
        ({"a": (3, 0)}, [("1", "gone", frozenset("b"))], {}),
        ({"a": (3, 2), "b": (3, 1)}, [("1", "a", EVERYBODY), ("2", "a", EVERYBODY)], {}),
        ({"a": (3, 3), "b": (3, 0)}, [(n, "a", EVERYBODY) for n in "123"], {"3": "b"}),
        ({"a": (1, 3), "b": (3, 0)}, [(n, "a", EVERYBODY) for n in "123"], {"3": "b", "2": "b"}),
        ({"a": (2, 0), "b": (2, 0)}, [(n, None, EVERYBODY) for n in "12345"], {"1": "b", "2": "a", "3": "b", "4": "a"}),
    ],
)
def test_a_plan_moves_what_it_must_and_fills_nobody_past_capacity(people, pieces, moves):
    workers = [Worker(name, capacity, load) for name, (capacity, load) in people.items()]
    assert dict(plan(workers, [Piece(*piece) for piece in pieces])) == moves
