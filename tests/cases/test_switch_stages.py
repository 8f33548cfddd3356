"""Back in stages and with a second person; and what cannot be read is off."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from cases.clock import db_now, pretend_now
from cases.models import AutomationSwitch, CaseEvent, ResumeRequest, User
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import judging, switch
from cases.services.switch import NotWaiting, OwnRequest, Scope
from cases.triage import Automation
from cases.vocabulary import Depth, Role, Stage
from cases.wire.intake import Intake, parse_intake
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
SYSTEM = {"actor": system_actor(), "reason": "test"}
State = ResumeRequest.State


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


@pytest.fixture
def strict(db):
    """A tenant in which two people resume."""
    return make_world(rules=CALM, resume_needs_two=True)


@pytest.fixture
def second(strict):
    return strict.person("sol", Role.SUPERVISOR)


# --- stages ---------------------------------------------------------------------------------------------------------


def test_a_tenth_lets_the_cases_with_the_lowest_lots_through_and_holds_the_others_back(world):
    switch.resume(Scope(world.tenant), stage=Stage.TENTH, **SYSTEM)
    passed = held = 0
    for number in range(40):
        case = world.submit(signals=SURE, external_id=f"case-{number}")
        lot = judging.lot_of(world.tenant, parse_intake({**_smallest(), "external_id": f"case-{number}"}))
        assert (case.state == "auto_approved") == (lot < 0.1), lot
        passed += case.state == "auto_approved"
        if case.state != "auto_approved":
            held += 1
            assert case.current_draft.triggers == ["automation_stopped"]
            assert "10 % of what would pass by itself does" in case.current_draft.reason
    assert passed and held > passed


def test_lots_are_even_stable_and_the_tenants_own(world):
    other = make_world("other")
    sent = [Intake({}, {"external_id": f"n-{number}"}) for number in range(2_000)]
    lots = [judging.lot_of(world.tenant, one) for one in sent]
    assert lots == [judging.lot_of(world.tenant, one) for one in sent]
    assert lots != [judging.lot_of(other.tenant, one) for one in sent]
    assert 0.07 < sum(lot < 0.1 for lot in lots) / 2_000 < 0.13
    assert 0.46 < sum(lot < 0.5 for lot in lots) / 2_000 < 0.54


def test_what_goes_to_people_anyway_does_not_say_that_automation_was_resuming(world):
    switch.resume(Scope(world.tenant), stage=Stage.TENTH, **SYSTEM)
    assert "automation_stopped" not in world.submit_full().current_draft.triggers


def test_the_less_is_let_through_the_more_of_it_people_look_at_afterwards(world):
    switch.resume(Scope(world.tenant), stage=Stage.HALF, **SYSTEM)
    state = switch.read(world.tenant)
    assert (state.allowed, state.share) == (True, 50)
    judged = judging.judge(world.tenant, [parse_intake(_smallest() | {"signals": SURE})], now=db_now())
    assert judged[0].result.sample_share == 0.5


@pytest.mark.parametrize(("wide", "narrow", "counts"), [(10, 50, 10), (100, 50, 50), (50, 100, 50)])
def test_of_several_stages_the_least_counts(world, wide, narrow, counts):
    switch.resume(Scope(world.tenant), stage=Stage(wide), **SYSTEM)
    switch.resume(Scope(world.tenant, "billing"), stage=Stage(narrow), **SYSTEM)
    assert switch.read(world.tenant, domain="billing").share == counts
    assert switch.read(world.tenant, domain="shipping").share == wide


def test_a_frozen_scope_thaws_for_people_first(world):
    switch.stop(Scope(world.tenant), depth=Depth.DISPATCH, **SYSTEM)
    switch.resume(Scope(world.tenant), stage=Stage.PEOPLE, **SYSTEM)
    assert switch.read(world.tenant, depth=Depth.DISPATCH).allowed
    assert not switch.read(world.tenant).allowed
    event = CaseEvent.objects.filter(tenant=world.tenant).latest("id")
    assert (event.kind, event.data["share"]) == ("automation.resumed", 0)


def test_a_stop_of_decisions_does_not_thaw_what_is_frozen(world):
    """Stopping is one person's right, and must not be a way round the second person who resumes."""
    switch.stop(Scope(world.tenant), depth=Depth.DISPATCH, **SYSTEM)
    switch.stop(Scope(world.tenant), depth=Depth.DECISIONS, actor=world.compliance, reason="once more")
    assert not switch.read(world.tenant, depth=Depth.DISPATCH).allowed


