"""Triage: the route at every edge, what each trigger answers to, and what holds for all facts and policies."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cases import reasons
from cases.confidence import SignalRule
from cases.rules import DEFAULT_RULES, Condition, Rules
from cases.rules_document import CONDITION_TRIGGERS
from cases.triage import ActionFacts, Automation, Facts, Triage, effective_risk, triage
from cases.vocabulary import Kind, Risk, Route, Signal, Trigger, Use
from tests import real

AUTO, QUICK, FULL = Route.AUTO_APPROVE, Route.QUICK_REVIEW, Route.FULL_INVESTIGATION
ON, OFF = Automation(True), Automation(False, "stopped by the supervisor")
RULES = Rules(signals={Signal.CALIBRATED_CONFIDENCE: SignalRule(1.0, Use.REQUIRED)})
GOOD = Facts(
    kind=Kind.ANSWER,
    domain="general",
    risk_claimed=Risk.LOW,
    signals={"calibrated_confidence": 0.99},
    has_draft=True,
    release_reviews=RULES.new_release_reviews,
)
SMALL_ACTION = ActionFacts("send_link", Risk.LOW, may_run_alone=True)


def judged(rules: Rules | None = RULES, automation: Automation = ON, may_auto: bool = True, **changes) -> Triage:
    """The triage of a good draft with some facts changed; ``confidence`` is the one signal's value."""
    if (confidence := changes.pop("confidence", None)) is not None:
        changes["signals"] = {"calibrated_confidence": confidence}
    return triage(replace(GOOD, **changes), rules, automation=automation, may_auto=may_auto)


def with_condition(expression: str, trigger: Trigger = Trigger.POLICY_BOUNDARY) -> Rules:
    return replace(RULES, conditions=(Condition("Edge", trigger, expression),))


@pytest.mark.parametrize(
    ("confidence", "route"),
    [
        (0.0, FULL),
        (0.6999, FULL),
        (0.69999, FULL),
        (0.70, QUICK),
        (0.85, QUICK),
        (0.95, QUICK),
        (0.95009, QUICK),
        (0.9501, AUTO),
        (1.0, AUTO),
    ],
)
def test_both_thresholds_belong_to_the_quick_review(confidence, route):
    result = judged(confidence=confidence)
    assert result.route == route
    assert result.triggers == (() if route == AUTO else (Trigger.LOW_CONFIDENCE,))


@pytest.mark.parametrize(
    ("changes", "route", "trigger"),
    [
        ({"risk_claimed": Risk.MEDIUM}, AUTO, None),
        ({"risk_claimed": None}, AUTO, None),
        ({"risk_claimed": Risk.HIGH}, FULL, Trigger.HIGH_STAKES),
        ({"risk_claimed": Risk.CRITICAL}, FULL, Trigger.HIGH_STAKES),
        ({"domain": "legal"}, FULL, Trigger.HIGH_STAKES),
        ({"domain": "medical"}, FULL, Trigger.HIGH_STAKES),
        ({"has_draft": False}, FULL, Trigger.NO_DRAFT),
        ({"user_wants_person": True}, QUICK, Trigger.USER_ESCALATION),
        ({"tools_failed": 1, "tools_total": 3}, QUICK, Trigger.TOOL_RISK),
        ({"tools_total": 3}, AUTO, None),
        ({"action": SMALL_ACTION}, AUTO, None),
        ({"action": replace(SMALL_ACTION, impact=Risk.MEDIUM)}, AUTO, None),
        ({"action": replace(SMALL_ACTION, impact=Risk.HIGH)}, QUICK, Trigger.TOOL_RISK),
        ({"action": replace(SMALL_ACTION, impact=None)}, QUICK, Trigger.TOOL_RISK),
        ({"action": replace(SMALL_ACTION, may_run_alone=False)}, QUICK, Trigger.TOOL_RISK),
        ({"automation": OFF}, QUICK, Trigger.AUTOMATION_STOPPED),
        ({"may_auto": False}, QUICK, Trigger.QUALITY_FAILURE),
        ({"rules": None}, FULL, Trigger.RULE_FAILED),
        *(
            ({"caller_triggers": (trigger,)}, FULL if trigger == Trigger.HIGH_STAKES else QUICK, trigger)
            for trigger in Trigger
        ),
    ],
)
def test_any_trigger_sends_a_confident_draft_to_people(changes, route, trigger):
    rules = replace(RULES, high_stakes_domains=frozenset({"legal"}), risk_floor={"medical": Risk.HIGH})
    result = judged(**{"rules": rules} | changes)
    assert result.route == route
    assert result.triggers == ((trigger,) if trigger else ())


