"""Which case a person is given next, and who is given none."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Membership, User
from cases.models.people import system_actor
from cases.services import people
from cases.vocabulary import Role, Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import NotFit, NotWaiting
from queues.models import Claim, Entry, Reviewer, ReviewerSkill, Skill
from queues.services import claims
from queues.services.claims import LEASE, claim, claim_next
from queues.services.setup import create_queue
from tests.queues.copies import multiply
from tests.worlds import make_world

ACCEPT = Submission(verdict=Verdict.ACCEPT)


@pytest.fixture
def world(db):
    return make_world()


def profile(user: User) -> Reviewer:
    return Reviewer.objects.get(user=user)


def change(user: User, **fields) -> None:
    Reviewer.objects.filter(user=user).update(**fields)


def test_ones_own_unfinished_case_comes_first(world):
    first, _ = world.submit(), world.submit(risk_level="critical")
    mine = claim(first, world.reviewer)
    assert claim_next(world.reviewer).pk == mine.pk
    assert Claim.objects.count() == 1


def test_the_second_reviewer_gets_the_next_case(world):
    cases = {world.submit().pk, world.submit().pk}
    assert {world.claim().case_id, world.claim(world.colleague).case_id} == cases


def test_higher_risk_goes_first_then_the_nearer_deadline(world):
    soon = (db_now() + timedelta(minutes=30)).isoformat()
    calm, near, risky = world.submit(), world.submit(sla_deadline=soon), world.submit(risk_level="critical")
    order = []
    while entry := claim_next(world.reviewer):
        order.append(entry.case_id)
        reviews.submit(
            entry.case_id,
            Submission(verdict=Verdict.REJECT, notes="no", no_evidence_applies=True),
            actor=world.reviewer,
            generation=entry.generation,
        )
    assert order == [risky.pk, near.pk, calm.pk]


@pytest.mark.parametrize("languages", [[], ["en", "de"]])
def test_the_most_urgent_of_all_queues_and_languages_goes_first(world, languages):
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    change(world.reviewer, languages=languages, capacity=50)
    start = db_now()
    for number in range(18):
        case = world.submit(language=("en", "de", None)[number % 3])
        due_at = start + timedelta(minutes=number * 7 % 5)
        queue = (world.queue, other)[number // 3 % 2]
        Entry.objects.filter(case=case).update(queue=queue, priority=number * 5 % 4, due_at=due_at)
    order = list(Entry.objects.by_urgency().values_list("pk", flat=True))
    fitness = claims.working(world.reviewer, world.tenant)
    taken = []
    while entry := claims._claim(fitness, world.reviewer):
        taken.append(entry.pk)
    assert taken == order


def test_a_claimed_entry_is_the_row_as_it_is_stored(world):
    world.submit()
    claimed, stored = world.claim(), Entry.objects.get()
    assert {name: getattr(claimed, name) for name in claims._FIELDS} == {
        name: getattr(stored, name) for name in claims._FIELDS
    }
    assert (claimed.claimed_by, claimed.queue) == (world.reviewer, world.queue)
    assert claimed.lease_expires_at - claimed.claimed_at == LEASE
    record = Claim.objects.get()
    assert (record.generation, record.claimed_at, record.user) == (
        claimed.generation,
        claimed.claimed_at,
        world.reviewer,
    )


def test_a_claim_is_of_the_databases_time_or_the_pretended_one(world):
    world.submit(), world.submit()
    before = db_now()
    assert before <= world.claim().claimed_at <= db_now()
    past = before - timedelta(days=3)
    with pretend_now(past):
        assert world.claim(world.colleague).claimed_at == past


def test_a_claim_takes_two_statements_and_no_more_with_many_waiting(world, django_assert_num_queries):
    world.submit()
    with django_assert_num_queries(2):
        assert claim_next(world.reviewer)
    multiply(world.submit(), 100)
    with django_assert_num_queries(2):
        assert claim_next(world.colleague)


def test_nobody_gets_more_than_they_may_hold(world):
    change(world.reviewer, capacity=1)
    first, second = world.submit(), world.submit()
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    Entry.objects.filter(case=second).update(queue=other)
    claim(first, world.reviewer)
    assert claim_next(world.reviewer, queue_slug="other") is None
    change(world.reviewer, capacity=2)
    assert claim_next(world.reviewer, queue_slug="other").case_id == second.pk


def test_nothing_waits_is_no_error(world):
    assert claim_next(world.reviewer) is None
    assert claim_next(world.reviewer, queue_slug="no-such-queue") is None


@pytest.mark.parametrize(
    ("languages", "case_language", "fits"),
    [
        ([], "de", True),
        (["en"], "en", True),
        (["en"], "en-US", True),
        (["en-GB"], "en-US", True),
        (["EN"], "en", True),
        (["de", "fr"], "en", False),
        (["de"], None, True),
        (["de"], "und-Latn", True),
    ],
)
def test_a_case_goes_to_somebody_who_reads_its_language(world, languages, case_language, fits):
    change(world.reviewer, languages=languages)
    case = world.submit(language=case_language)
    if fits:
        assert claim_next(world.reviewer).case_id == case.pk
    else:
        assert claim_next(world.reviewer) is None
        with pytest.raises(NotFit, match="language"):
            claim(case, world.reviewer)


@pytest.mark.parametrize(("level", "fits"), [(None, False), (1, False), (2, True), (3, True)])
def test_a_queue_that_demands_a_skill_goes_to_those_who_have_it_at_its_level(world, level, fits):
    skill = Skill(tenant=world.tenant, code="refunds", name="Refunds")
    skill.save_as(system_actor())
    world.queue.skill, world.queue.skill_level = skill, 2
    world.queue.save_as(system_actor(), "needs a skill")
    if level:
        ReviewerSkill(reviewer=profile(world.reviewer), skill=skill, level=level).save_as(system_actor())
    case = world.submit()
    assert (claim_next(world.reviewer) is not None) == fits
    if not fits:
        with pytest.raises(NotFit):
            claim(case, world.reviewer)


def test_who_holds_no_right_on_the_queue_gets_nothing_of_it(world):
    from guardian.shortcuts import remove_perm

    case = world.submit()
    remove_perm("queues.work_queue", people.role_group(world.tenant, Role.REVIEWER), world.queue)
    assert claim_next(world.reviewer) is None
    with pytest.raises(NotFit):
        claim(case, world.reviewer)


@pytest.mark.parametrize(("fields", "words"), [({"is_on_shift": False}, "off shift"), ({"is_paused": True}, "paused")])
def test_who_is_off_shift_or_paused_gets_nothing_and_keeps_what_they_hold(world, fields, words):
    held, _ = world.claim() if world.submit() else None, world.submit()
    change(world.reviewer, **fields)
    with pytest.raises(NotFit, match=words):
        claim_next(world.reviewer)
    review = reviews.submit(held.case_id, ACCEPT, actor=world.reviewer, generation=held.generation)
    assert review.verdict == "accept"


def test_who_is_excluded_from_a_case_never_gets_it(world):
    case = world.submit()
    Entry.objects.update(excluded=[world.reviewer.pk])
    assert claim_next(world.reviewer) is None
    with pytest.raises(NotFit):
        claim(case, world.reviewer)
    assert claim_next(world.colleague).case_id == case.pk


@pytest.mark.parametrize("who", ["supervisor", "compliance", "service", "outsider", "ended"])
def test_who_is_no_reviewer_here_takes_nothing(world, who):
    case = world.submit()
    if who == "ended":
        Membership.objects.filter(user=world.reviewer).update(is_active=False)
    user = {"outsider": make_world("other").reviewer, "ended": world.reviewer}.get(who) or getattr(world, who)
    with pytest.raises(NotFit):
        claim(case, user)
    if who != "outsider":
        with pytest.raises(NotFit):
            claim_next(user)
    with pytest.raises(NotFit):
        claim_next(user, tenant=world.tenant)
    assert not Claim.objects.exists()


def test_an_outsider_who_asks_for_the_next_case_gets_none_of_this_tenant(world):
    world.submit()
    assert claim_next(make_world("other").reviewer) is None


def test_a_case_that_is_paused_decided_or_unknown_does_not_wait(world):
    paused, decided = world.submit(), world.submit()
    for case, verdict in ((paused, Verdict.NEEDS_EDIT), (decided, Verdict.REJECT)):
        entry = claim(case, world.reviewer)
        submission = Submission(verdict=verdict, notes="reason")
        reviews.submit(case.pk, submission, actor=world.reviewer, generation=entry.generation)
        with pytest.raises(NotWaiting):
            claim(case, world.colleague)
    assert claim_next(world.colleague) is None
