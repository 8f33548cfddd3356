"""Which actions a reader may see, and what of them: one rule for every door.

Whoever sees a case sees that an action hangs on it, what it is and where it stands. What exactly is asked for, and what
the dry run said, is for those who may see proposed actions; whom it concerns, for those who may see customers.
"""

from django.db.models import Q, QuerySet

from cases.models import Case, User
from cases.permissions import Rights, tenants_of
from cases.veil import veiled

from .models import ProposedAction

CONTENT, CUSTOMER = "content", "customer"


def actions_visible_to(actor: User, actions: QuerySet[ProposedAction] | None = None) -> QuerySet[ProposedAction]:
    """The actions that ``actor`` may see: those of the tenants whose cases they see, as ``permissions.visible_to``.

    A service account never sees that of a challenge or a probe. Nobody sees that of a case whose outcome is kept from
    them: where it stands would tell.
    """
    actions = ProposedAction.objects.all() if actions is None else actions
    actions = actions.filter(tenant__in=tenants_of(actor)).exclude(veiled(actor, "case"))
    if actor.is_service:
        actions = actions.filter(Q(case=None) | Q(case__purpose=Case.Purpose.REAL))
    return actions


def fields_visible_to(actor: User, action: ProposedAction, rights: Rights | None = None) -> frozenset[str]:
    """Which sensitive parts of ``action`` a door may show: ``content``, its parameters, preview and hash; ``customer``.

    Doors that show many actions pass one ``Rights`` for all of them.
    """
    rights = rights or Rights(actor)
    granted = {CONTENT: "view_action", CUSTOMER: "view_customer"}
    return frozenset(part for part, right in granted.items() if rights.allowed(right, action.tenant))
