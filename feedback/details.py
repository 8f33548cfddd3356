"""What the case's own page asks of feedback: the detail seam's provider."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cases.models import Case, User
from cases.states import State
from queues.models import Entry

from .services.firsts import blindness, with_rules


def case_details(cases: Sequence[Case], actor: User) -> dict[UUID, dict[str, Any]]:
    """Whether the one case of a page hides its draft from ``actor``. Lists show no draft, and ask nothing."""
    if len(cases) != 1 or actor.is_service or cases[0].state != State.PENDING_REVIEW:
        return {}
    case = cases[0]
    entry = with_rules(Entry.objects.filter(case=case)).first()
    return {case.pk: {"hides_draft": entry is not None and blindness(case, entry, actor).hides}}
