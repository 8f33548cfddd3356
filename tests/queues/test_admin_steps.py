"""The steps of an SLA in the back office: edited beside it, shown on the entries that they were taken for."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models.people import system_actor
from queues.models import Entry, SlaPolicy, SlaStep
from queues.services.deadlines import sweep_deadlines
from tests.cases.test_admin_cases import empty_inline, form_of, sign_in
from tests.worlds import make_world

pytestmark = pytest.mark.django_db
SLAS = "/admin/queues/slapolicy/"


@pytest.fixture
def world(db):
    return make_world()


@pytest.fixture
def desk(world):
    return sign_in(world.supervisor)


def rows(*steps) -> dict[str, object]:
    data = {"steps-TOTAL_FORMS": len(steps), "steps-INITIAL_FORMS": 0}
    for number, (share, kind, again) in enumerate(steps):
        data |= {f"steps-{number}-share": share, f"steps-{number}-kind": kind, f"steps-{number}-again_every": again}
    return data


def test_a_new_policys_page_begins_with_the_standard_steps(world, desk):
    forms = desk.get(f"{SLAS}add/").context["inline_admin_formsets"][0].formset.forms
    assert [form.initial for form in forms] == [
        {"share": 50, "kind": "warn", "again_every": None},
        {"share": 80, "kind": "notify", "again_every": None},
        {"share": 100, "kind": "escalate", "again_every": 50},
    ]


def test_steps_are_saved_with_their_policy_and_their_person(world, desk):
    data = {"tenant": str(world.tenant.pk), "name": "Fast", "amount": 1, "unit": "hours", "reason": "new"}
    sent = data | rows((50, "warn", ""), (100, "escalate", 50))
    assert desk.post(f"{SLAS}add/", sent).status_code == 302
    policy = SlaPolicy.objects.get(name="Fast")
    assert [str(step) for step in policy.steps.all()] == ["50 %: warn who holds it", "100 %: escalate"]
    assert policy.steps.first().history.get().history_user_id == world.supervisor.pk
    assert "50 %: warn who holds it; 100 %: escalate" in desk.get(SLAS).content.decode()


@pytest.mark.parametrize("row", [(0, "warn", ""), (1001, "warn", ""), (50, "shout", ""), (50, "warn", 5)])
def test_a_step_that_cannot_be_meant_is_refused(world, desk, row):
    data = {"tenant": str(world.tenant.pk), "name": "Fast", "amount": 1, "unit": "hours", "reason": "new"}
    assert desk.post(f"{SLAS}add/", data | rows(row)).status_code == 200
    assert not SlaStep.objects.exists()


def test_changed_steps_are_looked_at_for_what_waits_already(world, desk):
    case = world.submit()
    url = f"{SLAS}{world.queue.sla_policy.pk}/change/"
    data = form_of(desk, url) | empty_inline("steps") | rows((1, "raise_priority", "")) | {"reason": "sooner"}
    assert desk.post(url, data).status_code == 302
    with pretend_now(db_now() + timedelta(minutes=5)):
        assert sweep_deadlines().steps == {"raise_priority": 1}
    assert Entry.objects.get(case=case).share_done == 1


def test_an_entrys_page_shows_the_steps_taken_and_the_next(world, desk):
    case = world.submit()
    page = f"/admin/queues/entry/{Entry.objects.get(case=case).pk}/change/"
    assert "None so far." in desk.get(page).content.decode()
    with pretend_now(db_now() + timedelta(hours=4, minutes=1)):
        sweep_deadlines()
    text = desk.get(page).content.decode()
    for words in ("50 %", "warn who holds it", "100 %", "Looked at next"):
        assert words in text
    outsider = sign_in(make_world("other").supervisor)
    assert outsider.get(page).status_code == 302


def test_an_outsider_changes_no_steps(world):
    SlaStep(policy=world.queue.sla_policy, share=50, kind="warn").save_as(system_actor())
    outsider = sign_in(make_world("other").supervisor)
    url = f"{SLAS}{world.queue.sla_policy.pk}/change/"
    assert outsider.post(url, rows((70, "warn", "")) | {"reason": "x"}).status_code in (302, 403)
    assert [step.share for step in SlaStep.objects.all()] == [50]
