"""Falling back to people: whatever is missing, broken or unknown, the case is taken and a person looks at it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.backends.utils import CursorWrapper

from cases.models import Policy, PolicyVersion, RuleFailure, TriggerCondition
from cases.models.people import system_actor
from cases.services import policies, switch
from cases.services.switch import Scope
from cases.wire.intake import parse_intake
from queues.models import Entry
from tests.callers import Caller
from tests.worlds import DRAFT, QUESTION, SURE, World, make_world

pytestmark = pytest.mark.django_db
CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
SAFE = {"domain": "billing", "language": "en", "user_question": QUESTION, "model_draft": DRAFT, "signals": SURE}


@contextmanager
def past_the_guard() -> Iterator[CursorWrapper]:
    """As somebody with SQL, who owns the tables; and the process then reads the policy as if it had just started."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE cases_policyversion DISABLE TRIGGER append_only")
        yield cursor
        cursor.execute("ALTER TABLE cases_policyversion ENABLE ALWAYS TRIGGER append_only")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    policies._parsed.clear()


def rewrite(**fields) -> None:
    """Change the stored version of the policy; ``...`` takes a field out."""
    version = PolicyVersion.objects.get()
    document = {name: value for name, value in (version.document | fields).items() if value is not ...}
    replace_document(json.dumps(document))


def replace_document(text: str) -> None:
    with past_the_guard() as cursor:
        cursor.execute("UPDATE cases_policyversion SET document = %s", [text])


def condition(expression: str) -> dict:
    return {"conditions": [{"name": "Broken", "trigger": "policy_boundary", "expression": expression}]}


def without_policy(world: World) -> None:
    with past_the_guard():
        PolicyVersion.objects.all().delete()
        TriggerCondition.objects.all().delete()
        Policy.objects.all().delete()


BROKEN_POLICIES = {
    "a policy that is no object": lambda world: replace_document('"gone"'),
    "a policy that is null inside": lambda world: replace_document("[null]"),
    "a threshold that is a word": lambda world: rewrite(auto_approve_above="high"),
    "a threshold beyond 1": lambda world: rewrite(auto_approve_above=7),
    "thresholds the wrong way round": lambda world: rewrite(quick_review_from=0.99),
    "signals that weigh nothing": lambda world: rewrite(signals={}),
    "a risk that does not exist": lambda world: rewrite(risk_floor={"billing": "none"}),
    "a field of a later version": lambda world: rewrite(be_nice=True),
    "no policy at all": without_policy,
}
FAILING_RULES = {
    "a condition that does not parse": condition("signals.."),
    "a condition over a fact that does not exist": condition("mood == 'good'"),
    "a condition that is no yes or no": condition("'perhaps'"),
    "a condition that divides by nothing": condition("1 / 0 == 1"),
    "a condition of mixed types": condition("confidence > 'high'"),
}


