"""What the API says of a case from the approvals' side: the detail seam's provider."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import Case, User

from .models import ProposedAction


def case_details(cases: Sequence[Case], actor: User) -> dict[UUID, dict[str, Any]]:
    """Per case its actions, in one query."""
    details: dict[UUID, dict[str, Any]] = {}
    for action in ProposedAction.objects.filter(case__in=cases).order_by("id"):
        found = details.setdefault(action.case_id, {"actions": []})
        found["actions"].append(
            {"action_id": action.wire_id, "action": action.name, "state": action.state, "impact": action.impact}
        )
    return details
