"""Who may do and see what: one question, asked of tenants, queues and cases."""

import pytest
from guardian.shortcuts import assign_perm

from cases.models import Case, Denial, Membership, Tenant, User
from cases.models.people import system_actor
from cases.permissions import (
    QUEUE_RIGHTS,
    TENANT_RIGHTS,
    Denied,
    allowed,
    fields_visible_to,
    require,
    tenants_of,
    visible_to,
)
from cases.services import members, people
from cases.services.audit import keep_denial
from cases.vocabulary import Role
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

ALL_RIGHTS = {codename for codename, _ in Tenant._meta.permissions}


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def other():
    return make_world("other")


@pytest.mark.parametrize("role", Role)
def test_a_role_gives_exactly_its_rights_in_its_own_tenant_and_none_in_another(world, other, role):
    user = world.service if role == Role.INTEGRATION else world.person("new", role)
    assert {right for right in ALL_RIGHTS if allowed(user, right, world.tenant)} == TENANT_RIGHTS[role]
    assert not any(allowed(user, right, other.tenant) for right in ALL_RIGHTS)
    queue_rights = {right for right in ("work_queue", "supervise_queue") if allowed(user, right, world.queue)}
    assert queue_rights == QUEUE_RIGHTS.get(role, frozenset())
    assert not allowed(user, "work_queue", other.queue)


def test_every_right_of_a_role_exists_and_every_right_is_held_by_some_role():
    given = frozenset().union(*TENANT_RIGHTS.values())
    assert given <= ALL_RIGHTS
    assert ALL_RIGHTS - given == set()


@pytest.mark.parametrize("ends", ["membership", "tenant", "account", "roles"])
def test_a_right_ends_with_the_membership_the_tenant_the_account_or_the_role(world, ends):
    user = world.reviewer
    match ends:
        case "membership":
            Membership.objects.filter(user=user).update(is_active=False)
        case "tenant":
            Tenant.objects.filter(pk=world.tenant.pk).update(is_active=False)
        case "account":
            user.is_active = False
            user.save()
        case "roles":
            people.assign_roles(user, world.tenant, [], actor=system_actor())
    user = User.objects.get(pk=user.pk)
    case = world.submit() if ends != "tenant" else None
    assert not allowed(user, "view_case", world.tenant)
    assert not allowed(user, "work_queue", world.queue)
    assert not visible_to(user).exists()
    assert case is None or allowed(world.colleague, "view_case", case.tenant)


def test_visible_to_agrees_with_require_for_everybody(world, other):
    for each in (world, other):
        each.submit()
        each.submit()
    nobody = User.objects.create_user("nobody")
    admin = User.objects.create_user("root", is_superuser=True)
    everybody = [
        user
        for each in (world, other)
        for user in (each.reviewer, each.colleague, each.supervisor, each.compliance, each.service)
    ]
    for user in [*everybody, nobody, admin, system_actor()]:
        permitted = {case.pk for case in Case.objects.all() if allowed(user, "view_case", case.tenant)}
        assert set(visible_to(user).values_list("pk", flat=True)) == permitted
        assert set(tenants_of(user)) == {t for t in Tenant.objects.all() if allowed(user, "view_case", t)}


def test_a_right_of_ones_own_counts_as_one_of_a_group_and_only_for_a_member(world, other):
    member, stranger = world.person("mia"), User.objects.create_user("stranger")
    for user in (member, stranger):
        assign_perm("cases.view_metrics", user, world.tenant)
        for right in ("view_metrics", "view_case"):
            permitted = {t for t in (world.tenant, other.tenant) if allowed(user, right, t)}
            assert set(tenants_of(user, right)) == permitted
    assert set(tenants_of(member, "view_metrics")) == {world.tenant}


def test_a_member_of_two_tenants_sees_each_case_once(world, other):
    people.assign_roles(world.reviewer, other.tenant, [Role.REVIEWER, Role.SUPERVISOR], actor=system_actor())
    cases = {world.submit().pk, other.submit().pk}
    assert sorted(visible_to(world.reviewer).values_list("pk", flat=True)) == sorted(cases)