def test_a_missing_required_signal_is_a_trigger_of_its_own_and_an_optional_one_is_not():
    signals = {
        Signal.CALIBRATED_CONFIDENCE: SignalRule(1.0, Use.OPTIONAL),
        Signal.JUDGE_SCORE: SignalRule(0.0, Use.REQUIRED),
    }
    result = judged(replace(RULES, signals=signals))
    assert (result.route, result.triggers) == (QUICK, (Trigger.MISSING_SIGNALS,))
    assert result.reason == "the required judge score is missing"
    optional = signals | {Signal.JUDGE_SCORE: SignalRule(0.0, Use.OPTIONAL)}
    assert judged(replace(RULES, signals=optional)).route == AUTO


@pytest.mark.parametrize(
    ("reviews", "confidence", "route", "threshold", "share"),
    [
        (0, 0.96, QUICK, 0.98, 0.5),
        (49, 0.98, QUICK, 0.98, 0.5),
        (49, 0.99, AUTO, 0.98, 0.5),
        (50, 0.96, AUTO, 0.95, 0.05),
    ],
)
def test_a_new_release_starts_cautiously(reviews, confidence, route, threshold, share):
    result = judged(release_reviews=reviews, confidence=confidence)
    assert (result.route, result.threshold, result.sample_share) == (route, threshold, share)
    assert result.cautious is (reviews < 50)


def test_a_new_release_without_a_stricter_threshold_is_only_sampled_more():
    result = judged(replace(RULES, new_release_threshold=None), release_reviews=0, confidence=0.96)
    assert (result.route, result.threshold, result.sample_share) == (AUTO, 0.95, 0.5)


@pytest.mark.parametrize(
    ("claimed", "floor", "expected"),
    [
        (None, None, Risk.MEDIUM),
        (None, Risk.HIGH, Risk.HIGH),
        (Risk.LOW, None, Risk.LOW),
        (Risk.LOW, Risk.HIGH, Risk.HIGH),
        (Risk.CRITICAL, Risk.HIGH, Risk.CRITICAL),
    ],
)
def test_a_caller_may_raise_the_risk_and_never_lower_it(claimed, floor, expected):
    rules = replace(RULES, risk_floor={"general": floor} if floor else {})
    assert judged(rules, risk_claimed=claimed).risk == expected


def test_conditions_see_the_combined_confidence_and_the_risk_that_counts():
    rules = with_condition('confidence > 0.98 && risk == "medium" && !has(signals.judge_score)')
    result = judged(replace(rules, risk_floor={"general": Risk.MEDIUM}))
    assert (result.route, result.triggers) == (QUICK, (Trigger.POLICY_BOUNDARY,))
    assert result.reason == "the policy's condition \u201cEdge\u201d applies"


def test_a_condition_that_fails_sends_the_case_to_people_and_is_named():
    result = judged(with_condition("signals.judge_score > 0.5"))
    assert (result.route, result.triggers) == (QUICK, (Trigger.RULE_FAILED,))
    assert result.failures == (("Edge", "It reads an entry that is absent; ask with has(…) first."),)
    assert result.reason == "the policy's condition \u201cEdge\u201d could not be evaluated"


def test_a_failing_condition_does_not_hide_the_next():
    failing = Condition("Broken", Trigger.TOOL_RISK, "nonsense")
    rules = replace(RULES, conditions=(failing, Condition("Sound", Trigger.QUALITY_FAILURE, "true")))
    assert judged(rules).triggers == (Trigger.QUALITY_FAILURE, Trigger.RULE_FAILED)


def test_high_stakes_raised_by_a_condition_are_investigated_in_full():
    assert judged(with_condition("true", Trigger.HIGH_STAKES)).route == FULL


def test_triggers_stand_once_and_in_the_order_of_the_list():
    result = judged(
        automation=OFF, caller_triggers=("tool_risk", "low_confidence", "made_up"), tools_failed=1, confidence=0.8
    )
    assert result.triggers == (Trigger.LOW_CONFIDENCE, Trigger.TOOL_RISK, Trigger.AUTOMATION_STOPPED)


