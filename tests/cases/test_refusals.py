"""Denied attempts are kept, whoever says no: a service, a page, the API."""

import pytest
from django.urls import reverse

from cases.models import Denial, Policy
from tests.callers import Caller
from tests.journeys.test_admin_access import sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world("acme")


def test_a_page_that_a_role_does_not_open_is_kept_once_with_who_and_what(world):
    address = reverse("admin:cases_policy_add")
    assert sign_in(world.reviewer).get(address).status_code == 403
    denial = Denial.objects.get()
    assert (denial.actor, denial.tenant, denial.permission) == (world.reviewer, world.tenant, "page")
    assert denial.subject == f"GET {address}"
    assert denial.request_id


def test_a_denied_change_leaves_the_change_undone_and_the_denial_kept(world):
    change = reverse("admin:cases_policy_change", args=[world.policy.pk])
    assert sign_in(world.supervisor).post(change, {"auto_approve_above": "0.1", "reason": "x"}).status_code == 403
    assert Policy.objects.get().auto_approve_above == 0.95
    assert Denial.objects.filter(actor=world.supervisor).count() == 1


def test_the_apis_refusals_are_kept_as_well(world):
    case = world.submit()
    assert Caller(world.reviewer, world.tenant).post(f"cases/{case.wire_id}/withdraw/", {}).status_code == 403
    assert Denial.objects.get().permission == "withdraw_case"


def test_compliance_reads_the_refusals_of_its_own_tenant_only(world):
    other = make_world("other")
    for person in (world.reviewer, other.reviewer):
        sign_in(person).get(reverse("admin:cases_policy_add"))
    page = sign_in(world.compliance).get(reverse("admin:cases_denial_changelist")).content.decode()
    assert "Rita" in page
    assert page.count("GET /admin/cases/policy/add/") == 1


def test_whoever_is_not_signed_in_leaves_no_refusal(client, world):
    assert client.get(reverse("admin:cases_policy_add")).status_code == 302
    assert not Denial.objects.exists()
