"""What routing asks of approvals: which authority a case's action needs. Read-only, touches only the database."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from cases.models import Case
from cases.vocabulary import Risk

from .models import ApprovalAuthority, ProposedAction


def needed_authorities(cases: Sequence[Case]) -> dict[UUID, str]:
    """Per case the code of the smallest authority that covers its latest action, ended or not.

    A case without an action, or with one that no authority covers, is left out. Two queries, however many they are.
    """
    latest = ProposedAction.objects.filter(case__in=[case.pk for case in cases], action_type__isnull=False)
    actions = list(latest.order_by("case", "-id").distinct("case"))
    if not actions:
        return {}
    known: dict[UUID, list[ApprovalAuthority]] = defaultdict(list)
    for authority in ApprovalAuthority.objects.filter(action_type__in={action.action_type_id for action in actions}):
        known[authority.action_type_id].append(authority)
    needed = ((action.case_id, smallest(action, known[action.action_type_id])) for action in actions)
    return {case_id: authority.code for case_id, authority in needed if authority}


def authority_codes(tenant_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Per tenant the codes of its authorities, by name; a tenant without any is left out."""
    codes: dict[UUID, list[str]] = defaultdict(list)
    rows = ApprovalAuthority.objects.filter(tenant__in=tenant_ids, is_active=True).order_by("code")
    for tenant_id, code in rows.values_list("tenant_id", "code"):
        codes[tenant_id].append(code)
    return dict(codes)


def smallest(action: ProposedAction, authorities: Iterable[ApprovalAuthority]) -> ApprovalAuthority | None:
    """The authority of the least amount, then of the least impact, that covers ``action``; all are of its type."""
    return min((one for one in authorities if one.reaches(action)), key=_size, default=None)


def _size(authority: ApprovalAuthority) -> tuple[Decimal, int, str]:
    return authority.max_amount or Decimal(0), Risk(authority.max_impact).rank, authority.code