# --- two people -----------------------------------------------------------------------------------------------------


def test_one_person_asks_and_another_confirms(strict, second):
    switch.stop(Scope(strict.tenant), **SYSTEM)
    asked = switch.resume(Scope(strict.tenant), actor=strict.supervisor, reason="mended", stage=Stage.TENTH)
    assert asked.switch is None
    assert not switch.read(strict.tenant).allowed
    row = switch.confirm(asked.request.pk, actor=second)
    assert (row.share, row.reason, row.changed_by) == (10, "mended", second)
    asked.request.refresh_from_db()
    assert (asked.request.state, asked.request.answered_by) == (State.CONFIRMED, second)


def test_nobody_confirms_their_own_wish_not_even_by_asking_twice(strict, second):
    switch.stop(Scope(strict.tenant), **SYSTEM)
    asked = switch.resume(Scope(strict.tenant), actor=strict.supervisor, reason="mended").request
    with pytest.raises(OwnRequest):
        switch.confirm(asked.pk, actor=strict.supervisor)
    again = switch.resume(Scope(strict.tenant), actor=strict.supervisor, reason="really").request
    assert again.pk != asked.pk
    assert not switch.read(strict.tenant).allowed
    assert switch.resume(Scope(strict.tenant), actor=second, reason="yes").switch.is_enabled


def test_another_stage_of_a_second_person_is_another_wish(strict, second):
    switch.stop(Scope(strict.tenant), **SYSTEM)
    switch.resume(Scope(strict.tenant), actor=strict.supervisor, reason="a little", stage=Stage.TENTH)
    assert switch.resume(Scope(strict.tenant), actor=second, reason="all", stage=Stage.ALL).switch is None
    assert ResumeRequest.objects.filter(state=State.WAITING).get().asked_by == second


def test_every_stage_up_needs_two_and_a_stage_down_needs_one(strict, second):
    switch.resume(Scope(strict.tenant), stage=Stage.TENTH, **SYSTEM)
    assert switch.resume(Scope(strict.tenant), actor=second, reason="up", stage=Stage.HALF).request
    down = switch.resume(Scope(strict.tenant), actor=second, reason="down", stage=Stage.PEOPLE)
    assert not down.switch.is_enabled


@pytest.mark.parametrize("what", ["stop", "stop of everything", "a day", "refused"])
def test_a_wish_that_is_overtaken_cannot_be_confirmed(strict, second, what):
    switch.stop(Scope(strict.tenant), **SYSTEM)
    asked = switch.resume(Scope(strict.tenant, "billing"), actor=strict.supervisor, reason="mended").request
    later = db_now()
    match what:
        case "stop":
            switch.stop(Scope(strict.tenant), actor=strict.compliance, reason="worse than thought")
        case "stop of everything":
            switch.stop(Scope(), **SYSTEM)
        case "a day":
            later += timedelta(hours=25)
        case "refused":
            switch.refuse(asked.pk, actor=second)
    with pretend_now(later), pytest.raises(NotWaiting):
        switch.confirm(asked.pk, actor=second)


def test_an_outsider_neither_confirms_nor_refuses(strict):
    outsider = make_world("other").supervisor
    switch.stop(Scope(strict.tenant), **SYSTEM)
    asked = switch.resume(Scope(strict.tenant), actor=strict.supervisor, reason="mended").request
    for move in (switch.confirm, switch.refuse):
        with pytest.raises(Denied):
            move(asked.pk, actor=outsider)