def test_a_policy_that_cannot_be_read_takes_no_claim_of_low_risk():
    result = judged(None)
    assert (result.risk, result.sample_share, result.reason) == (Risk.MEDIUM, 1.0, "the policy could not be read")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "confidence 0.99 is above 0.95 and nothing speaks against it"),
        ({"confidence": 0.9499}, "confidence 0.9499 is not above 0.95"),
        ({"confidence": 0.31}, "calibrated confidence is low (0.31)"),
        ({"confidence": 0.96, "release_reviews": 0}, "confidence 0.96 is not above the 0.98 that a new release needs"),
        ({"has_draft": False, "confidence": 0.0}, "there is no draft to check"),
        (
            {"confidence": 0.31, "risk_claimed": Risk.HIGH, "user_wants_person": True},
            "calibrated confidence is low (0.31), the risk is high and the customer asked for a person",
        ),
        (
            {"action": ActionFacts("issue_refund", Risk.HIGH), "tools_failed": 1, "tools_total": 1},
            "a tool failed and its action issue refund needs approval",
        ),
        ({"automation": OFF}, "automation is stopped (stopped by the supervisor)"),
    ],
)
def test_the_reason_reads_like_a_sentence(changes, reason):
    assert judged(**changes).reason == reason


def test_the_reason_names_the_weakest_signals_first():
    facts = replace(GOOD, signals={"answer_groundedness": 0.31, "rerank_margin": 0.04, "calibrated_confidence": 0.97})
    result = triage(facts, DEFAULT_RULES, automation=ON)
    assert result.reason == "groundedness is low (0.31) and the best passage is ambiguous (margin 0.04)"


def test_the_reason_names_what_was_not_reported():
    result = triage(replace(GOOD, signals={"answer_groundedness": 1.0}), DEFAULT_RULES, automation=ON)
    assert result.reason == "confidence is only 0.25 without calibrated confidence and margin of the best passage"
    assert triage(replace(GOOD, signals={}), DEFAULT_RULES, automation=ON).reason == "no signal was reported"


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=12))
def test_a_sentence_is_never_too_long_nor_empty(clauses):
    assert 0 < len(reasons.sentence(clauses)) <= reasons.LIMIT


def test_a_long_sentence_says_how_much_it_leaves_out():
    assert reasons.sentence([f"reason {i} {'x' * 80}" for i in range(4)]).endswith(" and 2 more reasons")


ACTIONS = st.builds(ActionFacts, st.text(max_size=60), st.none() | st.sampled_from(Risk), st.booleans())
FACTS = st.builds(
    Facts,
    kind=st.sampled_from(Kind),
    domain=st.sampled_from(["general", "billing", "legal"]),
    risk_claimed=st.none() | st.sampled_from(Risk),
    signals=st.dictionaries(st.sampled_from(Signal), st.floats(0, 1) | st.floats(0.9, 1)),
    has_draft=st.booleans(),
    tools_failed=st.integers(0, 3),
    tools_total=st.integers(3, 5),
    caller_triggers=st.lists(st.sampled_from(Trigger), max_size=2).map(tuple),
    user_wants_person=st.booleans(),
    tags=st.lists(st.text(), max_size=3).map(tuple),
    action=st.none() | ACTIONS,
    release_reviews=st.integers(0, 100),
)
CONDITIONS = st.builds(
    Condition,
    st.just("Edge"),
    st.sampled_from(CONDITION_TRIGGERS),
    st.sampled_from(["true", "false", "confidence > 0.5", 'risk == "high"', "signals.judge_score > 0.5", "1"]),
)
POLICIES = st.builds(
    Rules,
    signals=st.dictionaries(
        st.sampled_from(Signal), st.builds(SignalRule, st.floats(0.1, 1), st.sampled_from(Use)), min_size=1, max_size=3
    ),
    high_stakes_domains=st.frozensets(st.just("legal")),
    risk_floor=st.dictionaries(st.sampled_from(["general", "billing"]), st.sampled_from(Risk)),
    conditions=st.lists(CONDITIONS, max_size=2).map(tuple),
)
SWITCH = st.sampled_from([ON, OFF])


@given(FACTS, st.none() | POLICIES, SWITCH, st.booleans())
def test_whoever_sends_a_case_to_people_says_why(facts, rules, automation, may_auto):
    result = triage(facts, rules, automation=automation, may_auto=may_auto)
    assert (result.route == AUTO) == (not result.triggers)
    assert 0 < len(result.reason) <= reasons.LIMIT
    assert list(result.triggers) == [trigger for trigger in Trigger if trigger in result.triggers]
    assert 0.0 <= result.sample_share <= 1.0


