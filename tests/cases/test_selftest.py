"""The switch tests itself where nobody sees it, and says so when it fails."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import AutomationSwitch, Case, CaseEvent, Policy, SelfTest, Tenant, User
from cases.models.people import system_actor
from cases.models.tenants import SANDBOX_ID
from cases.permissions import visible_to
from cases.services import judging, policies, selftest, switch
from queues.models import Entry
from tests.worlds import SURE, make_world

pytestmark = pytest.mark.django_db
SYSTEM = {"actor": system_actor(), "reason": "test"}


@pytest.fixture
def world():
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


def test_a_probe_passes_and_after_the_stop_one_goes_to_people(world):
    found = selftest.run()
    assert found.passed, found.finding
    assert found.finding == "A probe passed by itself, and after the stop one went to people."
    states = Case.objects.filter(tenant=SANDBOX_ID).order_by("pk").values_list("state", "purpose")
    assert list(states) == [("auto_approved", "probe"), ("pending_review", "probe")]
    assert 0 < found.stop_seconds < found.seconds
    assert selftest.run().passed, "and again, from where the last one ended"


def test_real_tenants_are_not_disturbed(world):
    before = list(AutomationSwitch.objects.exclude(tenant=SANDBOX_ID).order_by("pk").values())
    selftest.run()
    assert list(AutomationSwitch.objects.exclude(tenant=SANDBOX_ID).order_by("pk").values()) == before
    assert world.submit(signals=SURE).state == "auto_approved"
    assert not CaseEvent.objects.filter(tenant=world.tenant, kind__startswith="automation.stopped").exists()


def test_probes_wait_in_no_queue_and_are_seen_by_nobody(world):
    selftest.run()
    assert not Entry.objects.filter(tenant=SANDBOX_ID).exists()
    olga = User(username="olga", is_superuser=True, is_staff=True)
    olga.save()
    assert not visible_to(olga).filter(tenant=SANDBOX_ID).exists()
    assert not Tenant.objects.filter(pk=SANDBOX_ID).exists()
    client = Client()
    client.force_login(olga, backend="django.contrib.auth.backends.ModelBackend")
    pages = ["admin:index", "admin:cases_case_changelist", "admin:cases_automationswitch_changelist"]
    pages += ["admin:cases_policy_changelist", "admin:cases_tenant_changelist"]
    for page in pages:
        text = client.get(reverse(page)).content.decode()
        assert "probe-" not in text and "Does a stop stop" not in text and "self-test:" not in text, page
        assert "<aside" not in text, page


@pytest.mark.parametrize("how", ["stopped", "never on", "a tenth"])
def test_while_everything_is_off_it_proves_what_it_can(world, how):
    match how:
        case "stopped":
            switch.stop(switch.Scope(), **SYSTEM)
        case "never on":
            AutomationSwitch.objects.filter(tenant=None).delete()
        case "a tenth":
            switch.resume(switch.Scope(), stage=10, **SYSTEM)
    assert selftest.run().passed


def test_a_switch_that_is_not_asked_turns_the_health_page_red(world, monkeypatch):
    """Somebody breaks the reading: the way a change of the code would."""
    monkeypatch.setattr(
        judging.switch, "switches_of", lambda tenant: switch.Switches(tenant, ((None, "", "", True, 1, 100, ""),) * 1)
    )
    monkeypatch.setattr(
        switch.Switches, "automation", lambda self, **asked: switch.Automation(True, "automation is on")
    )
    found = selftest.run()
    assert (found.passed, found.finding) == (
        False,
        "a probe was approved automatically although automation was stopped",
    )
    answer = Client().get("/health/")
    assert answer.status_code == 503
    assert any("failed its self-test" in line for line in answer.json()["problems"])


def test_a_test_that_cannot_prove_anything_fails(world):
    selftest.run()
    policy = Policy.objects.get(tenant=SANDBOX_ID)
    policy.high_stakes_domains = ["self-test"]
    policies.publish(policy, actor=system_actor(), reason="broken by hand")
    found = selftest.run()
    assert not found.passed
    assert "for another reason: high_stakes" in found.finding


def test_health_is_red_when_nobody_tests_and_green_where_automation_was_never_on():
    assert selftest.problem(db_now()) is None
    make_world()
    now = db_now()
    assert selftest.problem(now) is None
    assert "has not tested itself lately" in selftest.problem(now + timedelta(minutes=20))
    selftest.run()
    assert selftest.problem(db_now()) is None
    assert "has not tested itself lately" in selftest.problem(db_now() + timedelta(minutes=20))


def test_it_runs_when_due_and_sooner_after_a_failure(world):
    assert selftest.run_if_due().passed
    assert selftest.run_if_due() is None
    now = db_now()
    with pretend_now(now + timedelta(minutes=11)):
        assert selftest.run_if_due().passed
    SelfTest.objects.create(at=now + timedelta(minutes=11), passed=False, finding="x", seconds=1)
    with pretend_now(now + timedelta(minutes=13)):
        assert selftest.run_if_due().passed