def test_everything_resumes_with_two_platform_admins_where_the_installation_says_so(world, settings):
    settings.RESUME_EVERYWHERE_NEEDS_TWO = True
    olga, omar = (User.objects.create_user(name, is_superuser=True) for name in ("olga", "omar"))
    switch.stop(Scope(), actor=olga, reason="leak")
    assert switch.resume(Scope(), actor=olga, reason="mended").request
    assert not switch.read(world.tenant).allowed
    assert switch.resume(Scope(), actor=omar, reason="mended").switch.is_enabled


@pytest.mark.django_db(transaction=True)
def test_two_confirmations_at_once_move_the_switch_once():
    world = make_world(rules=CALM, resume_needs_two=True)
    others = [world.person(name, Role.SUPERVISOR) for name in ("ann", "bea", "cem")]
    switch.stop(Scope(world.tenant), **SYSTEM)
    asked = switch.resume(Scope(world.tenant), actor=world.supervisor, reason="mended").request
    results = in_parallel([lambda user=user: switch.confirm(asked.pk, actor=user) for user in others])
    assert len(failures(results)) == 2
    assert all(isinstance(error, NotWaiting) for error in failures(results))


# --- unreadable is off ------------------------------------------------------------------------------------------------


def test_a_table_that_cannot_be_read_sends_drafts_to_people_and_refuses_no_case(world):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE blind; GRANT ALL ON ALL TABLES IN SCHEMA public TO blind")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO blind")
        cursor.execute("REVOKE SELECT ON cases_automationswitch FROM blind; SET LOCAL ROLE blind")
        case = world.submit(signals=SURE)
        assert not switch.read(world.tenant, depth=Depth.DISPATCH).allowed
        cursor.execute("RESET ROLE; DROP OWNED BY blind; DROP ROLE blind")
    assert (case.state, case.current_draft.triggers) == ("pending_review", ["automation_stopped"])
    assert "the switch could not be read" in case.current_draft.reason


@pytest.mark.parametrize(
    "damage",
    ["share = 0", "share = 1000", "depth = 77", "share = NULL", "is_enabled = NULL"],
)
def test_a_row_that_makes_no_sense_is_off(world, damage):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE cases_automationswitch DROP CONSTRAINT switch_share_is_a_percentage")
        for column in ("share", "is_enabled"):
            cursor.execute(f"ALTER TABLE cases_automationswitch ALTER COLUMN {column} DROP NOT NULL")
        cursor.execute(f"UPDATE cases_automationswitch SET {damage} WHERE tenant_id IS NOT NULL")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert switch.read(world.tenant) == Automation(False, switch.UNREADABLE)
    assert world.submit(signals=SURE).state == "pending_review"


@pytest.mark.django_db(transaction=True)
def test_a_stop_that_hangs_holds_no_intake_for_long_and_lets_nothing_pass(monkeypatch):
    monkeypatch.setattr(switch, "LONGEST_WAIT", "100ms")
    world = make_world(rules=CALM)
    holding, done = threading.Event(), threading.Event()
    cases = []

    def hang() -> None:
        with transaction.atomic():
            switch.wait_for_automatic_decisions()
            holding.set()
            done.wait(30)

    def send() -> None:
        holding.wait(30)
        try:
            cases.append(world.submit(signals=SURE))
        finally:
            done.set()

    assert not failures(in_parallel([hang, send]))
    assert cases[0].state == "pending_review"
    assert "could not be read" in cases[0].current_draft.reason
    assert world.submit(signals=SURE).state == "auto_approved", "and afterwards it is read again"


def test_the_wait_for_the_lock_changes_no_other_wait_of_the_transaction(world):
    with transaction.atomic(), connection.cursor() as cursor:
        switch.read(world.tenant)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0"


def test_the_database_refuses_a_share_beyond_a_percentage(world):
    for share in (0, 101):
        with pytest.raises(DatabaseError), transaction.atomic():
            AutomationSwitch.objects.filter(tenant=world.tenant).update(share=share)


def _smallest() -> dict:
    return {"domain": "billing", "user_question": "?", "model_draft": "Yes."}
