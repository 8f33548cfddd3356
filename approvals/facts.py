"""What triage and the impact rules want to know of proposed actions. Read-only, touches only the database."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Sum

from cases.clock import db_now
from cases.conditions import FACTS
from cases.digests import customer_key
from cases.models import Tenant
from cases.services.judging import customer_known

from .impact import Impact, Rule, classify
from .models import ActionType, ImpactRule, ProposedAction
from .states import ActionState

CUSTOMER_WINDOW = timedelta(days=30)
DONE = (ActionState.EXECUTING, ActionState.EXECUTED, ActionState.UNKNOWN)  # What may have happened counts.


@dataclass(frozen=True)
class KnownType:
    """An action type that the tenant has, with its rules in their order."""

    action_type: ActionType
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Asked:
    """An action as it is asked for, with what the rules may know of its case."""

    name: str
    amount: Decimal | None = None
    currency: str = ""
    customer: bytes | None = None  # the customer's key
    wants_approval: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)


History = Mapping[tuple[str, str, bytes], tuple[int, float]]  # (name, currency, customer) → (how many, how much)


def action_facts(tenant: Tenant, intakes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per intake what triage asks of its action; nothing for one without an action.

    Three queries, however many they are; none where no intake proposes anything.
    """
    asked = [asked_by(tenant, intake) if intake.get("proposed_action") else None for intake in intakes]
    wanted = [one for one in asked if one]
    if not wanted:
        return [{} for _ in intakes]
    known = action_types(tenant, {one.name for one in wanted})
    history = customer_history(tenant, wanted, now=db_now())
    return [_answer(one, known, history) if one else {} for one in asked]


def _answer(asked: Asked, known: Mapping[str, KnownType], history: History) -> dict[str, Any]:
    impact = impact_of(asked, known, history)
    count, amount = _of_customer(asked, history)
    return {
        "action_impact": impact.impact,
        "action_may_run_alone": impact.may_run_alone,
        "customer_actions_30d": count,
        "customer_amount_30d": amount,
    }


def asked_by(tenant: Tenant, intake: Mapping[str, Any]) -> Asked:
    """The proposed action of an intake."""
    context = {
        "kind": "decision",
        "domain": intake.get("domain", ""),
        "language": intake.get("language", ""),
        "tags": list(intake.get("tags", [])),
        "customer_known": customer_known(intake),
    }
    if risk := intake.get("risk_level"):
        context["risk"] = str(risk)
    return asked_for(tenant, intake["proposed_action"], context)


def asked_for(tenant: Tenant, sent: Mapping[str, Any], context: Mapping[str, Any]) -> Asked:
    """An action as parsed, with what is known of its case."""
    amount = sent.get("amount")
    return Asked(
        sent["action"],
        Decimal(amount) if amount is not None else None,
        sent.get("currency") or "",
        key_of(tenant, sent.get("customer_id")),
        bool(sent.get("requires_approval")),
        context,
    )


def key_of(tenant: Tenant, reference: str | None) -> bytes | None:
    return customer_key(settings.CUSTOMER_KEY_SECRET, tenant.pk, reference) if reference else None


def action_types(tenant: Tenant, names: Collection[str]) -> dict[str, KnownType]:
    """The tenant's active action types among ``names``, each by its name."""
    found = list(ActionType.objects.filter(tenant=tenant, name__in=names, is_active=True))
    rules = rules_of(found)
    return {action_type.name: KnownType(action_type, rules[action_type.pk]) for action_type in found}


def rules_of(types: Collection[ActionType]) -> dict[UUID, tuple[Rule, ...]]:
    """Per type its rules in their order, in one query."""
    rules: dict[UUID, list[Rule]] = defaultdict(list)
    if types:
        for row in ImpactRule.objects.filter(action_type__in=types).order_by("position", "id"):
            rules[row.action_type_id].append(rule_of(row))
    return {action_type.pk: tuple(rules[action_type.pk]) for action_type in types}


def rule_of(row: ImpactRule) -> Rule:
    return Rule(
        row.condition,
        row.impact,
        row.approvals,
        row.valid_minutes,
        row.may_run_alone,
        row.authority_code,
        row.decide_minutes,
    )


def customer_history(tenant: Tenant, asked: Collection[Asked], *, now: datetime) -> History:
    """What was done for the same customers by the same actions within ``CUSTOMER_WINDOW``, in one query."""
    keys = {one.customer for one in asked if one.customer}
    if not keys:
        return {}
    rows = (
        ProposedAction.objects.filter(
            tenant=tenant,
            content__tenant=tenant,
            content__customer_key__in=keys,
            name__in={one.name for one in asked},
            state__in=DONE,
            proposed_at__gte=now - CUSTOMER_WINDOW,
        )
        .values_list("name", "currency", "content__customer_key")
        .annotate(Count("pk"), Sum("amount"))
    )
    return {(name, currency, bytes(key)): (count, float(total or 0)) for name, currency, key, count, total in rows}


def _of_customer(asked: Asked, history: History) -> tuple[int, float]:
    return history.get((asked.name, asked.currency, asked.customer), (0, 0.0)) if asked.customer else (0, 0.0)


def impact_of(asked: Asked, known: Mapping[str, KnownType], history: History) -> Impact:
    """The impact of an action as it is asked for. A type that the tenant does not have has the highest."""
    count, amount = _of_customer(asked, history)
    facts = {name: fact.blank for name, fact in FACTS.items()} | {
        **asked.context,
        "action": asked.name,
        "amount": float(asked.amount or 0),
        "currency": asked.currency,
        "customer_actions_30d": count,
        "customer_amount_30d": amount,
    }
    found = known.get(asked.name)
    return classify(facts, found.rules if found else (), caller_wants_approval=asked.wants_approval)
