"""Intake: a case comes in, is judged by the tenant's policy, and is stored whole or not at all."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases.clock import db_now
from cases.models import AutomationSwitch, Case, CaseEvent, Content, Draft, Policy, PolicyVersion, Release, RuleFailure
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import events, intake, policies
from cases.services.intake import ExternalIdTaken, add_draft
from cases.services.lifecycle import NotOpen
from cases.untrusted import is_unseen
from cases.vocabulary import Kind, Risk, Signal, Trigger
from cases.wire.intake import parse_draft, parse_intake
from queues.models import Entry, Queue
from tests.threads import failures, in_parallel
from tests.worlds import DRAFT, FAIR, QUESTION, SURE, WEAK, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
ACTION = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "42.00", "currency": "USD"}


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


def submit(world, **payload):
    """The receipt of an intake with exactly this payload beside domain and question."""
    body = {"domain": "billing", "user_question": QUESTION} | payload
    return intake.submit(parse_intake(body), actor=world.service, tenant=world.tenant)


def counts() -> dict[str, int]:
    """How many rows every table of the product holds."""
    return {
        model._meta.label: model.objects.count()
        for room in ("cases", "queues", "approvals", "feedback")
        for model in apps.get_app_config(room).get_models()
        if hasattr(model, "objects")
    }


# --- routes and triggers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signals", "route", "state"),
    [
        (SURE, "auto_approve", "auto_approved"),
        (FAIR, "quick_review", "pending_review"),
        (WEAK, "full_investigation", "pending_review"),
    ],
)
def test_confidence_chooses_among_three_routes(world, signals, route, state):
    receipt = submit(world, model_draft=DRAFT, signals=signals)
    assert (receipt.draft.route, receipt.case.state) == (route, state)
    assert Entry.objects.filter(case=receipt.case).exists() == (state == "pending_review")
    assert receipt.draft.reason


@pytest.mark.parametrize(
    ("payload", "trigger", "route"),
    [
        ({"triggers": ["user_escalation"]}, "user_escalation", "quick_review"),
        ({"triggers": ["high_stakes"]}, "high_stakes", "full_investigation"),
        ({"tool_results": [{"tool": "get_order", "status": "error"}]}, "tool_risk", "quick_review"),
        ({"proposed_action": ACTION}, "tool_risk", "quick_review"),
        ({"risk_level": "high"}, "high_stakes", "full_investigation"),
        ({"risk_level": "critical"}, "high_stakes", "full_investigation"),
        ({"signals": SURE | {"policy_classifier_score": 0.4}}, "policy_boundary", "quick_review"),
        ({"signals": SURE | {"judge_score": 0.4}}, "quality_failure", "quick_review"),
        ({"signals": {}}, "low_confidence", "full_investigation"),
        ({"model_draft": None}, "no_draft", "full_investigation"),
        ({"model_draft": " \n "}, "no_draft", "full_investigation"),
    ],
)
def test_a_trigger_sends_a_sure_draft_to_people(world, payload, trigger, route):
    receipt = submit(world, **{"model_draft": DRAFT, "signals": SURE} | payload)
    assert trigger in receipt.draft.triggers
    assert (receipt.draft.route, receipt.case.state) == (route, "pending_review")


def test_a_required_signal_that_is_missing_sends_the_case_to_people(db):
    signals = Policy().signals | {"self_confidence": {"weight": 0.0, "use": "required"}}
    world = make_world(rules=CALM | {"signals": signals})
    assert "missing_signals" in submit(world, model_draft=DRAFT, signals=SURE).draft.triggers
    assert submit(world, model_draft=DRAFT, signals=SURE | {"self_confidence": 0.1}).case.state == "auto_approved"


@pytest.mark.parametrize("claimed", [None, "low", "medium"])
def test_what_is_high_stakes_is_never_decided_automatically_whatever_the_caller_claims(db, claimed):
    world = make_world(rules=CALM | {"high_stakes_domains": ["medication"]})
    extra = {"risk_level": claimed} if claimed else {}
    receipt = submit(world, domain="medication", model_draft=DRAFT, signals=SURE, **extra)
    assert (receipt.draft.route, receipt.case.state) == ("full_investigation", "pending_review")
    assert "high_stakes" in receipt.draft.triggers


@pytest.mark.parametrize(
    ("claimed", "counts_as"),
    [(None, "high"), ("low", "high"), ("high", "high"), ("critical", "critical")],
)
def test_a_caller_can_raise_the_risk_above_the_floor_and_never_lower_it(db, claimed, counts_as):
    world = make_world(rules=CALM | {"risk_floor": {"billing": "high"}})
    extra = {"risk_level": claimed} if claimed else {}
    receipt = submit(world, model_draft=DRAFT, signals=SURE, **extra)
    assert receipt.case.risk == counts_as
    assert receipt.case.state == "pending_review"


def test_a_new_release_starts_under_a_stricter_threshold(db):
    world = make_world()
    nearly = SURE | {"calibrated_confidence": 0.93}
    first = submit(world, model_draft=DRAFT, signals=nearly, release={"model": "m", "version": "1"})
    assert (first.draft.route, first.draft.threshold) == ("quick_review", 0.98)
    assert 0.95 < first.draft.confidence < 0.98
    Release.objects.filter(pk=first.draft.release_id).update(reviews=50)
    proven = submit(world, model_draft=DRAFT, signals=nearly, release={"model": "m", "version": "1"})
    assert (proven.draft.route, proven.draft.threshold) == ("auto_approve", 0.95)


def test_a_decision_without_a_text_is_something_to_judge(world):
    receipt = submit(world, model_decision="deny", signals=SURE)
    assert (receipt.case.kind, receipt.case.state, receipt.case.final_decision) == ("decision", "auto_approved", "deny")


# --- the switch and the policy -----------------------------------------------------------------------------------


def test_a_stopped_switch_sends_everything_to_people_and_says_why(world):
    AutomationSwitch.objects.filter(tenant=world.tenant).update(is_enabled=False, reason="odd answers")
    receipt = submit(world, model_draft=DRAFT, signals=SURE)
    assert receipt.draft.triggers == ["automation_stopped"]
    assert "odd answers" in receipt.draft.reason
    assert receipt.case.state == "pending_review"


@pytest.mark.parametrize("missing", ["global", "tenant"])
def test_a_switch_row_that_is_missing_means_off(world, missing):
    AutomationSwitch.objects.filter(tenant=None if missing == "global" else world.tenant).delete()
    receipt = submit(world, model_draft=DRAFT, signals=SURE)
    assert receipt.draft.triggers == ["automation_stopped"]
    assert "never switched on" in receipt.draft.reason


def test_a_tenant_without_a_policy_has_people_decide(world):
    Policy.objects.filter(pk=world.policy.pk).update(version=99)
    receipt = submit(world, model_draft=DRAFT, signals=SURE)
    assert (receipt.draft.route, receipt.draft.triggers) == ("full_investigation", ["rule_failed"])
    assert receipt.draft.policy_version is None
    assert "policy could not be read" in receipt.draft.reason


@pytest.mark.parametrize("document", [{}, [], "nonsense", {"auto_approve_above": "high"}, {"no_such_field": 1}])
def test_a_policy_that_cannot_be_read_has_people_decide(world, document):
    if document == {}:
        document = {"signals": {}}
    PolicyVersion.objects.create(
        policy=world.policy, number=2, document=document, published_by=system_actor(), published_at=db_now()
    )
    Policy.objects.filter(pk=world.policy.pk).update(version=2)
    receipt = submit(world, model_draft=DRAFT, signals=SURE, risk_level="low")
    assert (receipt.draft.route, receipt.draft.triggers) == ("full_investigation", ["rule_failed"])
    assert receipt.case.risk == "medium", "without a policy nobody vouches for a low risk"


def with_condition(world, expression: str) -> None:
    document = world.policy.document()
    document["conditions"] = [{"name": "Odd length", "trigger": "policy_boundary", "expression": expression}]
    PolicyVersion.objects.create(
        policy=world.policy, number=2, document=document, published_by=system_actor(), published_at=db_now()
    )
    Policy.objects.filter(pk=world.policy.pk).update(version=2)


@pytest.mark.parametrize(
    "expression",
    [
        "100 / (question_length - 7) > 1000",
        "signals.self_confidence > 2.0",
        "no_such_name == 1",
        "this is no expression",
        "question_length",
    ],
)
def test_a_condition_that_fails_at_run_time_has_people_decide_and_is_kept_for_the_policys_page(world, expression):
    with_condition(world, expression)
    receipt = submit(world, user_question="Refund?", model_draft=DRAFT, signals=SURE)
    assert receipt.case.state == "pending_review"
    assert "rule_failed" in receipt.draft.triggers
    failure = RuleFailure.objects.get(case=receipt.case)
    assert (failure.condition, failure.policy_version_id) == ("Odd length", receipt.draft.policy_version_id)
    assert failure.cause
    assert "Odd length" in receipt.draft.reason


def test_a_condition_that_holds_raises_its_trigger(world):
    with_condition(world, "domain == 'billing' && draft_length > 10")
    receipt = submit(world, model_draft=DRAFT, signals=SURE)
    assert (receipt.draft.triggers, receipt.draft.route) == (["policy_boundary"], "quick_review")


def test_the_version_that_judged_a_draft_is_stored_with_it(world):
    before = submit(world, model_draft=DRAFT, signals=SURE)
    world.policy.auto_approve_above = world.policy.new_release_threshold = 0.9999
    policies.publish(world.policy, actor=system_actor(), reason="stricter")
    after = submit(world, model_draft=DRAFT, signals=SURE)
    assert [r.draft.policy_version.number for r in (before, after)] == [1, 2]
    assert [r.case.state for r in (before, after)] == ["auto_approved", "pending_review"]


# --- who, twice, and when ----------------------------------------------------------------------------------------


def test_an_outsider_and_a_person_without_the_right_are_denied_and_nothing_is_stored(world):
    other, before = make_world("other"), counts()
    for actor in (other.service, world.reviewer, world.supervisor):
        with pytest.raises(Denied):
            intake.submit(parse_intake({"domain": "billing", "user_question": "?"}), actor=actor, tenant=world.tenant)
    assert counts() == before | {"cases.PolicyVersion": before["cases.PolicyVersion"]}


def test_the_same_external_id_and_body_answers_with_the_case_that_is_there(world):
    first = submit(world, external_id="conv-1", model_draft=DRAFT)
    before = counts()
    again = submit(world, external_id="conv-1", model_draft=DRAFT)
    assert (again.is_new, again.case.pk) == (False, first.case.pk)
    assert counts() == before


def test_another_body_under_a_known_external_id_is_refused_and_changes_nothing(world):
    submit(world, external_id="conv-1", model_draft=DRAFT)
    before = counts()
    with pytest.raises(ExternalIdTaken) as refused:
        submit(world, external_id="conv-1", model_draft="Something else.")
    assert (refused.value.status, refused.value.pointer) == (409, "/external_id")
    assert counts() == before


def test_an_external_id_whose_text_was_erased_is_taken(world):
    case = submit(world, external_id="conv-1").case
    Content.objects.filter(pk=case.content_id).update(
        body=None, salt=None, search_text="", customer_key=None, erased_at=db_now()
    )
    with pytest.raises(ExternalIdTaken):
        submit(world, external_id="conv-1")


def test_an_external_id_belongs_to_its_tenant(world):
    other = make_world("other", rules=CALM)
    assert submit(world, external_id="conv-1").is_new
    assert submit(other, external_id="conv-1").is_new


def test_empty_and_absent_external_ids_never_clash(world):
    assert len({submit(world, **extra).case.pk for extra in ({}, {}, {"external_id": ""}, {"external_id": None})}) == 4


def test_a_deadline_that_is_past_is_accepted_marked_and_said(world):
    past = db_now() - timedelta(hours=1)
    receipt = submit(world, sla_deadline=past.isoformat())
    entry = Entry.objects.get(case=receipt.case)
    assert entry.due_at == past
    assert entry.breached_at is not None
    assert receipt.case.events.filter(kind=CaseEvent.Kind.SLA_BREACHED).count() == 1


@pytest.mark.parametrize(("offset", "wins"), [(timedelta(hours=1), True), (timedelta(hours=9), False)])
def test_the_nearer_of_the_callers_and_the_queues_deadline_wins(world, offset, wins):
    wanted = db_now() + offset
    entry = Entry.objects.get(case=submit(world, sla_deadline=wanted.isoformat()).case)
    assert (entry.due_at == wanted) == wins
    assert entry.due_at <= wanted
    assert entry.breached_at is None


@pytest.mark.parametrize("extra", [{"domain": "never-heard-of"}, {"language": "tlh"}, {"language": "x-klingon"}])
def test_an_unknown_domain_or_language_goes_to_the_fallback(world, extra):
    Queue(
        tenant=world.tenant,
        slug="english-billing",
        name="English billing",
        domains=["billing"],
        languages=["en"],
        sla_policy=world.queue.sla_policy,
    ).save_as(system_actor())
    extra = {"language": "en"} | extra
    if not extra["language"].startswith("x"):
        assert submit(world, **extra).answers["queue"] == "general"
    assert submit(world, language="en").answers["queue"] == "english-billing"


def test_a_tenant_without_queues_is_refused_clearly_and_nothing_is_stored(world):
    from queues.routing import NoQueue

    Queue.objects.filter(tenant=world.tenant).delete()
    before = counts()
    with pytest.raises(NoQueue):
        submit(world)
    assert counts() == before


def test_a_sampled_automatic_approval_stays_approved_and_waits_for_an_auditor(db):
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 1.0})
    past = (db_now() - timedelta(days=1)).isoformat()
    receipt = submit(world, model_draft=DRAFT, signals=SURE, sla_deadline=past)
    entry = Entry.objects.get(case=receipt.case)
    assert (receipt.case.state, entry.kind) == ("auto_approved", "audit")
    assert entry.breached_at is None, "the caller's deadline was for the answer, which the customer has"
    assert set(receipt.answers) == set(), "the caller is not told that somebody will look at it"


# --- new drafts --------------------------------------------------------------------------------------------------


def test_a_new_draft_is_judged_and_never_decided_automatically(world):
    case = submit(world, model_draft=DRAFT, signals=WEAK).case
    receipt = add_draft(case.pk, parse_draft({"model_draft": "Better.", "signals": SURE}), actor=world.service)
    assert (receipt.draft.number, receipt.case.state) == (2, "pending_review")
    assert receipt.draft.route == "quick_review"
    assert receipt.draft.triggers == ["quality_failure"]
    assert Entry.objects.get(case=case).route == "quick_review"
    assert [draft.number for draft in case.drafts.order_by("number")] == [1, 2]


def test_a_new_draft_cannot_lower_the_risk(world):
    case = submit(world, risk_level="high").case
    receipt = add_draft(case.pk, parse_draft({"model_draft": "Better.", "signals": SURE}), actor=world.service)
    assert receipt.case.risk == "high"


def test_a_decided_case_takes_no_draft(world):
    case = submit(world, model_draft=DRAFT, signals=SURE).case
    with pytest.raises(NotOpen):
        add_draft(case.pk, parse_draft({"model_draft": "Late."}), actor=world.service)
    assert case.drafts.count() == 1


# --- all or nothing ----------------------------------------------------------------------------------------------


def break_down(happenings):
    raise RuntimeError("a handler of the seam broke down")


def break_at_the_deadline(happenings):
    if happenings[0].event.kind == CaseEvent.Kind.SLA_BREACHED:
        raise RuntimeError("a handler broke down in the middle")
    return {}


@pytest.fixture
def handlers(settings):
    """Replaces the event seam's handlers; the list is cached, so that the cache goes before and after."""

    def replace(*paths: str) -> None:
        settings.CASE_EVENT_HANDLERS = [*settings.CASE_EVENT_HANDLERS, *paths]
        events._handlers.cache_clear()

    yield replace
    events._handlers.cache_clear()


