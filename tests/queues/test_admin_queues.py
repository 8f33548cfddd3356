"""The queues' pages: setting queues up, seeing what waits, taking a case back."""

import pytest
from django.test import Client

from cases.models import User
from cases.models.people import system_actor
from cases.permissions import QUEUE_RIGHTS
from cases.services.people import role_group
from cases.vocabulary import Role
from queues.models import BusinessCalendar, Entry, Queue, Reviewer, ReviewerSkill, Skill
from queues.services.fitness import fitness_of
from queues.services.setup import QueueInvalid, create_queue, save_queue
from queues.services.staffing import with_staff
from tests.cases.test_admin_cases import empty_inline, form_of, sign_in
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db
QUEUES = "/admin/queues/queue/"


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


@pytest.fixture
def desk(world) -> Client:
    """A supervisor, signed in."""
    return sign_in(world.supervisor)


def new_queue(world: World, **fields) -> Queue:
    fields = {"slug": "billing", "name": "Billing", "sla_policy": world.queue.sla_policy} | fields
    return create_queue(world.tenant, actor=system_actor(), **fields)


def staff_of(queue: Queue) -> int:
    return with_staff(Queue.objects.filter(pk=queue.pk)).get().staff


# --- making queues --------------------------------------------------------------------------------------------------


def test_a_new_queue_opens_to_the_tenants_role_groups(world, desk):
    data = {"tenant": str(world.tenant.pk), "slug": "billing", "name": "Billing", "position": 1, "reason": "new team"}
    data |= {
        "sla_policy": str(world.queue.sla_policy.pk),
        "skill_level": 1,
        "required_reviews": 1,
        "domains": "billing",
    }
    assert desk.post(f"{QUEUES}add/", data).status_code == 302
    queue = Queue.objects.get(slug="billing")
    assert queue.domains == ["billing"]
    for role, rights in QUEUE_RIGHTS.items():
        group = role_group(world.tenant, role)
        held = queue.queuegrouppermission_set.filter(group=group).values_list("permission__codename", flat=True)
        assert set(held) == rights
    assert queue in fitness_of(world.reviewer).queues


def test_the_first_queue_is_the_fallback(world):
    assert new_queue(world).is_fallback is False
    other = make_world("other")
    assert other.queue.is_fallback


def test_a_new_fallback_takes_the_place_over(world):
    queue = new_queue(world, is_fallback=True)
    assert list(Queue.objects.filter(tenant=world.tenant, is_fallback=True)) == [queue]
    assert "billing is the fallback now" in Queue.objects.get(slug="general").history.first().history_change_reason


def test_the_fallback_is_moved_by_the_page_too(world, desk):
    queue = new_queue(world)
    url = f"{QUEUES}{queue.pk}/change/"
    assert desk.post(url, form_of(desk, url) | {"is_fallback": "on", "reason": "moved"}).status_code == 302
    assert Queue.objects.get(tenant=world.tenant, is_fallback=True) == queue


def test_a_tenant_keeps_a_fallback(world, desk):
    url = f"{QUEUES}{world.queue.pk}/change/"
    data = form_of(desk, url) | {"reason": "x"}
    del data["is_fallback"]
    assert "A tenant needs a fallback" in desk.post(url, data).content.decode()
    world.queue.is_fallback = False
    with pytest.raises(QueueInvalid):
        save_queue(world.queue, system_actor(), "x")


def test_a_queue_links_to_nothing_of_another_tenant(world):
    other = make_world("other")
    with pytest.raises(QueueInvalid):
        new_queue(world, sla_policy=other.queue.sla_policy)


def test_a_second_queue_of_the_same_slug_is_refused_in_words(world, desk):
    data = {"tenant": str(world.tenant.pk), "slug": "general", "name": "Again", "position": 1, "reason": "x"}
    data |= {"sla_policy": str(world.queue.sla_policy.pk), "skill_level": 1, "required_reviews": 1}
    response = desk.post(f"{QUEUES}add/", data)
    assert response.status_code == 200
    assert "queue_slugs_are_unique" in response.content.decode() or "already exists" in response.content.decode()


# --- people ---------------------------------------------------------------------------------------------------------


def test_a_queue_that_nobody_can_work_warns_on_its_page_and_on_the_list(world, desk):
    skill = Skill(tenant=world.tenant, code="law", name="Law")
    skill.save_as(system_actor(), "x")
    queue = new_queue(world, skill=skill, skill_level=2)
    assert "Nobody can work this queue" in desk.get(f"{QUEUES}{queue.pk}/change/").content.decode()
    assert "▲ nobody" in desk.get(QUEUES).content.decode()
    reviewer = Reviewer.objects.get(user=world.reviewer)
    held = ReviewerSkill(reviewer=reviewer, skill=skill, level=1)
    held.save_as(system_actor(), "x")
    assert staff_of(queue) == 0
    held.level = 2
    held.save_as(system_actor(), "trained")
    assert staff_of(queue) == 1
    assert "Nobody can work" not in desk.get(f"{QUEUES}{queue.pk}/change/").content.decode()


