"""Putting a policy in force that a second person has confirmed: the policy whole, with its conditions."""

from typing import Any

from ..models import ChangeRequest, Policy, TriggerCondition
from .changes import Second
from .policies import publish
from .wishes import CONDITION


class PolicyChange:
    """Carries it out through ``policies.publish``, as a change without a second person."""

    model = Policy

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        document = asked.document
        if asked.subject_id:
            policy = Policy.objects.select_related("tenant").get(pk=asked.subject_id)
        else:
            policy = Policy(tenant=asked.tenant, domain=document["domain"])
        for name, value in document["fields"].items():
            setattr(policy, name, value)
        policy.full_clean()
        if document["conditions"] is not None:
            _set_conditions(policy, document["conditions"], second)
        publish(policy, actor=second.by, reason=second.reason, second=second)


def _set_conditions(policy: Policy, wanted: list[dict[str, Any]], second: Second) -> None:
    """By name, which is unique in a policy: those that are gone go first, so that a name can be taken over."""
    stored = {condition.name: condition for condition in policy.conditions.all()}
    for name in stored.keys() - {row["name"] for row in wanted}:
        stored[name].delete_as(second.by, second.reason)
    for row in wanted:
        condition = stored.get(row["name"]) or TriggerCondition(policy=policy)
        if condition._state.adding or any(getattr(condition, name) != row[name] for name in CONDITION):
            for name in CONDITION:
                setattr(condition, name, row[name])
            condition.full_clean()
            condition.save_as(second.by, second.reason)