@pytest.mark.parametrize("broken", ["break_down", "break_at_the_deadline"])
def test_nothing_is_stored_by_halves_when_a_handler_breaks_down(world, handlers, broken):
    before = counts()
    handlers(f"tests.cases.test_intake.{broken}")
    with pytest.raises(RuntimeError), transaction.atomic():
        submit(world, external_id="conv-1", proposed_action=ACTION, sla_deadline="2020-01-01T00:00:00Z")
    assert counts() == before


def test_a_new_draft_is_not_stored_by_halves_either(world, handlers):
    case = submit(world, model_draft=DRAFT, signals=WEAK).case
    before = counts()
    handlers("tests.cases.test_intake.break_down")
    with pytest.raises(RuntimeError), transaction.atomic():
        add_draft(case.pk, parse_draft({"model_draft": "Better."}), actor=world.service)
    assert counts() == before


@pytest.mark.django_db(transaction=True)
def test_sixteen_callers_with_the_same_external_id_make_one_case():
    world = make_world(rules=CALM)
    payload = {"external_id": "conv-1", "model_draft": DRAFT, "signals": SURE, "release": {"model": "brand new"}}
    other = payload | {"model_draft": "Something else."}
    results = in_parallel([lambda body=body: submit(world, **body) for body in [payload] * 16 + [other] * 4])
    case = Case.objects.get()
    assert Draft.objects.count() == 1
    assert Release.objects.count() == 1
    assert case.events.count() == 2
    refused = failures(results)
    assert all(isinstance(error, ExternalIdTaken) for error in refused), refused
    receipts = [result for result in results if result not in refused]
    assert {receipt.case.pk for receipt in receipts} == {case.pk}
    assert sum(receipt.is_new for receipt in receipts) == 1
    assert len(refused) in (4, 16)


