"""The automation switch: a stop that has committed is final, and narrower rows only subtract."""

import threading
import time

import pytest
from django.db import connection, transaction

from cases.models import AutomationSwitch, Case, CaseEvent, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import switch
from cases.services.switch import ReasonMissing, Scope
from cases.vocabulary import Depth
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


def stop(world, scope: Scope, **options) -> None:
    switch.stop(scope, actor=system_actor(), reason="odd answers", **options)


@pytest.mark.django_db(transaction=True)
def test_no_automatic_approval_commits_after_a_stop_has_committed():
    world = make_world(rules=CALM)
    seen: dict[str, int] = {}
    running = threading.Event()

    def send() -> None:
        for number in range(12):
            world.submit(signals=SURE)
            if number == 2:
                running.set()

    def stop_in_the_middle() -> None:
        running.wait(30)
        with transaction.atomic():
            stop(world, Scope(world.tenant))
            # Under the exclusive lock: whoever held the shared one has committed, and everybody else waits for us.
            seen["automatic"] = Case.objects.filter(state="auto_approved").count()
            time.sleep(0.05)

    assert not failures(in_parallel([send] * 7 + [stop_in_the_middle]))
    automatic = Case.objects.filter(state="auto_approved").count()
    assert automatic == seen["automatic"]
    assert 3 <= automatic < 84
    stopped = Case.objects.filter(state="pending_review")
    assert stopped.count() == 84 - automatic
    assert all(
        triggers == ["automation_stopped"] for triggers in stopped.values_list("current_draft__triggers", flat=True)
    )
    stop_xid = int(CaseEvent.objects.get(kind=CaseEvent.Kind.AUTOMATION_STOPPED).xid)
    begun = {int(xid) for xid in CaseEvent.objects.filter(kind="case.auto_approved").values_list("xid", flat=True)}
    assert begun
    assert stop_xid not in begun


@pytest.mark.django_db(transaction=True)
def test_a_stop_waits_for_the_automatic_decisions_that_are_under_way():
    world = make_world(rules=CALM)
    asked, events = threading.Event(), []

    def decide() -> None:
        with transaction.atomic():
            world.submit(signals=SURE)
            asked.set()
            time.sleep(0.3)
            events.append("decision ends")

    def stop_now() -> None:
        asked.wait(30)
        stop(world, Scope(world.tenant))
        events.append("stop has committed")

    assert not failures(in_parallel([decide, stop_now]))
    assert events == ["decision ends", "stop has committed"]
    assert world.submit(signals=SURE).state == "pending_review"


@pytest.mark.parametrize(
    ("scope", "asked", "expected"),
    [
        ({}, {}, False),
        ({"tenant": True}, {}, False),
        ({"tenant": True, "domain": "billing"}, {"domain": "billing"}, False),
        ({"tenant": True, "domain": "billing"}, {"domain": "shipping"}, True),
        ({"tenant": True, "domain": "billing"}, {}, True),
        ({"tenant": True, "action": "issue_refund"}, {"domain": "billing", "action": "issue_refund"}, False),
        ({"tenant": True, "action": "issue_refund"}, {"domain": "billing"}, True),
        ({"domain": "billing"}, {"domain": "billing"}, False),
        ({"action": "issue_refund"}, {"action": "issue_refund"}, False),
        ({"tenant": True, "domain": "billing", "action": "a"}, {"domain": "billing", "action": "b"}, True),
        ({"tenant": True, "domain": "billing", "action": "a"}, {"domain": "billing", "action": "a"}, False),
    ],
)
def test_a_stopped_scope_stops_what_lies_in_it_and_nothing_else(world, scope, asked, expected):
    where = scope | ({"tenant": world.tenant} if scope.get("tenant") else {})
    stop(world, Scope(**where))
    assert switch.read(world.tenant, **asked).allowed is expected


def test_a_tenants_stop_leaves_another_tenant_alone(world):
    other = make_world("other", rules=CALM)
    stop(world, Scope(world.tenant))
    assert not switch.read(world.tenant).allowed
    assert switch.read(other.tenant).allowed


