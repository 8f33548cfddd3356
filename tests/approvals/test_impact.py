"""Impact: the first rule that holds, and the highest wherever there is doubt."""

import pytest

from approvals.impact import HIGHEST_APPROVALS, Impact, Rule, classify
from cases.conditions import FACTS
from cases.vocabulary import Risk

BLANK = {name: fact.blank for name, fact in FACTS.items()} | {"action": "issue_refund", "currency": "USD"}
SMALL = Rule("amount <= 50.0", Risk.LOW, 1, 1440, may_run_alone=True)
MIDDLE = Rule("amount <= 500.0", Risk.MEDIUM, 1, 720, may_run_alone=False)
BROKEN = Rule("signals.judge_score > 0.5", Risk.LOW, 1, 1440, may_run_alone=True)


def of(amount: float, *rules: Rule, **options) -> Impact:
    return classify(BLANK | {"amount": amount}, rules, **options)


@pytest.mark.parametrize(
    ("amount", "rules", "impact"),
    [
        (10.0, (SMALL, MIDDLE), Risk.LOW),
        (50.0, (SMALL, MIDDLE), Risk.LOW),
        (50.01, (SMALL, MIDDLE), Risk.MEDIUM),
        (500.01, (SMALL, MIDDLE), Risk.CRITICAL),
        (10.0, (MIDDLE, SMALL), Risk.MEDIUM),
        (10.0, (), Risk.CRITICAL),
        (10.0, (BROKEN, SMALL), Risk.CRITICAL),
        (10.0, (SMALL, BROKEN), Risk.LOW),
        (10.0, (Rule("no such thing", Risk.LOW, 1, 60, True),), Risk.CRITICAL),
        (10.0, (Rule("amount", Risk.LOW, 1, 60, True),), Risk.CRITICAL),
    ],
)
def test_the_first_rule_that_holds_decides_and_doubt_is_critical(amount, rules, impact):
    assert of(amount, *rules).impact == impact


def test_the_highest_impact_needs_two_people_and_never_runs_alone():
    highest = of(10.0)
    assert (highest.approvals, highest.may_run_alone) == (HIGHEST_APPROVALS, False)
    assert highest.why == "no rule holds"


def test_a_rule_that_fails_says_so():
    assert of(10.0, BROKEN).why.startswith("a rule failed")


@pytest.mark.parametrize("rule", [SMALL, MIDDLE])
def test_a_callers_wish_for_approval_tightens_and_never_loosens(rule):
    asked, unasked = of(10.0, rule, caller_wants_approval=True), of(10.0, rule)
    assert not asked.may_run_alone
    assert (asked.impact, asked.approvals, asked.valid_minutes) == (
        unasked.impact,
        unasked.approvals,
        unasked.valid_minutes,
    )
