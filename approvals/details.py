"""What the API says of a case from the approvals' side: the detail seam's provider."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import Case, User

from .binding import amount_text
from .models import ProposedAction
from .presentation import last_results, reference_of


def case_details(cases: Sequence[Case], actor: User) -> dict[UUID, dict[str, Any]]:
    """Per case its actions and what became of each, in two queries, or one where there are none."""
    actions = list(ProposedAction.objects.filter(case__in=cases).order_by("id"))
    results = last_results([action.pk for action in actions]) if actions else {}
    details: dict[UUID, dict[str, Any]] = {}
    for action in actions:
        found = details.setdefault(action.case_id, {"actions": []})
        found["actions"].append(
            {
                "action_id": action.wire_id,
                "action": action.name,
                "state": action.state,
                "impact": action.impact,
                "amount": amount_text(action.amount, action.currency),
                "currency": action.currency or None,
                "reference": reference_of(results.get(action.pk)),
            }
        )
    return details