def test_a_service_account_never_sees_a_challenge_or_a_probe(world):
    real, challenge = world.submit(), world.submit()
    Case.objects.filter(pk=challenge.pk).update(purpose=Case.Purpose.CHALLENGE)
    assert list(visible_to(world.service)) == [real]
    assert set(visible_to(world.reviewer)) == {real, challenge}


def test_customers_are_unmasked_and_tokens_returned_only_to_whom_they_concern(world, other):
    case = world.submit()
    expected = {
        world.reviewer: set(),
        world.supervisor: {"customer"},
        world.compliance: {"customer"},
        world.service: {"customer", "resume_token"},
        other.supervisor: set(),
    }
    for user, fields in expected.items():
        assert fields_visible_to(user, case) == fields


def test_the_system_may_everything_and_a_superuser_too(world):
    for actor in (system_actor(), User.objects.create_user("root", is_superuser=True)):
        require(actor, "change_policy", world.tenant)


def test_an_inactive_superuser_may_nothing(world):
    admin = User.objects.create_user("root", is_superuser=True, is_active=False)
    assert not allowed(admin, "view_case", world.tenant)


def test_a_denial_says_which_right_is_missing_and_is_kept(world):
    with pytest.raises(Denied) as refused:
        require(world.reviewer, "change_policy", world.tenant)
    assert "Change policies" in refused.value.message
    assert "Nothing was changed" in refused.value.message
    keep_denial(refused.value)
    kept = Denial.objects.get()
    assert (kept.actor, kept.tenant, kept.permission) == (world.reviewer, world.tenant, "change_policy")
    assert kept.subject == f"cases.tenant:{world.tenant.pk}"


def test_a_denial_at_a_queue_belongs_to_the_queues_tenant(world):
    with pytest.raises(Denied) as refused:
        require(world.compliance, "supervise_queue", world.queue)
    keep_denial(refused.value)
    assert Denial.objects.get().tenant == world.tenant


def test_a_denial_that_concerns_no_tenant_is_kept_as_well(world):
    keep_denial(Denied(world.supervisor, "stop_automation", None))
    kept = Denial.objects.get()
    assert (kept.tenant, kept.subject) == (None, "everything")


def test_nobody_changes_their_own_roles(world):
    admin = world.person("ada", Role.TENANT_ADMIN)
    with pytest.raises(members.OwnRoles):
        people.assign_roles(admin, world.tenant, [Role.TENANT_ADMIN, Role.REVIEWER], actor=admin)
    assert Membership.objects.get(user=admin).roles == ["tenant_admin"]


def test_roles_are_assigned_by_a_tenant_admin_of_this_tenant_only(world, other):
    stranger = other.person("eve", Role.TENANT_ADMIN)
    for actor in (stranger, world.supervisor, world.reviewer):
        with pytest.raises(Denied):
            people.assign_roles(world.colleague, world.tenant, [Role.SUPERVISOR], actor=actor)
    people.assign_roles(world.colleague, world.tenant, [Role.SUPERVISOR], actor=world.person("ada", Role.TENANT_ADMIN))
    assert {group.name for group in world.colleague.groups.all()} == {"acme:supervisor"}


def test_a_tenant_whose_slug_begins_like_anothers_shares_no_group(world):
    longer = make_world("acme-two")
    people.assign_roles(world.reviewer, world.tenant, [], actor=system_actor())
    assert longer.reviewer.groups.count() == 1
    assert not allowed(longer.reviewer, "view_case", world.tenant)


def test_a_token_is_issued_by_an_admin_or_for_oneself(world, other):
    assert people.issue_token(world.reviewer, actor=world.reviewer, tenant=world.tenant).startswith("cs_")
    for actor in (world.supervisor, other.person("eve", Role.TENANT_ADMIN)):
        with pytest.raises(Denied):
            people.issue_token(world.service, actor=actor, tenant=world.tenant)
    admin = world.person("ada", Role.TENANT_ADMIN)
    assert people.issue_token(world.service, actor=admin, tenant=world.tenant)
    with pytest.raises(people.NotYourToken):
        people.issue_token(world.reviewer, actor=admin, tenant=world.tenant)
