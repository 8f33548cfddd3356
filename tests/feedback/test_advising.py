"""Advice on thresholds from stored decisions: what is read, what is kept with a change, and what a change would do."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from cases.clock import db_now
from cases.models import Case, PolicyVersion
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.rules import RulesInvalid
from cases.services import lifecycle, switch
from cases.services.policies import publish
from cases.services.switch import Scope
from cases.vocabulary import Role, Route, Trigger
from feedback.advisor.thresholds import Kind
from feedback.errors import AdviceOutdated
from feedback.models import ThresholdEvidence
from feedback.services import advising, threshold_changes
from feedback.services.what_if import replay
from feedback.submission import Submission
from queues.services.setup import create_queue
from tests.feedback.corrections import decide_case
from tests.feedback.decided import decide_all, decided, opened
from tests.worlds import FAIR, SURE, WEAK, World, make_world

pytestmark = pytest.mark.django_db

ONE = {"answer_groundedness": {"weight": 1.0, "use": "optional"}}
RULES = {
    "signals": ONE,
    "new_release_reviews": 0,
    "sampling_share": 1.0,
    "auto_approve_above": 0.9,
    "quick_review_from": 0.5,
    "tolerated_error": 0.2,
}


@pytest.fixture
def world() -> World:
    return make_world(rules=RULES, undo_seconds=0)


def outcomes(*parts: tuple[float, int, int]):
    """(groundedness, right, wrong) as signals with what people say of them."""
    return [({"answer_groundedness": g}, is_right) for g, r, w in parts for is_right in [True] * r + [False] * w]


def admin_of(world: World):
    return world.person("adam", Role.TENANT_ADMIN)


# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_advice_stands_on_what_people_decided(world):
    decided(world, outcomes((0.95, 10, 0), (0.75, 25, 1), (0.6, 5, 15)))
    advice = advising.advise(world.policy, 28)
    one = advice.recommendation
    assert (advice.cases, advice.calibration.seen.n) == (56, 56)
    assert (one.kind, one.level.threshold, one.level.cases) == (Kind.LOWER, 0.6, 36)
    assert one.level.error == pytest.approx(1 / 36)
    assert [(row.domain, row.now.cases, row.then.cases) for row in advice.domains] == [("billing", 10, 36)]


def test_it_reads_first_drafts_of_real_cases_that_nothing_else_holds(world):
    decided(world, outcomes((0.95, 5, 0)))
    decided(world, outcomes((0.95, 0, 4)), risk_level="high")
    gone = opened(world, [{"answer_groundedness": 0.8}])[0]
    lifecycle.withdraw(gone.case_id, actor=world.service, reason="gone")
    opened(world, [{"answer_groundedness": 0.95}], at=db_now() - timedelta(days=40))
    at = {level.threshold: level for level in advising.advise(world.policy, 28).levels}
    assert (at[0.9].cases, at[0.9].seen.errors) == (5, 0)
    assert at[0.5].cases == 5


def test_what_came_while_automation_was_stopped_counts_as_what_could_pass(world):
    switch.stop(Scope(world.tenant), actor=system_actor(), reason="pause")
    decided(world, outcomes((0.95, 6, 2)))
    assert Case.objects.filter(current_draft__triggers=[Trigger.AUTOMATION_STOPPED]).count() == 8
    at = {level.threshold: level for level in advising.advise(world.policy, 28).levels}
    assert (at[0.9].cases, at[0.9].error) == (8, 0.25)


def test_samples_stand_for_what_nobody_looked_at():
    world = make_world(rules=RULES | {"sampling_share": 0.5}, undo_seconds=0)
    drafts = opened(world, [{"answer_groundedness": 0.95}] * 40)
    sampled = [draft for draft in drafts if draft.is_sampled]
    decide_all(world, sampled, [number > 0 for number in range(len(sampled))])
    recalled = next(draft for draft in drafts if not draft.is_sampled)
    decide_all(world, [recalled], [False])
    groups, _, cases = advising.read_groups(world.policy, db_now() - timedelta(days=1), db_now())
    (group,) = groups
    assert (cases, group.cases, group.seen.n, group.seen.errors) == (40, 40, len(sampled), 1)
    assert (group.seen.w, group.seen.w2) == (2 * len(sampled), 4 * len(sampled))
    assert group.was_automatic, "a complaint is no sample"


def test_an_undone_decision_and_another_tenants_do_not_count(world):
    other = make_world("other", rules=RULES, undo_seconds=0)
    decided(other, outcomes((0.95, 0, 5)))
    later = make_world("later", rules=RULES, undo_seconds=600)
    decide_all(later, opened(later, [{"answer_groundedness": 0.95}] * 3), [True] * 3, ago=timedelta(minutes=5))
    decided(world, outcomes((0.95, 3, 0)))
    assert advising.advise(world.policy, 28).calibration.seen.errors == 0
    assert advising.advise(later.policy, 28).calibration.seen.n == 0, "it may still be undone"


def test_confidences_are_those_of_the_weights_in_force(world):
    decided(world, outcomes((0.95, 4, 0), (0.6, 2, 0)))
    world.policy.signals = {"answer_groundedness": {"weight": 1.0, "use": "optional"},
                            "judge_score": {"weight": 1.0, "use": "optional"}}  # fmt: skip
    world.policy.auto_approve_above, world.policy.quick_review_from = 0.4, 0.2
    publish(world.policy, actor=system_actor(), reason="two signals")
    at = {level.threshold: level.cases for level in advising.advise(world.policy, 28).levels}
    assert (at[0.2], at[0.3], at[0.4], at[0.48]) == (6, 4, 4, 0)


def test_it_takes_as_many_queries_however_much_there_is(world):
    decided(world, outcomes((0.95, 2, 0)))
    with CaptureQueriesContext(connection) as few:
        advising.advise(world.policy, 28)
    decided(world, outcomes((0.95, 10, 2), (0.7, 5, 5)), domain="returns")
    with CaptureQueriesContext(connection) as many:
        advising.advise(world.policy, 28)
    assert len(many) == len(few)


# --- the act ----------------------------------------------------------------------------------------------------------


def test_a_person_applies_it_and_the_evidence_is_kept_with_the_version(world):
    decided(world, outcomes((0.95, 10, 0), (0.75, 25, 1), (0.6, 5, 15)))
    adam = admin_of(world)
    with pytest.raises(Denied):
        threshold_changes.apply(world.policy.pk, days=28, threshold=0.6, version=1, actor=world.supervisor, reason="x")
    for threshold, version in ((0.61, 1), (0.6, 2)):
        with pytest.raises(AdviceOutdated):
            threshold_changes.apply(
                world.policy.pk, days=28, threshold=threshold, version=version, actor=adam, reason="x"
            )
    assert PolicyVersion.objects.count() == 1
    kept = threshold_changes.apply(world.policy.pk, days=28, threshold=0.6, version=1, actor=adam, reason="as advised")
    assert (kept.policy_version.number, kept.policy_version.published_by) == (2, adam)
    assert (kept.threshold_before, kept.threshold_after, kept.tolerated_error, kept.cases) == (0.9, 0.6, 0.2, 56)
    assert kept.policy_version.reason == "threshold 0.60, as advised: as advised"
    assert kept.report["level"]["looked_at"] == 36 and "go by themselves" in kept.report["words"]
    assert world.submit(signals={"answer_groundedness": 0.61}).state == "auto_approved"
    assert world.policy.history.latest().history_user == adam
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ThresholdEvidence.objects.update(threshold_after=0.1)


def test_what_was_promised_is_held_against_what_came(world):
    decided(world, outcomes((0.95, 10, 0), (0.75, 25, 1), (0.6, 5, 15)))
    kept = threshold_changes.apply(world.policy.pk, days=28, threshold=0.6, version=1, actor=system_actor(), reason="x")
    assert threshold_changes.since(kept).looked_at == 0
    kept.applied_at = db_now() - timedelta(hours=3)
    decided(world, outcomes((0.7, 19, 1)))
    found = threshold_changes.since(kept)
    assert (found.looked_at, found.errors, found.is_as_expected) == (20, 1, True)
    decided(world, outcomes((0.7, 0, 15)))
    assert not threshold_changes.since(kept).is_as_expected


def test_a_stricter_threshold_takes_that_for_new_releases_along():
    world = make_world(rules=RULES | {"auto_approve_above": 0.5, "new_release_threshold": 0.6}, undo_seconds=0)
    decided(world, outcomes((0.95, 40, 0), (0.7, 2, 20)))
    kept = threshold_changes.apply(world.policy.pk, days=28, threshold=0.7, version=1, actor=system_actor(), reason="x")
    assert (kept.policy_version.document["new_release_threshold"], kept.threshold_after) == (0.7, 0.7)


# --- what if ----------------------------------------------------------------------------------------------------------


def changed(world: World, **fields):
    return world.policy.document() | fields


ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "10.00", "currency": "USD"}
KINDS = (
    {"signals": SURE},
    {"signals": FAIR},
    {"signals": WEAK},
    {"signals": {}},
    {"model_draft": None},
    {"risk_level": "high", "signals": SURE},
    {"signals": SURE, "triggers": ["user_escalation"]},
    {"signals": SURE, "proposed_action": ACTION, "customer": {"reference": "c1"}},
    {"signals": SURE, "tool_results": [{"tool": "t", "status": "error"}]},
    {"signals": SURE | {"judge_score": 0.1}},
    {"signals": SURE, "language": "de", "tags": ["beta"]},
)


@pytest.mark.parametrize("rules", [{"new_release_reviews": 0}, {"new_release_reviews": 50}])
def test_unchanged_rules_judge_every_past_case_as_it_was_judged(rules):
    world = make_world(rules=rules | {"sampling_share": 0.0})
    for fields in KINDS:
        world.submit(**fields)
    found = replay(world.policy, changed(world))
    assert (found.cases, found.same, found.moved) == (len(KINDS), len(KINDS), 0)
    taken = dict.fromkeys(Route, 0)
    for case in Case.objects.all():
        taken[Route(case.current_draft.route)] += 1
    assert found.totals == list(taken.values())


def test_a_changed_policy_shows_who_would_have_been_hit():
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    decide_case(world, world.submit(external_id="right"), Submission("accept"))
    decide_case(world, world.submit(external_id="wrong"), Submission("reject", notes="no"))
    world.submit(external_id="sure", signals=SURE)
    lenient = replay(world.policy, changed(world, auto_approve_above=0.8, new_release_threshold=None))
    assert lenient.flows[Route.QUICK_REVIEW, Route.AUTO_APPROVE] == 2
    assert (lenient.newly_judged, [str(one.case) for one in lenient.wrong]) == ((2, 1), ["wrong"])
    assert lenient.load == [("general", 14.0, 0.0, -14.0)]
    condition = {"name": "All", "trigger": "policy_boundary", "expression": "draft_length > 0"}
    strict = replay(world.policy, changed(world, conditions=[condition]))
    assert [(str(one.case), one.after, one.queue_after) for one in strict.held] == [
        ("sure", Route.QUICK_REVIEW, "general")
    ]
    only = {"answer_groundedness": {"weight": 1.0, "use": "optional"}}
    weighed = replay(world.policy, changed(world, signals=only))
    assert weighed.flows[Route.QUICK_REVIEW, Route.FULL_INVESTIGATION] == 2


def test_a_what_if_routes_among_the_queues():
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})
    create_queue(
        world.tenant,
        actor=system_actor(),
        slug="deep",
        name="Deep",
        sla_policy=world.queue.sla_policy,
        routes=["full_investigation"],
    )
    world.submit()
    world.submit(signals=WEAK)
    found = replay(world.policy, changed(world, quick_review_from=0.94))
    assert {name: (round(b), round(a)) for name, b, a, _ in found.load} == {"deep": (7, 14), "general": (7, 0)}
    floor = replay(world.policy, changed(world, risk_floor={"billing": "high"}))
    assert floor.flows[Route.QUICK_REVIEW, Route.FULL_INVESTIGATION] == 1


def test_a_what_if_ignores_the_switch_and_refuses_what_is_no_policy(world):
    switch.stop(Scope(world.tenant), actor=system_actor(), reason="pause")
    world.submit(signals={"answer_groundedness": 0.95})
    found = replay(world.policy, changed(world))
    assert (found.totals[0], found.same, found.moved) == (1, 1, 0)
    with pytest.raises(RulesInvalid):
        replay(world.policy, changed(world, auto_approve_above=2))


def test_a_what_if_takes_as_many_queries_however_many_cases_there_are(world):
    opened(world, [{"answer_groundedness": 0.6}] * 2)
    with CaptureQueriesContext(connection) as few:
        replay(world.policy, changed(world, auto_approve_above=0.5))
    opened(world, [{"answer_groundedness": 0.6}] * 20)
    with CaptureQueriesContext(connection) as many:
        assert replay(world.policy, changed(world, auto_approve_above=0.5)).moved == 22
    assert len(many) == len(few)