@pytest.mark.parametrize("wider", ["everywhere", "tenant"])
def test_a_narrower_row_that_is_on_never_lifts_a_wider_stop(world, wider):
    switch.resume(Scope(world.tenant, "billing"), actor=system_actor(), reason="billing is fine")
    switch.resume(Scope(world.tenant, "", "issue_refund"), actor=system_actor(), reason="refunds are fine")
    stop(world, Scope() if wider == "everywhere" else Scope(world.tenant))
    assert not switch.read(world.tenant, domain="billing", action="issue_refund").allowed


@pytest.mark.parametrize("missing", ["global", "tenant", "both"])
def test_a_missing_row_means_off_even_where_a_narrower_one_is_on(world, missing):
    switch.resume(Scope(world.tenant, "billing"), actor=system_actor(), reason="billing is fine")
    gone = AutomationSwitch.objects.filter(domain="", action="")
    if missing != "both":
        gone = gone.filter(tenant=None if missing == "global" else world.tenant)
    gone.delete()
    state = switch.read(world.tenant, domain="billing")
    assert not state.allowed
    assert state.why.startswith("automation was never switched on")


def test_stopping_decisions_leaves_dispatch_and_stopping_dispatch_stops_both(world):
    stop(world, Scope(world.tenant))
    assert not switch.read(world.tenant).allowed
    assert switch.read(world.tenant, depth=Depth.DISPATCH).allowed
    stop(world, Scope(world.tenant), depth=Depth.DISPATCH)
    assert not switch.read(world.tenant, depth=Depth.DISPATCH).allowed
    assert not switch.read(world.tenant).allowed


def test_a_resume_lets_automation_run_again(world):
    stop(world, Scope(world.tenant))
    assert world.submit(signals=SURE).state == "pending_review"
    switch.resume(Scope(world.tenant), actor=world.supervisor, reason="mended")
    assert world.submit(signals=SURE).state == "auto_approved"
    assert AutomationSwitch.objects.filter(tenant=world.tenant).count() == 1


def test_a_stop_is_told_to_everybody_with_its_scope_and_who_stopped(world):
    switch.stop(Scope(world.tenant, "billing"), actor=world.supervisor, reason="  odd answers  ")
    event = CaseEvent.objects.get(kind=CaseEvent.Kind.AUTOMATION_STOPPED)
    assert (event.tenant, event.case, event.actor) == (world.tenant, None, world.supervisor)
    assert event.data == {"domain": "billing", "action": "", "depth": "decisions"}
    row = AutomationSwitch.objects.get(domain="billing")
    assert (row.reason, row.changed_by) == ("odd answers", world.supervisor)


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_no_switch_moves_without_a_reason(world, reason):
    with pytest.raises(ReasonMissing):
        switch.stop(Scope(world.tenant), actor=world.supervisor, reason=reason)
    assert switch.read(world.tenant).allowed


def test_who_may_stop_and_who_may_resume(world):
    for actor, may_stop, may_resume in (
        (world.supervisor, True, True),
        (world.compliance, True, False),
        (world.reviewer, False, False),
        (world.service, False, False),
        (make_world("other").supervisor, False, False),
    ):
        for move, may in ((switch.stop, may_stop), (switch.resume, may_resume)):
            if may:
                move(Scope(world.tenant), actor=actor, reason="test")
            else:
                with pytest.raises(Denied):
                    move(Scope(world.tenant), actor=actor, reason="test")


def test_only_a_platform_admin_stops_everything_and_a_refusal_names_no_tenant(world):
    make_world("aardvark")
    with pytest.raises(Denied) as refused:
        switch.stop(Scope(), actor=world.supervisor, reason="test")
    assert "aardvark" not in refused.value.message.lower()
    assert refused.value.subject is None
    admin = User.objects.create_user("root", is_superuser=True)
    switch.stop(Scope(), actor=admin, reason="test")
    assert not switch.read(world.tenant).allowed


def test_a_read_in_a_transaction_holds_the_shared_lock_until_its_end(world):
    with transaction.atomic(), connection.cursor() as cursor:
        switch.read(world.tenant)
        cursor.execute(
            "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = %s",
            [switch.SWITCH_LOCK],
        )
        assert ("ShareLock",) in cursor.fetchall()