@given(FACTS, POLICIES, SWITCH, st.booleans())
@example(GOOD, RULES, ON, True)
def test_nothing_passes_by_itself_unless_everything_allows_it(facts, rules, automation, may_auto):
    result = triage(facts, rules, automation=automation, may_auto=may_auto)
    if result.route == AUTO:
        assert automation.allowed and may_auto and facts.has_draft and not facts.user_wants_person
        assert result.confidence.value > result.threshold >= rules.auto_approve_above
        assert facts.domain not in rules.high_stakes_domains and result.risk in (Risk.LOW, Risk.MEDIUM)
        assert facts.action is None or facts.action.may_run_alone
        assert not (facts.caller_triggers or facts.tools_failed or result.failures)


@given(FACTS, POLICIES)
def test_high_stakes_and_thin_confidence_are_always_investigated_in_full(facts, rules):
    result = triage(facts, rules, automation=ON)
    if (
        facts.domain in rules.high_stakes_domains
        or result.risk in (Risk.HIGH, Risk.CRITICAL)
        or result.confidence.value < rules.quick_review_from
    ):
        assert result.route == FULL


@given(POLICIES, st.none() | st.sampled_from(Risk), st.sampled_from(["general", "billing", "legal"]))
def test_the_risk_is_never_below_what_the_caller_or_the_floor_says(rules, claimed, domain):
    risk = effective_risk(claimed, domain, rules)
    assert risk.rank >= rules.risk_floor.get(domain, Risk.LOW).rank
    assert risk.rank >= (claimed or rules.risk_when_absent).rank
    for higher in list(Risk)[(claimed or Risk.LOW).rank :]:
        assert effective_risk(higher, domain, rules).rank >= (risk.rank if claimed else higher.rank)


@given(FACTS, POLICIES, st.sampled_from(Signal))
def test_holding_a_signal_back_never_opens_a_way_past_people(facts, rules, name):
    rules = replace(rules, conditions=())
    held_back = replace(facts, signals={key: value for key, value in facts.signals.items() if key != name})
    order = [AUTO, QUICK, FULL]
    with_it, without_it = (triage(each, rules, automation=ON) for each in (facts, held_back))
    assert order.index(without_it.route) >= order.index(with_it.route)


@given(st.text() | st.text("()[]{}!-?:.,&|\"'ab01 "), FACTS)
@example("[" * 1000, GOOD)
@example("tags.all(a, tags.all(b, tags.all(c, tags.all(d, true))))", GOOD)
def test_no_condition_whatever_takes_the_intake_down(expression, facts):
    result = triage(facts, with_condition(expression), automation=ON)
    assert result.route != AUTO or not result.failures


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.none() | st.text() | st.booleans()))
def test_no_signal_whatever_takes_the_intake_down(signals):
    assert judged(DEFAULT_RULES, signals=signals).route in Route


def facts_of(payload: dict) -> Facts:
    """What a caller's payload says, before anything else of the product has seen it."""
    tools = payload.get("tool_results", [])
    action = payload.get("proposed_action")
    return Facts(
        kind=Kind(payload["kind"]),
        domain=payload["domain"],
        language=payload["language"],
        risk_claimed=Risk(payload["risk_level"]),
        signals=payload["signals"],
        has_draft=bool(payload.get("model_draft") or payload.get("model_decision")),
        draft_length=len(payload.get("model_draft", "")),
        question_length=len(payload["user_question"]),
        evidence_count=len(payload.get("evidence", [])),
        tools_failed=sum(tool["status"] != "ok" for tool in tools),
        tools_total=len(tools),
        caller_triggers=tuple(payload.get("triggers", ())),
        model_decision=payload.get("model_decision", ""),
        action=ActionFacts(action["action"]) if action else None,
        release_model=payload["release"]["model"],
        customer_known="customer" in payload,
    )


@real.needed
@pytest.mark.parametrize("name", real.RECORDS)
def test_every_real_record_gets_a_route_and_a_reason(name):
    routes: Counter[Route] = Counter()
    for record in real.records(name):
        result = triage(facts_of(record), DEFAULT_RULES, automation=ON)
        routes[result.route] += 1
        assert 0 < len(result.reason) <= reasons.LIMIT
        assert not result.failures
    assert routes.total() == real.RECORDS[name]
    assert routes[AUTO] == 0  # None of these sends more than one signal.