def unreadable_switch(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE cases_automationswitch RENAME TO elsewhere")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


KNOWN = {"known_domains": ["billing"], "known_languages": ["en"]}
# What is uncertain → what the case says otherwise, what happens to the tenant before, the trigger that names it.
UNCERTAINTIES = {
    "no signal": ({"signals": None}, None, "low_confidence"),
    "a required signal is missing": ({"signals": {**SURE, "judge_score": None}}, None, "missing_signals"),
    "a tool is unavailable": ({"tool_results": [{"tool": "get_order", "status": "unavailable"}]}, None, "tool_risk"),
    "a rule fails": ({}, lambda world: rewrite(**condition("1 / 0 == 1")), "rule_failed"),
    "the policy does not parse": ({}, lambda world: rewrite(auto_approve_above="high"), "rule_failed"),
    "an unknown domain": ({"domain": "astrology"}, None, "unknown_domain"),
    "an unknown language": ({"language": "tlh"}, None, "unknown_language"),
    "no language": ({"language": None}, None, "unknown_language"),
    "no draft": ({"model_draft": None}, None, "no_draft"),
    "an unreadable switch": ({}, unreadable_switch, "automation_stopped"),
    "a stopped switch": (
        {},
        lambda world: switch.stop(Scope(world.tenant), actor=system_actor(), reason="odd"),
        "automation_stopped",
    ),
}


@pytest.mark.parametrize("what", UNCERTAINTIES)
def test_each_uncertainty_goes_to_people_under_a_trigger_of_its_own_and_is_never_refused(what):
    fields, happens, trigger = UNCERTAINTIES[what]
    signals = Policy._meta.get_field("signals").default()
    signals["judge_score"]["use"] = "required"
    world = make_world(rules=CALM | KNOWN | {"signals": signals})
    caller = Caller(world.service, world.tenant)
    assert caller.post("cases/", SAFE).json()["state"] == "auto_approved", "certain, it would pass"
    if happens:
        happens(world)
    sent = {name: value for name, value in (SAFE | fields).items() if value is not None}
    if isinstance(sent.get("signals"), dict):
        sent["signals"] = {name: value for name, value in sent["signals"].items() if value is not None}
    answer = caller.post("cases/", sent | {"external_id": "uncertain"})
    receipt = answer.json()
    assert (answer.status_code, receipt["state"]) == (201, "pending_review")
    assert trigger in receipt["triggers"]
    assert set(receipt["triggers"]) <= {trigger, "low_confidence", "missing_signals"}
    assert receipt["reason_for_escalation"]
    assert receipt["route"] in ("quick_review", "full_investigation")
    assert Entry.objects.get(case__external_id="uncertain").queue == world.queue


@pytest.mark.parametrize("what", BROKEN_POLICIES)
def test_a_policy_that_cannot_be_read_is_a_full_investigation(what):
    world = make_world(rules=CALM)
    BROKEN_POLICIES[what](world)
    draft = world.submit(**SAFE).current_draft
    assert (draft.route, draft.triggers) == ("full_investigation", ["rule_failed"])
    assert draft.reason == "the policy could not be read"


@pytest.mark.parametrize("what", FAILING_RULES)
def test_a_rule_that_fails_goes_to_people_and_is_shown_on_the_policys_page(what):
    world = make_world(rules=CALM)
    rewrite(**FAILING_RULES[what])
    case = world.submit(**SAFE)
    assert (case.state, case.current_draft.triggers) == ("pending_review", ["rule_failed"])
    assert RuleFailure.objects.get(case=case).condition == "Broken"


@pytest.mark.parametrize(
    ("fields", "triggers"),
    [
        ({"signals": None}, ["low_confidence"]),
        ({"signals": {}}, ["low_confidence"]),
        ({"signals": {"self_confidence": 1.0}}, ["low_confidence"]),
        ({"signals": {name: value for name, value in SURE.items() if name != "judge_score"}}, ["missing_signals"]),
        ({"tool_results": [{"tool": "get_order", "status": "unavailable"}]}, ["tool_risk"]),
        ({"tool_results": [{"tool": "a", "status": "ok"}, {"tool": "b", "status": "timeout"}]}, ["tool_risk"]),
        ({"model_draft": None}, ["no_draft"]),
        ({"model_draft": "  \n "}, ["no_draft"]),
        ({"domain": "astrology"}, ["unknown_domain"]),
        ({"language": "tlh"}, ["unknown_language"]),
        ({"language": None}, ["unknown_language"]),
        ({"language": "und"}, ["unknown_language"]),
        ({"domain": "astrology", "language": "tlh"}, ["unknown_domain", "unknown_language"]),
    ],
)
def test_what_is_missing_or_unknown_has_its_own_way_to_people(fields, triggers):
    signals = Policy._meta.get_field("signals").default()
    signals["judge_score"]["use"] = "required"
    known = {"known_domains": ["billing", "shipping"], "known_languages": ["en", "de"]}
    world = make_world(rules=CALM | known | {"signals": signals})
    caller = Caller(world.service, world.tenant)
    body = {name: value for name, value in (SAFE | fields).items() if value is not None}
    answer = caller.post("cases/", body)
    assert answer.status_code == 201, "never refused"
    receipt = answer.json()
    assert receipt["state"] == "pending_review", "never automatic"
    assert set(triggers) <= set(receipt["triggers"])
    assert set(receipt["triggers"]) <= {*triggers, "low_confidence", "missing_signals"}
    assert receipt["reason_for_escalation"]
    assert Entry.objects.get().queue == world.queue


@pytest.mark.parametrize("language", ["en", "EN", "en-US", "de-CH", "de"])
def test_what_is_known_passes(language):
    world = make_world(rules=CALM | {"known_domains": ["billing"], "known_languages": ["en", "de"]})
    assert world.submit(**SAFE | {"language": language}).state == "auto_approved"


def test_where_the_policy_names_none_every_domain_and_language_is_known():
    world = make_world(rules=CALM)
    assert world.submit(**SAFE | {"domain": "astrology", "language": "tlh"}).state == "auto_approved"


def test_a_policy_from_before_these_fields_reads_as_it_did():
    world = make_world(rules=CALM)
    rewrite(known_domains=..., known_languages=...)
    assert world.submit(**SAFE).state == "auto_approved"


@pytest.mark.parametrize("known", [{"known_domains": ["No Domain"]}, {"known_languages": ["en-US"]}])
def test_a_name_that_could_never_match_is_not_published(known):
    world = make_world()
    policy = Policy(tenant=world.tenant, domain="other", **known)
    with pytest.raises(policies.RulesInvalid):
        policies.publish(policy, actor=system_actor(), reason="typo")


def test_the_caller_may_name_the_new_triggers_itself():
    sent = parse_intake(SAFE | {"triggers": ["unknown_domain", "unknown_language"]})
    assert sent.get("triggers") == ["unknown_domain", "unknown_language"]
