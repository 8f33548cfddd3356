"""When people work, who stands in for them, and who may say so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from guardian.shortcuts import assign_perm

from cases.clock import db_now, pretend_now
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services.members import set_absence, stand_in_of
from cases.vocabulary import Role
from queues.errors import NotFit
from queues.models import BusinessCalendar, Queue, Reviewer, ReviewerSkill, Skill
from queues.services.claims import claim_next
from queues.services.people import save_reviewer, supervises
from queues.services.setup import create_queue
from queues.services.shifts import sweep_shifts
from queues.services.staffing import with_staff
from tests.worlds import make_world

MONDAY = datetime(2027, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def rita(world) -> Reviewer:
    return Reviewer.objects.get(user=world.reviewer)


def office(world, **fields) -> BusinessCalendar:
    calendar = BusinessCalendar(tenant=world.tenant, name="Office", **fields)
    calendar.save_as(system_actor(), "created")
    return calendar


def works(world, at: datetime) -> bool:
    with pretend_now(at):
        try:
            claim_next(world.reviewer)
        except NotFit:
            return False
        return True


@pytest.mark.parametrize(
    ("hour", "at_work"),
    [(8.99, False), (9, True), (16.99, True), (17, False), (24 * 5 + 10, False), (24 * 7 + 9, True)],
)
def test_cases_are_given_within_hours_only_to_the_minute(world, rita, hour, at_work):
    rita.calendar = office(world)
    with pretend_now(MONDAY + 6 * HOUR):
        save_reviewer(rita, actor=world.supervisor, reason="office hours")
    assert works(world, MONDAY + hour * HOUR) == at_work
    with pretend_now(MONDAY + hour * HOUR):
        sweep_shifts()
        assert with_staff(Queue.objects.all()).get().on_shift == 1 + at_work
    assert works(world, MONDAY + hour * HOUR) == at_work


def test_own_hours_stand_in_place_of_the_calendars_and_its_days_off_stay(world, rita):
    rita.calendar = office(world, closed=[MONDAY.date()])
    rita.own_hours = {"0": [["20:00", "22:00"]]}
    save_reviewer(rita, actor=world.supervisor, reason="evenings")
    assert not works(world, MONDAY + 21 * HOUR)
    assert works(world, MONDAY + timedelta(days=7, hours=21))
    assert not works(world, MONDAY + timedelta(days=7, hours=10))


def test_whoever_stays_longer_says_until_when(world, rita):
    rita.calendar, rita.works_until = office(world), MONDAY + 19 * HOUR
    save_reviewer(rita, actor=world.supervisor, reason="overtime")
    assert works(world, MONDAY + 18 * HOUR)
    assert not works(world, MONDAY + 19 * HOUR)
    rita.is_on_shift = False
    save_reviewer(rita, actor=world.supervisor, reason="went home")
    assert not works(world, MONDAY + 18 * HOUR)


def test_a_calendar_that_changes_is_seen_by_the_next_sweep(world, rita):
    rita.calendar = calendar = office(world)
    with pretend_now(MONDAY + 10 * HOUR):
        save_reviewer(rita, actor=world.supervisor, reason="office hours")
        calendar.hours = {"4": [["09:00", "17:00"]]}
        calendar.save_as(world.supervisor, "Fridays only")
        assert sweep_shifts() == 1
        assert sweep_shifts() == 0
    assert not works(world, MONDAY + 10 * HOUR)


def test_hours_leave_no_trace_in_the_history(world, rita):
    rita.calendar = office(world)
    save_reviewer(rita, actor=world.supervisor, reason="office hours")
    before = rita.history.count()
    with pretend_now(MONDAY):
        sweep_shifts()
    assert rita.history.count() == before


def test_nobody_who_is_away_is_given_a_case(world):
    world.submit()
    now = db_now()
    set_absence(world.reviewer, world.tenant, actor=world.reviewer, away_from=now + HOUR, away_until=now + 2 * HOUR)
    for hours, fits in ((1.5, False), (2, True), (0, True)):
        assert works(world, now + hours * HOUR) == fits
    with pretend_now(now + 1.5 * HOUR):
        assert stand_in_of(world.reviewer, world.tenant, db_now()) is None


# --- delegates -------------------------------------------------------------------------------------------------------


def absent(world, delegate, *, actor=None):
    return set_absence(
        world.supervisor, world.tenant, actor=actor or world.supervisor, away_from=db_now(), delegate=delegate
    )


def test_a_delegate_holds_at_least_the_same_rights(world):
    with pytest.raises(ValidationError, match="holds less authority"):
        absent(world, world.reviewer)
    deputy = world.person("dora", Role.SUPERVISOR, Role.COMPLIANCE)
    absent(world, deputy)
    assert stand_in_of(world.supervisor, world.tenant, db_now()) == deputy


def test_a_delegate_works_and_supervises_the_same_queues(world):
    tax = Skill(tenant=world.tenant, code="tax", name="Tax")
    tax.save_as(system_actor(), "created")
    sla = world.queue.sla_policy
    create_queue(world.tenant, actor=system_actor(), slug="tax", name="Tax cases", skill=tax, sla_policy=sla)
    ReviewerSkill(reviewer=Reviewer.objects.get(user=world.reviewer), skill=tax).save_as(system_actor(), "knows tax")

    def name(delegate):
        return set_absence(world.reviewer, world.tenant, actor=world.reviewer, away_from=db_now(), delegate=delegate)

    with pytest.raises(ValidationError, match="work “Tax cases”"):
        name(world.colleague)
    ReviewerSkill(reviewer=Reviewer.objects.get(user=world.colleague), skill=tax).save_as(system_actor(), "learnt it")
    name(world.colleague)


@pytest.mark.parametrize("who", ["outsider", "service", "ended", "away", "themselves"])
def test_nobody_stands_in_who_is_not_here(world, who):
    delegate = world.person("dora", Role.SUPERVISOR)
    match who:
        case "outsider":
            delegate = make_world("other").supervisor
        case "service":
            delegate = world.service
        case "ended":
            delegate.memberships.update(is_active=False)
        case "away":
            set_absence(delegate, world.tenant, actor=delegate, away_from=db_now() - HOUR)
        case "themselves":
            delegate = world.supervisor
    with pytest.raises(ValidationError):
        absent(world, delegate)


def test_everybody_says_it_of_themselves_and_of_others_who_may(world):
    for actor in (world.reviewer, world.compliance, world.service, make_world("other").supervisor):
        with pytest.raises(Denied):
            absent(world, None, actor=actor)
    absent(world, None, actor=world.person("ada", Role.TENANT_ADMIN))
    history = world.supervisor.memberships.get().history.latest("history_id")
    assert history.away_from is not None


def test_a_supervisor_changes_the_people_of_their_own_queues_only(world, rita):
    lead = world.person("lena", Role.SUPERVISOR)
    elsewhere = world.person("eli", Role.COMPLIANCE)
    other = create_queue(
        world.tenant, actor=system_actor(), slug="other", name="Other", sla_policy=world.queue.sla_policy
    )
    for right in ("supervise_queue",):
        assign_perm(f"queues.{right}", elsewhere, other)
    assert supervises(lead, rita)
    assert not supervises(world.compliance, rita)
    assert supervises(elsewhere, rita), "reviewers work every queue of this tenant"
    outsider = make_world("outer").supervisor
    assert not supervises(outsider, rita)
    for actor in (world.reviewer, world.compliance, elsewhere, outsider):
        with pytest.raises(Denied):
            save_reviewer(rita, actor=actor, reason="mine")
