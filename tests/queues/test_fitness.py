"""Fitness: what the one statement says is what guardian, asked queue by queue, would say."""

from itertools import product

import pytest
from django.db.models import Q
from guardian.shortcuts import assign_perm, get_objects_for_user, remove_perm

from cases.models import Membership, Tenant, User
from cases.models.people import system_actor
from cases.services.people import role_group
from cases.vocabulary import Role
from queues.models import Queue, Reviewer, ReviewerSkill, Skill
from queues.services.fitness import fitness_of, queues_of
from tests.worlds import make_world

RIGHTS = {
    "nobody": (),
    "the person": (("work_queue", "person"),),
    "their group": (("work_queue", "group"),),
    "both": (("work_queue", "person"), ("work_queue", "group")),
    "another group": (("work_queue", "other group"),),
    "who supervises only": (("supervise_queue", "person"), ("supervise_queue", "group")),
}


@pytest.fixture
def world(db):
    return make_world()


def by_guardian(user: User, reviewer: Reviewer) -> set:
    permitted = get_objects_for_user(
        user, "queues.work_queue", klass=Queue, accept_global_perms=False, with_superuser=False
    )
    skilled = Q(skill=None)
    for skill_id, level in reviewer.skills.values_list("skill_id", "level"):
        skilled |= Q(skill=skill_id, skill_level__lte=level)
    return set(permitted.filter(skilled, tenant=reviewer.tenant_id))


def make_queues(world, skill: Skill) -> None:
    """A queue for each way to have or lack a right on it, and for no skill and each level of one."""
    holders = {
        "person": world.reviewer,
        "group": role_group(world.tenant, Role.REVIEWER),
        "other group": role_group(world.tenant, Role.APPROVER),
    }
    for number, (rights, level) in enumerate(product(RIGHTS.values(), (None, 1, 2, 5))):
        queue = Queue(
            tenant=world.tenant,
            slug=f"queue-{number}",
            name=f"Queue {number}",
            sla_policy=world.queue.sla_policy,
            skill=skill if level else None,
            skill_level=level or 1,
        )
        queue.save_as(system_actor())
        for right, holder in rights:
            assign_perm(f"queues.{right}", holders[holder], queue)


@pytest.mark.parametrize("level", [None, 1, 2, 4, 5])
@pytest.mark.parametrize("is_superuser", [False, True])
def test_fitness_opens_the_queues_that_guardian_and_the_skills_open(world, level, is_superuser):
    skill, other = (Skill(tenant=world.tenant, code=code, name=code.title()) for code in ("refunds", "law"))
    skill.save_as(system_actor())
    other.save_as(system_actor())
    make_queues(world, skill)
    foreign = make_world("other")
    assign_perm("queues.work_queue", world.reviewer, foreign.queue)
    reviewer = Reviewer.objects.get(user=world.reviewer)
    ReviewerSkill(reviewer=reviewer, skill=other, level=5).save_as(system_actor())
    if level:
        ReviewerSkill(reviewer=reviewer, skill=skill, level=level).save_as(system_actor())
    User.objects.filter(pk=world.reviewer.pk).update(is_superuser=is_superuser)
    user = User.objects.get(pk=world.reviewer.pk)

    expected = by_guardian(user, reviewer)
    fitness = fitness_of(user)
    assert set(fitness.queues) == set(queues_of(user, reviewer)) == expected
    assert fitness.slugs == {queue.pk: queue.slug for queue in expected}
    assert len(expected) == 1 + 3 * (1 + sum(needed <= (level or 0) for needed in (1, 2, 5)))


def test_a_superuser_gets_no_queue_by_being_one(world):
    remove_perm("queues.work_queue", role_group(world.tenant, Role.REVIEWER), world.queue)
    User.objects.filter(pk=world.reviewer.pk).update(is_superuser=True)
    assert fitness_of(User.objects.get(pk=world.reviewer.pk)).queue_ids == []


@pytest.mark.parametrize("what", ["user", "membership", "tenant", "profile"])
def test_who_is_not_active_here_is_no_reviewer(world, what):
    if what == "user":
        User.objects.filter(pk=world.reviewer.pk).update(is_active=False)
    elif what == "membership":
        Membership.objects.filter(user=world.reviewer).update(is_active=False)
    elif what == "tenant":
        Tenant.objects.filter(pk=world.tenant.pk).update(is_active=False)
    else:
        Reviewer.objects.filter(user=world.reviewer).delete()
    assert fitness_of(world.reviewer) is None
    assert fitness_of(world.reviewer, world.tenant) is None


def test_a_reviewer_of_two_tenants_works_the_one_that_is_named_or_the_first(world):
    other = make_world("zeta")
    Membership(user=world.reviewer, tenant=other.tenant, roles=[]).save_as(system_actor())
    Reviewer(user=world.reviewer, tenant=other.tenant, languages=["de-AT"], capacity=7).save_as(system_actor())
    assert fitness_of(world.reviewer).reviewer.tenant == world.tenant
    there = fitness_of(world.reviewer, other.tenant)
    assert (there.reviewer.tenant, there.reviewer.capacity, there.languages) == (other.tenant, 7, ("de",))
    assert there.reviewer == Reviewer.objects.get(user=world.reviewer, tenant=other.tenant)
    assert fitness_of(world.colleague, other.tenant) is None


def test_fitness_counts_what_its_reviewer_holds_in_this_tenant(world):
    world.submit()
    assert fitness_of(world.reviewer).held == 0
    world.claim()
    assert (fitness_of(world.reviewer).held, fitness_of(world.colleague).held) == (1, 0)


def test_fitness_takes_one_query(world, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert fitness_of(world.reviewer).queue_ids == [world.queue.pk]


def test_queues_of_somebody_elses_profile_are_none(world):
    assert not queues_of(world.colleague, Reviewer.objects.get(user=world.reviewer)).exists()
