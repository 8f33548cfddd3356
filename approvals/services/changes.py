"""Carrying out what a second person has confirmed about authorities and action types: by the services that change
them without one."""

from typing import Any

from django.contrib.auth.models import Group

from cases.models import ChangeRequest, User
from cases.services.changes import Second

from ..models import ActionType, ApprovalAuthority, ImpactRule
from . import authorities, types
from .wishes import RULE, TYPE, fields


class AuthorityChange:
    """Through ``authorities.save``."""

    model = ApprovalAuthority

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        if asked.subject_id:
            authority = ApprovalAuthority.objects.select_related("tenant").get(pk=asked.subject_id)
        else:
            authority = ApprovalAuthority(tenant=asked.tenant)
        for name, value in asked.document.items():
            setattr(authority, name, value)
        authority.full_clean()
        authorities.save(authority, actor=second.by, reason=second.reason, second=second)


class GrantChange:
    """Carries it out through ``authorities.grant``, which asks again whether the holder may hold it."""

    model = ApprovalAuthority

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        authority = ApprovalAuthority.objects.select_related("tenant").get(pk=asked.subject_id)
        to = asked.document
        holder = Group.objects.get(pk=to["group"]) if "group" in to else User.objects.get(pk=to["user"])
        authorities.grant(authority, holder, actor=second.by, reason=second.reason, second=second)


class ActionTypeChange:
    """Carries it out through ``types.publish``."""

    model = ActionType

    @staticmethod
    def carry_out(asked: ChangeRequest, second: Second) -> None:
        if asked.subject_id:
            action_type = ActionType.objects.select_related("tenant").get(pk=asked.subject_id)
        else:
            action_type = ActionType(tenant=asked.tenant)
        for name in TYPE:
            setattr(action_type, name, asked.document[name])
        action_type.full_clean()
        if action_type._state.adding:
            action_type.save_as(second.by, second.reason)  # For its rules to point at.
        _set_rules(action_type, asked.document["rules"], second)
        types.publish(action_type, actor=second.by, reason=second.reason, second=second)


def _set_rules(action_type: ActionType, wanted: list[dict[str, Any]], second: Second) -> None:
    """In their order: a rule has no name to be known by."""
    stored = list(action_type.impact_rules.all())
    for surplus in stored[len(wanted) :]:
        surplus.delete_as(second.by, second.reason)
    for place, row in enumerate(wanted):
        rule = stored[place] if place < len(stored) else ImpactRule(action_type=action_type)
        if rule._state.adding or fields(rule, RULE) != row:
            for name in RULE:
                setattr(rule, name, row[name])
            rule.full_clean()
            rule.save_as(second.by, second.reason)
