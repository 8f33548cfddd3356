"""What a stop of automation, or a freeze, would hit among actions: this room's part of ``SWITCH_IMPACT_PROVIDERS``."""

from collections.abc import Sequence

from django.db.models import QuerySet

from cases.services.impact import Impact, bounded_each, numbered
from cases.services.switch import Scope

from ..models import ProposedAction
from ..states import ActionState


def action_impact(scope: Scope) -> Sequence[Impact]:
    """Actions about to run alone, those that people signed, and those that are under way already."""
    actions = _within(scope)
    approved = actions.filter(state=ActionState.APPROVED)
    alone, signed, open_calls = bounded_each(
        approved.filter(may_run_alone=True),
        approved.filter(may_run_alone=False),
        actions.filter(state__in=(ActionState.EXECUTING, ActionState.UNKNOWN)),
    )
    return [
        numbered(
            alone,
            "action that may run alone is about to, and would be held",
            "actions that may run alone are about to, and would be held",
        ),
        numbered(
            signed,
            "action that people signed waits to be carried out: a freeze holds it too",
            "actions that people signed wait to be carried out: a freeze holds these too",
        ),
        numbered(
            open_calls,
            "action is under way or of unknown result: a stop does not call it back",
            "actions are under way or of unknown result: a stop does not call these back",
        ),
    ]


def _within(scope: Scope) -> QuerySet[ProposedAction]:
    actions = ProposedAction.objects.all()
    if scope.tenant:
        actions = actions.filter(tenant=scope.tenant)
    if scope.domain:
        actions = actions.filter(case__domain=scope.domain)
    if scope.action:
        actions = actions.filter(name=scope.action)
    return actions