# --- any payload -------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
words = text.filter(lambda typed: not all(one.isspace() or is_unseen(one) for one in typed))
unit = st.floats(0, 1, allow_nan=False)
payloads = st.fixed_dictionaries(
    {
        "domain": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
        "user_question": words,
    },
    optional={
        "kind": st.sampled_from(Kind.values),
        "language": st.sampled_from(["en", "de-AT", "zh-Hans-CN", "und", "xx"]),
        "risk_level": st.sampled_from(Risk.values),
        "model_draft": text,
        "model_decision": st.sampled_from(["", "deny", "allow"]),
        "reasoning": text,
        "signals": st.dictionaries(st.sampled_from(Signal.values), unit),
        "triggers": st.lists(st.sampled_from(Trigger.values), max_size=4),
        "evidence": st.lists(st.fixed_dictionaries({"document_id": st.just("d"), "quote": words}), max_size=3),
        "tool_results": st.lists(
            st.fixed_dictionaries({"tool": st.just("t"), "status": st.sampled_from(["ok", "error", "OK"])}), max_size=3
        ),
        "tags": st.lists(words, max_size=4, unique=True),
        "proposed_action": st.fixed_dictionaries(
            {"action": st.just("issue_refund"), "params": st.dictionaries(text, text, max_size=2)},
            optional={"requires_approval": st.booleans()},
        ),
        "sla_deadline": st.datetimes().filter(lambda at: at.year >= 1970).map(lambda at: f"{at.isoformat()}Z"),
        "customer": st.fixed_dictionaries({"reference": text}),
        "metadata": st.dictionaries(text, st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text),
    },
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(payload=payloads)
def test_any_valid_payload_gets_a_state_a_route_and_a_reason_that_reads_like_a_sentence(world, payload):
    receipt = submit(world, **payload)
    assert receipt.draft.route in ("auto_approve", "quick_review", "full_investigation")
    assert (receipt.case.state == "auto_approved") == (receipt.draft.route == "auto_approve")
    reason = receipt.draft.reason
    assert reason[0].isalnum()
    assert len(reason) <= 200
    assert "\n" not in reason
    if receipt.case.state == "pending_review":
        assert receipt.answers["queue"] == "general"
        assert receipt.answers["queue_reason"]
        assert Entry.objects.filter(case=receipt.case).exists()
        assert receipt.draft.triggers
