"""Trying impact rules on past actions before they are saved."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.facts import rules_of
from approvals.impact import Rule
from approvals.models import ActionType, ImpactRule
from approvals.services.trial import try_rules
from cases.vocabulary import Risk

from .desks import Desk, fresh, make_desk, run_due
from .test_approve_page import door, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    return make_desk()


def stored(desk: Desk) -> list[Rule]:
    return list(rules_of([desk.refunds])[desk.refunds.pk])


def test_the_stored_rules_judge_every_past_action_as_it_stands(desk, till):
    for amount in ("42.00", "420.00", "4200.00", None):
        desk.propose(amount, customer_id="cust_1")
    trial = try_rules(desk.refunds, stored(desk))
    assert (trial.judged, trial.changed, trial.named) == (4, 0, [])


def test_a_change_says_which_actions_it_would_judge_otherwise(desk):
    medium, high = desk.propose("420.00"), desk.propose("4200.00")
    rules = [Rule("amount <= 5000.0", Risk.MEDIUM, 1, 1440, False)]
    trial = try_rules(desk.refunds, rules)
    assert (trial.judged, trial.changed, trial.looser) == (2, 1, 1)
    (change,) = trial.named
    assert change.action == high
    assert ("impact", "high", "medium") in change.words
    assert trial.moves == [("High", "Medium", 1)]
    assert {fresh(medium).impact, fresh(high).impact} == {"medium", "high"}, "nothing is stored"


def test_it_knows_what_had_been_done_for_the_customer_by_then(desk, till):
    for _ in range(3):
        desk.approve(desk.propose(customer_id="cust_1"), desk.ann)
        run_due()
    rules = [Rule("customer_actions_30d >= 2", Risk.HIGH, 2, 1440, False), *stored(desk)]
    trial = try_rules(desk.refunds, rules)
    assert (trial.judged, trial.changed) == (3, 1), "only the third had two before it"


def test_a_rule_that_fails_counts_as_the_highest_impact(desk):
    desk.propose("420.00")
    trial = try_rules(desk.refunds, [Rule("amount / 0.0 > tags[5]", Risk.LOW, 1, 1440, True)])
    assert trial.moves == [("Medium", "Critical", 1)]


def test_a_trial_asks_two_queries_however_many_there_are(desk):
    counts = []
    for _ in range(2):
        desk.propose("100.00", customer_id="cust_1")
        with CaptureQueriesContext(connection) as queries:
            try_rules(desk.refunds, stored(desk))
        counts.append(len(queries) - 1)  # ``stored`` asks one of its own.
    assert counts == [2, 2]


def form_data(desk: Desk, **changes: str) -> dict[str, str]:
    """The page of the action type, posted as it stands."""
    kind = ActionType.objects.get(pk=desk.refunds.pk)
    rules = list(ImpactRule.objects.filter(action_type=kind).order_by("position", "id"))
    data = {
        "title": kind.title,
        "is_active": "on",
        "schema": '{"type": "object"}',
        "executor_kind": kind.executor_kind,
        "executor": kind.executor,
        "executor_timeout_seconds": "10",
        "honours_keys": "on",
        "seen": str(kind.history.latest("history_id").pk),
        "impact_rules-TOTAL_FORMS": str(len(rules)),
        "impact_rules-INITIAL_FORMS": str(len(rules)),
    }
    for number, rule in enumerate(rules):
        for name in ("position", "condition", "impact", "approvals", "authority_code", "decide_minutes"):
            data[f"impact_rules-{number}-{name}"] = str(getattr(rule, name))
        data[f"impact_rules-{number}-valid_minutes"] = str(rule.valid_minutes)
        data[f"impact_rules-{number}-id"] = str(rule.pk)
        data[f"impact_rules-{number}-action_type"] = str(kind.pk)
        if rule.may_run_alone:
            data[f"impact_rules-{number}-may_run_alone"] = "on"
    return data | changes


def test_the_page_tries_a_change_and_saves_nothing(desk):
    desk.propose("4200.00")
    tara = desk.world.person("tara", "tenant_admin")
    page = reverse("admin:approvals_actiontype_change", args=[desk.refunds.pk])
    sent = form_data(desk, **{"_try": "1", "impact_rules-1-condition": "amount <= 5000.0"})
    response = door(tara).post(page, sent)
    text = text_of(response)
    assert "1 of the last 1 actions would be judged otherwise" in text
    assert "1 from high to medium impact" in text
    assert "amount &lt;= 5000.0" in text, "what was typed stays in the form"
    assert stored(desk)[1].condition == "amount <= 500.0"
    unchanged = text_of(door(tara).post(page, form_data(desk, **{"_try": "1"})))
    assert "would be judged as they are" in unchanged
    outsider = make_desk("other").world.person("oscar", "tenant_admin")
    assert door(outsider).post(page, sent)["Location"] == "/admin/"
