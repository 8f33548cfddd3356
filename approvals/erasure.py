"""What approvals hold of a customer besides what their cases name: actions that stand without a case."""

from django.db.models import Q

from cases.models import CaseEvent
from cases.services.erasure import Part, Scope

from .models import ProposedAction
from .states import TERMINAL

AT_MOST = 10  # sentences


def found(scope: Scope) -> Part:
    """By case or by the customer's key; their parameters, previews and signatures are texts under the same key.

    Notes about an action without a case carry no key: they are found through its events.
    """
    concerned = Q(case__in=scope.case_ids)
    if scope.key:
        concerned |= Q(case=None, content__customer_key=scope.key)
    actions = list(ProposedAction.objects.filter(concerned, tenant=scope.tenant).order_by("pk"))
    alone = [action for action in actions if action.case_id is None]
    notes = CaseEvent.objects.filter(
        tenant=scope.tenant, case=None, subject__in=[action.wire_id for action in alone], note__isnull=False
    )
    under_way = [action for action in alone if action.state not in TERMINAL]
    return Part(
        counts={"actions": len(actions)},
        texts=list(notes.values_list("note", flat=True)) if alone else (),
        wire_ids=[action.wire_id for action in actions],
        in_the_way=[f"An action has not ended ({action.wire_id})." for action in under_way[:AT_MOST]],
    )