@pytest.mark.parametrize("fault", ["paused", "inactive", "left", "no role"])
def test_staff_are_those_whom_claiming_would_let_in(world, fault):
    queue, rita = world.queue, world.reviewer
    assert staff_of(queue) == 2
    match fault:
        case "paused":
            Reviewer.objects.filter(user=rita).update(is_paused=True)
        case "inactive":
            User.objects.filter(pk=rita.pk).update(is_active=False)
        case "left":
            rita.memberships.update(is_active=False)
        case "no role":
            rita.groups.clear()
    assert staff_of(queue) == 1
    fitness = fitness_of(User.objects.get(pk=rita.pk))
    assert fitness is None or not fitness.is_working or queue not in fitness.queues


def test_a_supervisor_gives_a_skill_to_a_reviewer(world, desk):
    skill = Skill(tenant=world.tenant, code="law", name="Law")
    skill.save_as(system_actor(), "x")
    reviewer = Reviewer.objects.get(user=world.reviewer)
    url = f"/admin/queues/reviewer/{reviewer.pk}/change/"
    data = form_of(desk, url) | empty_inline("skills") | {"reason": "trained", "languages": "en\r\nde"}
    data |= {"skills-TOTAL_FORMS": 1, "skills-0-skill": skill.pk, "skills-0-level": 3, "skills-0-reviewer": reviewer.pk}
    assert desk.post(url, data).status_code == 302
    reviewer.refresh_from_db()
    assert reviewer.languages == ["en", "de"]
    row = ReviewerSkill.objects.get(reviewer=reviewer)
    assert (row.level, row.history.get().history_user_id) == (3, world.supervisor.pk)


# --- what waits -----------------------------------------------------------------------------------------------------


def test_a_supervisor_takes_a_case_back(world, desk):
    world.submit(external_id="conv-1")
    entry = world.claim()
    page = f"/admin/queues/entry/{entry.pk}/"
    assert "Take back from Rita" in desk.get(f"{page}change/").content.decode()
    desk.post(f"{page}take-back/")
    assert Entry.objects.get().claimed_by is None


def test_a_reviewer_takes_nobodys_case_away(world):
    world.submit()
    entry = world.claim()
    client = sign_in(world.colleague)
    page = f"/admin/queues/entry/{entry.pk}/"
    assert "Take back" not in client.get(f"{page}change/").content.decode()
    assert client.post(f"{page}take-back/").status_code == 403
    assert Entry.objects.get().claimed_by == world.reviewer


def test_the_list_shows_who_holds_what(world, desk):
    world.submit(external_id="conv-1")
    world.submit(external_id="conv-2")
    world.claim()
    text = desk.get("/admin/queues/entry/").content.decode()
    assert "conv-1" in text and "Rita" in text
    for query in ("holder=somebody", "holder=nobody", "deadline=ahead", f"queue={world.queue.pk}"):
        assert desk.get(f"/admin/queues/entry/?{query}").context["cl"].result_count in (1, 2)
    assert desk.get("/admin/queues/entry/?deadline=over").context["cl"].result_count == 0


def test_a_calendars_week_is_written_as_people_write_it(world, desk):
    data = {"tenant": str(world.tenant.pk), "name": "Office", "time_zone": "Europe/Berlin", "reason": "x"}
    data |= {"day_0": "09:00-12:30, 13:00–17:00", "day_4": "9:00-12:00", "closed": "2027-12-24", "country": "DE"}
    url = "/admin/queues/businesscalendar/add/"
    assert desk.post(url, data | {"day_1": "nine to five"}).status_code == 200
    assert desk.post(url, data | {"day_4": "12:00-09:00"}).status_code == 200
    assert desk.post(url, data | {"day_4": "09:00-12:00"}).status_code == 302
    calendar = BusinessCalendar.objects.get()
    assert calendar.hours == {"0": [["09:00", "12:30"], ["13:00", "17:00"]], "4": [["09:00", "12:00"]]}
    text = desk.get(f"/admin/queues/businesscalendar/{calendar.pk}/change/").content.decode()
    assert "09:00-12:30, 13:00-17:00" in text


def test_an_approver_sees_queues_and_changes_none(world):
    client = sign_in(world.person("emil", Role.APPROVER))
    assert client.get(QUEUES).status_code == 200
    assert client.get(f"{QUEUES}{world.queue.pk}/change/").status_code == 200
    assert client.post(f"{QUEUES}{world.queue.pk}/change/", {"name": "Mine"}).status_code == 403
