"""Routing of stored cases: what is read of them, warnings about queues, and what a change would do."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import ActionType, ApprovalAuthority, ImpactRule
from cases.clock import db_now
from cases.models.people import system_actor
from cases.services import intake, lifecycle
from cases.wire.intake import parse_intake
from queues.models import Entry, Queue, Reviewer, Skill
from queues.routing import REASON_LENGTH
from queues.services.routing_trial import try_change
from queues.services.setup import create_queue
from queues.services.warnings import warnings_of
from tests.worlds import SURE, World, make_world

pytestmark = pytest.mark.django_db
RULES = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db) -> World:
    return make_world("acme", rules=RULES)


def make_queue(world: World, slug: str, **fields) -> Queue:
    fields = {"name": slug.title(), "sla_policy": world.queue.sla_policy} | fields
    return create_queue(world.tenant, actor=system_actor(), slug=slug, **fields)


def make_skill(world: World, code: str = "law") -> Skill:
    skill = Skill(tenant=world.tenant, code=code, name=code.title())
    skill.save_as(system_actor(), "x")
    return skill


def refunds(world: World, **codes: str) -> ActionType:
    """Refunds of medium impact, with authorities up to the amounts given."""
    kind = ActionType(tenant=world.tenant, name="issue_refund", title="Refund", schema={"type": "object"})
    kind.save_as(system_actor())
    ImpactRule(action_type=kind, condition="true", impact="medium").save_as(system_actor())
    for code, amount in codes.items():
        ApprovalAuthority(
            tenant=world.tenant, code=code, name=code, action_type=kind, max_amount=Decimal(amount), currency="USD"
        ).save_as(system_actor())
    return kind


def action(amount: str, currency: str = "USD") -> dict:
    return {"action": "issue_refund", "params": {}, "amount": amount, "currency": currency}


def entry_of(case) -> Entry:
    return Entry.objects.select_related("queue").get(case=case)


# --- authority, skill, deadline, language --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (action("499.00"), "small"),
        (action("500.01"), "big"),
        (action("6000.00"), "general"),
        (action("10.00", "EUR"), "general"),
        ({"action": "unheard_of", "params": {}}, "general"),
        (None, "general"),
    ],
)
def test_a_case_goes_to_the_queue_of_the_smallest_authority_that_covers_its_action(world, sent, expected):
    refunds(world, upto_500="500", upto_5000="5000")
    make_queue(world, "small", authority_code="upto_500")
    make_queue(world, "big", authority_code="upto_5000")
    entry = entry_of(world.submit(proposed_action=sent))
    assert entry.queue.slug == expected
    if expected == "small":
        assert entry.queue_reason == "small: authority upto_500; big skipped: authority is upto_500"


def test_a_case_that_comes_back_goes_where_its_action_belongs(world):
    refunds(world, upto_500="500")
    rule = ImpactRule.objects.get()
    rule.may_run_alone = True
    rule.save_as(system_actor(), "x")
    make_queue(world, "small", authority_code="upto_500")
    case = world.submit(signals=SURE, proposed_action=action("40.00"))
    assert case.state == "auto_approved"
    lifecycle.escalate(case.pk, actor=world.service, note="a person, please")
    assert entry_of(case).queue.slug == "small"


def test_no_authority_is_looked_for_where_no_queue_asks_for_one(world):
    refunds(world, upto_500="500")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        world.submit(proposed_action=action("40.00"))
    assert not [query for query in queries if "approvals_approvalauthority" in query["sql"]]


def test_a_bulk_asks_for_authorities_once(world):
    refunds(world, upto_500="500")
    make_queue(world, "small", authority_code="upto_500")
    sent = [
        parse_intake({"domain": "billing", "user_question": "?", "proposed_action": action(f"{n}.00")})
        for n in range(1, 31)
    ]
    with CaptureQueriesContext(connection) as queries:
        receipts = intake.submit_all(sent, actor=world.service, tenant=world.tenant)
    assert {receipt.answers["queue"] for receipt in receipts} == {"small"}
    assert sum("approvals_approvalauthority" in query["sql"] for query in queries) == 1


def test_a_tag_asks_for_a_skill_and_one_that_no_queue_has_does_nothing(world):
    make_queue(world, "lawyers", skill=make_skill(world), domains=["legal"])
    make_queue(world, "billing", domains=["billing"])
    make_queue(world, "anybody-legal", skill=make_skill(world, "tax"), position=1, domains=["legal"])
    assert entry_of(world.submit(domain="legal")).queue.slug == "anybody-legal"
    assert entry_of(world.submit(domain="legal", tags=["skill:law"])).queue.slug == "lawyers"
    assert entry_of(world.submit(tags=["skill:law"])).queue.slug == "general"
    assert entry_of(world.submit(tags=["skill:juggling", "vip"])).queue.slug == "billing"


def test_a_queue_for_what_is_due_soon_takes_by_the_callers_own_deadline(world):
    make_queue(world, "soon", due_within_minutes=60)
    now = db_now()
    for minutes, slug in ((30, "soon"), (90, "general"), (-5, "soon"), (None, "general")):
        wanted = minutes and (now + timedelta(minutes=minutes)).isoformat()
        entry = entry_of(world.submit(sla_deadline=wanted))
        assert entry.queue.slug == slug, minutes
    assert entry.queue_reason.endswith("soon skipped: the caller set no deadline")


def test_a_case_without_a_language_goes_to_the_queue_of_the_tenants_fallback():
    world = make_world("bahn", fallback_language="de")
    make_queue(world, "deutsch", languages=["de"])
    case = world.submit(language=None)
    entry = entry_of(case)
    assert (entry.queue.slug, entry.language) == ("deutsch", "und"), "anybody may still read what nobody named"
    assert "the tenant's fallback" in entry.queue_reason
    assert entry_of(world.submit(language="en")).queue.slug == "general"


def test_the_stored_reason_is_bounded(world):
    for number in range(12):
        make_queue(world, f"{'q' * 46}-{number}", domains=["x" * 50], languages=["de"])
    entry = entry_of(world.submit())
    assert len(entry.queue_reason) <= REASON_LENGTH


# --- warnings ------------------------------------------------------------------------------------------------------


def codes(queue: Queue) -> list[str]:
    return [warning.code for warning in warnings_of([queue])[queue.pk]]


def test_a_queue_in_order_has_no_warning(world):
    assert codes(make_queue(world, "billing", domains=["billing"])) == []
    assert codes(world.queue) == []


def test_a_queue_that_nobody_can_work_or_nobody_works_now_is_warned_of(world):
    assert codes(make_queue(world, "lawyers", domains=["legal"], skill=make_skill(world))) == ["nobody"]
    Reviewer.objects.filter(tenant=world.tenant).update(is_on_shift=False)
    assert codes(world.queue) == ["off_shift"]


def test_a_language_that_nobody_reads_is_warned_of(world):
    queue = make_queue(world, "europe", languages=["de-AT", "fr"])
    assert codes(queue) == [], "who names no language reads any"
    Reviewer.objects.filter(tenant=world.tenant).update(languages=["en", "fr-CA"])
    (warning,) = warnings_of([queue])[queue.pk]
    assert warning.code == "unread"
    assert "reads de." in warning.text


def test_a_queue_that_nothing_can_reach_is_warned_of_with_what_stands_before_it(world):
    later = make_queue(world, "later", position=60, domains=["billing"])
    make_queue(world, "first", position=10, domains=["billing", "refunds"])
    (warning,) = warnings_of([later])[later.pk]
    assert warning.text.startswith("No case can reach this queue: first comes before it and takes every case")
    world.queue.escalation_target = later
    world.queue.save_as(system_actor(), "x")
    assert codes(later) == [], "escalations reach it"


def test_an_authority_that_is_not_there_is_warned_of(world):
    refunds(world, upto_500="500")
    assert codes(make_queue(world, "typo", authority_code="upto_50")) == ["no_authority"]
    assert codes(make_queue(world, "right", authority_code="upto_500")) == []


def test_warnings_take_as_many_queries_for_many_queues_as_for_one(world):
    counts = []
    for number in range(12):
        make_queue(world, f"q{number}", domains=[f"d{number}"])
        other = make_world(f"t{number}") if number in (0, 11) else None
        if number in (0, 11):
            queues = list(Queue.objects.filter(tenant__in=[world.tenant, other.tenant]))
            with CaptureQueriesContext(connection) as queries:
                warnings_of(queues)
            counts.append(len(queries))
    assert counts[0] == counts[1] <= 5


# --- trying a change -----------------------------------------------------------------------------------------------


def test_a_change_is_tried_on_the_latest_cases_and_nothing_is_written(world):
    billing = make_queue(world, "billing", domains=["billing"])
    for number in range(3):
        world.submit(external_id=f"b-{number}")
    world.submit(domain="legal", external_id="l-1")
    passed = world.submit(signals=SURE, external_id="passed")
    assert passed.state == "auto_approved"
    before = list(Entry.objects.order_by("pk").values())
    billing.domains = ["legal"]
    trial = try_change(billing)
    assert (trial.cases, trial.moved) == (4, 4)
    assert trial.flows == [("billing", "general", 3), ("general", "billing", 1)]
    assert {move.case.external_id for move in trial.moves} == {"b-0", "b-1", "b-2", "l-1"}
    assert trial.moves[0].reason.startswith("billing: domain legal")
    assert list(Entry.objects.order_by("pk").values()) == before
    assert Queue.objects.get(pk=billing.pk).domains == ["billing"]


def test_a_queue_that_is_not_there_yet_is_tried_too(world):
    world.submit()
    new = Queue(tenant=world.tenant, slug="new", name="New", sla_policy=world.queue.sla_policy, domains=["billing"])
    assert try_change(new).flows == [("general", "new", 1)]
    new.is_fallback, new.domains = True, []
    trial = try_change(new)
    assert (trial.moved, trial.warning.code) == (0, "unreachable"), "the fallback before takes everything now"
    assert "give the others conditions" in trial.warning.text
    assert Queue.objects.get(pk=world.queue.pk).is_fallback
    first = make_world("fresh")
    Queue.objects.filter(tenant=first.tenant).delete()
    assert try_change(Queue(tenant=first.tenant, slug="one", name="One")).cases == 0


def test_a_change_that_puts_a_queue_out_of_reach_says_so(world):
    make_queue(world, "first", position=1, domains=["billing"])
    later = make_queue(world, "later", position=2, domains=["legal"])
    later.domains = ["billing"]
    assert try_change(later).warning.code == "unreachable"


def test_a_trial_counts_no_other_tenants_cases_and_asks_equally_often_however_many_there_are(world):
    refunds(world, upto_500="500")
    queue = make_queue(world, "billing", domains=["billing"])
    make_world("other").submit()
    counts = []
    for size in (2, 20):
        for _ in range(size):
            world.submit(proposed_action=action("40.00"))
        queue.authority_code = "upto_500"
        with CaptureQueriesContext(connection) as queries:
            trial = try_change(queue)
        counts.append(len(queries))
    assert trial.cases == 22
    assert counts[0] == counts[1] <= 5
