"""What triage wants to know of a proposed action: the fact seam's provider. Read-only, touches only the database."""

from collections.abc import Mapping
from typing import Any

from cases.conditions import FACTS
from cases.models import Tenant

from .impact import Impact, Rule, classify
from .models import ActionType, ImpactRule


def action_facts(tenant: Tenant, intake: Mapping[str, Any]) -> dict[str, Any]:
    """``action_impact`` and ``action_may_run_alone`` for triage; nothing for an intake without an action."""
    action = intake.get("proposed_action")
    if not action:
        return {}
    _, impact = judge(tenant, action, domain=intake.get("domain", ""), customer_known=bool(intake.get("customer")))
    return {"action_impact": impact.impact, "action_may_run_alone": impact.may_run_alone}


def judge(
    tenant: Tenant, action: Mapping[str, Any], *, domain: str, customer_known: bool
) -> tuple[ActionType | None, Impact]:
    """The action's type, if the tenant has it, and its impact. An unknown type has the highest."""
    action_type = ActionType.objects.filter(tenant=tenant, name=action["action"], is_active=True).first()
    facts = {name: fact.blank for name, fact in FACTS.items()} | {
        "kind": "decision",
        "domain": domain,
        "action": action["action"],
        "amount": float(action.get("amount") or 0),
        "currency": action.get("currency") or "",
        "customer_known": customer_known,
    }
    rules = ImpactRule.objects.filter(action_type=action_type).order_by("position", "id") if action_type else ()
    return action_type, classify(
        facts,
        [Rule(rule.condition, rule.impact, rule.approvals, rule.valid_minutes, rule.may_run_alone) for rule in rules],
        caller_wants_approval=bool(action.get("requires_approval")),
    )
