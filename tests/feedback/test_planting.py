"""Planting: who is drawn, how a challenge comes in, and that nobody but those concerned hears of it."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, CustomerNoticeSettings, Delivery, Release, WebhookEndpoint
from cases.models.people import system_actor
from cases.services import intake, policies
from cases.signing import new_secret
from cases.wire.intake import parse_intake
from feedback.models import ChallengePlan, PlantedChallenge
from feedback.services import challenge_results, planting
from queues.models import Entry, Reviewer
from queues.services import claims
from queues.services.health import queue_health
from tests.callers import Caller
from tests.feedback.challenging import decide, gold, plant, policy, real_cases
from tests.threads import failures, in_parallel
from tests.worlds import SURE, World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db) -> World:
    return make_world("acme")


def drawn(world: World, lot: float = 0.0) -> ChallengePlan | None:
    case = world.submit()
    decide(world, case)
    ChallengePlan.objects.all().delete()
    return planting.draw(case, world.reviewer, now=db_now(), lot=lot)


def test_the_lot_decides(world):
    policy(world, base_rate=0.1)
    assert drawn(world, lot=0.09) is not None
    assert drawn(world, lot=0.11) is None


def test_nobody_is_drawn_where_no_policy_says_so(world):
    assert drawn(world) is None
    policy(world, is_on=False)
    assert drawn(world) is None


def test_a_queues_own_policy_comes_before_the_tenants(world):
    policy(world, base_rate=0.5)
    policy(world, queue=world.queue, base_rate=0.0, rate_after_quiet=0.0, rate_after_miss=0.0)
    assert drawn(world) is None


def test_every_decision_of_a_real_case_draws_and_one_plan_waits_for_a_person(world, monkeypatch):
    policy(world)
    monkeypatch.setattr(planting.secrets, "randbelow", lambda _: 0)
    for _ in range(3):
        decide(world, world.submit())
    plan = ChallengePlan.objects.get()
    assert plan.person == world.reviewer and plan.domain == "billing"
    low, high = planting.DELAYS
    assert timedelta(seconds=low - 5) < plan.due_at - db_now() <= timedelta(seconds=high)


def test_two_decisions_at_the_same_instant_plan_one(transactional_db):
    world = make_world("acme")
    policy(world)
    case = world.submit()
    decide(world, case)
    now = db_now()
    results = in_parallel([lambda: planting.draw(case, world.reviewer, now=now, lot=0.0)] * 4)
    assert not failures(results)
    assert ChallengePlan.objects.count() == 1


def test_a_plan_comes_in_like_any_other_case_and_is_offered_to_its_person_alone(world):
    real_cases(world)
    challenge = gold(world)
    plan = ChallengePlan(tenant=world.tenant, person=world.reviewer, domain="billing", due_at=db_now())
    plan.save(force_insert=True)
    before = db_now()
    assert planting.open_due(within=timedelta(0)) == 1
    planted = PlantedChallenge.objects.select_related("case").get()
    case = planted.case
    assert planted.challenge == challenge and not ChallengePlan.objects.exists()
    assert before <= case.opened_at <= db_now() and case.purpose == "challenge"
    assert case.caller == world.service and case.external_id.startswith("conv-88")
    assert "[[" not in str(case.content.body) and "[[" not in str(planted.expected)
    assert [event.kind for event in case.events.all()] == ["case.opened"]
    assert world.colleague.pk in Entry.objects.get(case=case).passed_by
    held = {world.claim(world.colleague).case_id for _ in range(1)}
    assert case.pk not in held


def test_it_waits_in_the_order_of_its_queue(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    later = world.submit()
    order = []
    for _ in range(5):
        entry = world.claim()
        order.append(entry.case_id)
        decide(world, entry.case)
    assert order.index(planted.case_id) == 3 and order.index(later.pk) == 4


def test_who_takes_it_before_its_person_has_it(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    assert claims.claim(planted.case, world.colleague).case_id == planted.case_id


def test_nobody_has_the_same_challenge_twice(world):
    real_cases(world)
    gold(world)
    plant(world)
    again = planting.plant(world.reviewer, world.tenant, "billing", planting.fitness_of(world.reviewer, world.tenant))
    assert again is None
    assert plant(world, world.colleague).challenge.title == "Sixty days"


def test_two_variants_of_one_challenge_share_no_name_and_no_id(world):
    real_cases(world)
    gold(world)
    one, other = plant(world).case, plant(world, world.colleague).case
    assert one.content.body["user_question"] != other.content.body["user_question"]
    assert one.external_id != other.external_id


@pytest.mark.parametrize("why", ["too few real cases", "off shift", "no reviewer", "another domain"])
def test_nothing_is_planted_where_it_would_stand_out_or_nobody_would_get_it(world, why):
    real_cases(world, planting.FEW_DONORS - (why == "too few real cases"))
    gold(world)
    if why == "off shift":
        Reviewer.objects.filter(user=world.reviewer).update(is_on_shift=False)
    person = world.supervisor if why == "no reviewer" else world.reviewer
    domain = "shipping" if why == "another domain" else "billing"
    ChallengePlan(tenant=world.tenant, person=person, domain=domain, due_at=db_now()).save(force_insert=True)
    assert planting.open_due(within=timedelta(0)) == 0
    assert not ChallengePlan.objects.exists() and not Case.objects.exclude(purpose="real").exists()


def test_a_variant_that_would_pass_by_itself_leaves_no_trace(world):
    world.policy.auto_approve_above = 0.5
    world.policy.quick_review_from = 0.3
    world.policy.new_release_threshold = None
    real_cases(world)
    policies.publish(world.policy, actor=system_actor(), reason="looser")
    gold(world)
    before = Case.objects.count(), CaseEvent.objects.count()
    fitness = planting.fitness_of(world.reviewer, world.tenant)
    assert planting.plant(world.reviewer, world.tenant, "billing", fitness) is None
    assert (Case.objects.count(), CaseEvent.objects.count()) == before


def test_callers_never_hear_of_it(world):
    endpoint = WebhookEndpoint(tenant=world.tenant, url="https://acme.example/hook", secret=new_secret())
    endpoint.save_as(system_actor(), "created")
    real_cases(world)
    gold(world)
    sent = Delivery.objects.count()
    planted = plant(world)
    decide(world, planted.case)
    assert Delivery.objects.count() == sent
    caller = Caller(world.service, world.tenant)
    for path in ("", "timeline/"):
        assert caller.get(f"cases/{planted.case.wire_id}/{path}").status_code == 404
    assert caller.post(f"cases/{planted.case.wire_id}/withdraw/", {}).status_code == 404
    listed = [case["case_id"] for case in caller.get("cases/").json()["results"]]
    assert planted.case.wire_id not in listed and len(listed) == planting.FEW_DONORS


def test_an_outsider_gets_the_answer_for_a_case_that_is_not_there(world):
    outsider = make_world("other")
    real_cases(world)
    gold(world)
    planted = plant(world)
    caller = Caller(outsider.supervisor, outsider.tenant)
    assert caller.get(f"cases/{planted.case.wire_id}/").status_code == 404


def test_a_caller_that_uses_a_made_up_external_id_in_earnest_gets_its_case(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    name = planted.case.external_id
    body = {"domain": "billing", "user_question": "Refund?", "external_id": name}
    receipt = intake.submit(parse_intake(body), actor=world.service, tenant=world.tenant)
    assert receipt.is_new and receipt.case.external_id == name
    assert Case.objects.get(pk=planted.pk).external_id == ""
    again = intake.submit(parse_intake(body), actor=world.service, tenant=world.tenant)
    assert again.case == receipt.case


def test_machines_do_not_count_it_and_people_count_what_they_see(world):
    real_cases(world)
    gold(world)
    plant(world)
    tenants = type(world.tenant).objects.filter(pk=world.tenant.pk)
    assert queue_health(tenants)[0]["waiting"] == planting.FEW_DONORS
    (seen,) = Caller(world.reviewer, world.tenant).get("queues/").json()["results"]
    (told,) = Caller(world.service, world.tenant).get("queues/").json()["results"]
    assert (seen["waiting"], told["waiting"]) == (planting.FEW_DONORS + 1, planting.FEW_DONORS)


def test_it_counts_no_review_for_the_release_whose_name_it_bears(world):
    real_cases(world, release={"model": "m", "version": "1"})
    gold(world)
    planted = plant(world)
    assert planted.case.current_draft.release.version == "1"
    decide(world, planted.case)
    assert Release.objects.get(version="1").reviews == 0


def test_where_customers_are_written_to_its_customer_has_no_address(world):
    CustomerNoticeSettings(tenant=world.tenant, is_on=True).save_as(system_actor(), "created")
    real_cases(world, customer={"reference": "cust_981", "email": "anna@example.com"})
    gold(world)
    customer = plant(world).case.content.body["customer"]
    assert set(customer) == {"reference"} and customer["reference"] != "cust_981"


def test_what_nobody_met_in_time_is_withdrawn_by_its_caller(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    assert challenge_results.retire() == 0
    with pretend_now(db_now() + timedelta(hours=3.5)):
        assert challenge_results.retire() == 1
    case = Case.objects.get(pk=planted.pk)
    event = case.events.get(kind="case.withdrawn")
    assert case.state == "withdrawn" and event.actor == world.service


def test_colleagues_are_offered_what_its_person_cannot_take(world):
    real_cases(world)
    gold(world)
    planted = plant(world)
    challenge_results.retire()
    assert Entry.objects.get(case=planted.case).passed_by
    Reviewer.objects.filter(user=world.reviewer).update(is_on_shift=False)
    challenge_results.retire()
    assert Entry.objects.get(case=planted.case).passed_by == []


def test_a_draft_that_will_never_come_ends_in_a_withdrawal(world):
    real_cases(world)
    gold(world, right_verdicts=["needs_edit"])
    planted = plant(world)
    decide(world, planted.case, "needs_edit")
    with pretend_now(db_now() + timedelta(minutes=1)):
        assert challenge_results.judge_due() == 1
    with pretend_now(db_now() + 0.7 * timedelta(minutes=world.tenant.redraft_minutes)):
        assert challenge_results.retire() == 1


def test_a_case_with_sure_signals_is_no_donor(world):
    world.submit(signals=SURE)
    assert planting.donors_of(world.tenant, "billing") == []
