"""What triage wants to know of proposed actions: the fact seam's provider. Read-only, touches only the database."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cases.conditions import FACTS
from cases.models import Tenant
from cases.services.judging import customer_known

from .impact import Impact, Rule, classify
from .models import ActionType, ImpactRule


@dataclass(frozen=True)
class KnownType:
    """An action type that the tenant has, with its rules in their order."""

    action_type: ActionType
    rules: tuple[Rule, ...]


def action_facts(tenant: Tenant, intakes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per intake ``action_impact`` and ``action_may_run_alone`` for triage; nothing for one without an action.

    Two queries, however many they are; none where no intake proposes anything.
    """
    names = {action["action"] for intake in intakes if (action := intake.get("proposed_action"))}
    known = action_types(tenant, names) if names else {}
    return [_facts_of(intake, known) for intake in intakes]


def _facts_of(intake: Mapping[str, Any], known: Mapping[str, KnownType]) -> dict[str, Any]:
    action = intake.get("proposed_action")
    if not action:
        return {}
    impact = impact_of(action, known, domain=intake.get("domain", ""), is_customer_known=customer_known(intake))
    return {"action_impact": impact.impact, "action_may_run_alone": impact.may_run_alone}


def action_types(tenant: Tenant, names: Collection[str]) -> dict[str, KnownType]:
    """The tenant's active action types among ``names``, each by its name."""
    found = list(ActionType.objects.filter(tenant=tenant, name__in=names, is_active=True))
    rules: dict[UUID, list[Rule]] = defaultdict(list)
    if found:
        for rule in ImpactRule.objects.filter(action_type__in=found).order_by("position", "id"):
            rules[rule.action_type_id].append(
                Rule(rule.condition, rule.impact, rule.approvals, rule.valid_minutes, rule.may_run_alone)
            )
    return {action_type.name: KnownType(action_type, tuple(rules[action_type.pk])) for action_type in found}


def impact_of(
    action: Mapping[str, Any], known: Mapping[str, KnownType], *, domain: str, is_customer_known: bool
) -> Impact:
    """The impact of an action as it was sent. A type that the tenant does not have has the highest."""
    facts = {name: fact.blank for name, fact in FACTS.items()} | {
        "kind": "decision",
        "domain": domain,
        "action": action["action"],
        "amount": float(action.get("amount") or 0),
        "currency": action.get("currency") or "",
        "customer_known": is_customer_known,
    }
    found = known.get(action["action"])
    return classify(facts, found.rules if found else (), caller_wants_approval=bool(action.get("requires_approval")))
