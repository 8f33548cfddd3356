"""What every request asks as text and prepared: the same answers as the querysets, read from the tables each time."""

import pytest
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm
from knox.models import AuthToken

from approvals.models import ApprovalAuthority
from cases.models import AutomationSwitch, Membership, Tenant, User
from cases.models.people import system_actor
from cases.models.tenants import SANDBOX_ID
from cases.permissions import allowed, places_of, tenants_of
from cases.services import people, switch
from cases.services.switch import Scope
from cases.statements import columns, fetch, instance
from cases.vocabulary import Role
from tests.approvals.desks import make_desk
from tests.callers import Caller
from tests.worlds import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def prepared():
    """A connection on which everything that may be prepared is, at its first time."""
    connection.ensure_connection()
    before, connection.connection.prepare_threshold = connection.connection.prepare_threshold, 0
    yield
    connection.connection.prepare_threshold = before


def members_of(tenant: Tenant) -> QuerySet[Membership]:
    return Membership.objects.filter(tenant=tenant, is_active=True, tenant__is_active=True)


def names_of_prepared() -> list[str]:
    return [text for (text,) in fetch("SELECT statement FROM pg_prepared_statements", [])]


def test_the_places_of_an_actor_are_the_first_tenants_of_theirs_whoever_asks():
    world, other, closed = make_world(), make_world("other"), make_world("closed")
    member = world.reviewer
    for each in (other, closed):
        people.assign_roles(member, each.tenant, [Role.SUPERVISOR], actor=system_actor())
    Tenant.objects.filter(pk=closed.tenant.pk).update(is_active=False)
    left = world.person("lea")
    Membership.objects.filter(user=left).update(is_active=False)
    stranger = User.objects.create_user("stranger")
    sandbox = Tenant.with_sandbox.bulk_create([Tenant(pk=SANDBOX_ID, slug="a-sandbox", name="Sandbox")])[0]
    Membership.objects.bulk_create([Membership(user=member, tenant=sandbox)])
    assign_perm("cases.view_tenant", member, sandbox)
    assign_perm("cases.view_metrics", world.colleague, world.tenant)
    assign_perm("cases.view_metrics", stranger, world.tenant)
    closed_account = User.objects.create_user("gone", is_active=False)
    everybody = [
        member,
        left,
        stranger,
        closed_account,
        world.colleague,
        world.service,
        other.compliance,
        closed.service,
    ]
    everybody += [system_actor(), User.objects.create_user("root", is_superuser=True)]
    for user in everybody:
        for right in ("view_tenant", "view_automation", "view_metrics", "no_such_right"):
            expected = tenants_of(user, right)
            assert places_of(user, right) == list(expected[:2])
            for slug in (world.tenant.slug, other.tenant.slug, closed.tenant.slug, sandbox.slug, "nowhere", "'; --%s"):
                assert places_of(user, right, slug) == list(expected.filter(slug=slug))
    assert len(places_of(member, "view_tenant")) == 2


def test_a_row_that_a_statement_reads_is_whole():
    world = make_world(requests_per_minute=77)
    Caller(world.service, world.tenant)
    for model in (Tenant, User, AuthToken):
        expected = model.objects.order_by("pk")
        found = [
            instance(model, row) for row in fetch(f"SELECT {columns(model, 't')} FROM {model._meta.db_table} t", [])
        ]
        found = sorted((one for one in found if one.pk != SANDBOX_ID), key=lambda one: one.pk)
        values = [[getattr(one, field.attname) for field in model._meta.concrete_fields] for one in found]
        assert values == [list(row) for row in expected.values_list(*[f.attname for f in model._meta.concrete_fields])]
        assert not found[0]._state.adding


def test_what_is_prepared_still_reads_every_change(prepared):
    world = make_world()
    outsider = Caller(make_world("other").service, make_world("third").tenant)
    caller, key = Caller(world.service, world.tenant), {"tenant_id": world.tenant.slug}

    def answer(who=caller):
        response = who.get("automation/", **key)
        return response.json().get("ai_automation_enabled", response.status_code)

    assert answer() is True
    assert sum("cases_automationswitch" in text for text in names_of_prepared()) == 1
    assert answer(outsider) == 404
    switch.stop(Scope(world.tenant), actor=system_actor(), reason="odd answers")
    assert answer() is False
    AutomationSwitch.objects.all().delete()
    assert answer() is False
    switch.resume(Scope(), actor=system_actor(), reason="mended")
    switch.resume(Scope(world.tenant), actor=system_actor(), reason="mended")
    assert answer() is True
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_automationswitch RENAME TO gone")
        assert answer() is False
        cursor.execute("ALTER TABLE gone RENAME TO cases_automationswitch")
    assert answer() is True
    Membership.objects.filter(user=world.service).update(is_active=False)
    assert answer() == 404
    Membership.objects.filter(user=world.service).update(is_active=True)
    User.objects.filter(pk=world.service.pk).update(is_active=False)
    assert answer() == 401
    User.objects.filter(pk=world.service.pk).update(is_active=True)
    AuthToken.objects.filter(user=world.service).delete()
    assert answer() == 401


def test_nothing_is_prepared_where_it_must_not_be():
    connection.ensure_connection()
    assert connection.connection.prepare_threshold is None
    for _ in range(10):
        fetch("SELECT %s::int + 1", [1])
    assert not any("int + 1" in text for text in names_of_prepared())


def test_a_statement_is_counted_and_fails_as_every_query_does():
    with CaptureQueriesContext(connection) as queries:
        assert fetch("SELECT %s::text, %s::int", ["a'b", 7]) == [("a'b", 7)]
    assert len(queries) == 1
    with pytest.raises(DatabaseError):
        fetch("SELECT nonsense", [])


def test_a_right_is_held_as_guardian_knows_it_on_whatever_owns_rights(settings):
    settings.ACTION_EXECUTORS = {"till": "tests.approvals.till.Till"}
    world, other = make_desk().world, make_world("other")
    authority = ApprovalAuthority.objects.filter(tenant=world.tenant).first()
    stranger = User.objects.create_user("stranger")
    away = world.person("away", Role.SUPERVISOR)
    Membership.objects.filter(user=away).update(is_active=False)
    for user in (world.reviewer, stranger, away):
        assign_perm("queues.supervise_queue", user, world.queue)
        assign_perm("cases.export_data", user, world.tenant)
    assign_perm("approvals.exercise", world.colleague, authority)
    everybody = [world.reviewer, world.colleague, world.supervisor, world.service, other.supervisor, stranger, away]
    asked = {
        world.tenant: ("view_case", "export_data", "change_policy"),
        world.queue: ("work_queue", "supervise_queue"),
        authority: ("exercise",),
    }
    for closed in (False, True):
        Tenant.objects.filter(pk=world.tenant.pk).update(is_active=not closed)
        for user in everybody:
            for obj, rights in asked.items():
                for right in rights:
                    known = user.has_perm(f"{obj._meta.app_label}.{right}", obj)
                    expected = known and members_of(world.tenant).filter(user=user).exists()
                    assert allowed(User.objects.get(pk=user.pk), right, obj) is expected, (user, right)
                    assert not (closed and expected)


def test_a_right_costs_one_query(django_assert_num_queries):
    world = make_world()
    with django_assert_num_queries(1):
        assert allowed(world.reviewer, "work_queue", world.queue)
