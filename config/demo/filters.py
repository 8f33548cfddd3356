"""Filters that the demo's people keep for themselves above their lists."""

from cases.models import User
from cases.services import saved_filters
from cases.vocabulary import Role

WAITING, CASES = "queues.entry", "cases.case"
KEPT = {
    Role.REVIEWER: ((WAITING, "Overdue", "deadline=over"), (CASES, "Critical", "risk__exact=critical")),
    Role.SUPERVISOR: (
        (WAITING, "Overdue, with nobody", "deadline=over&holder=nobody"),
        (WAITING, "Critical", "risk__exact=critical"),
    ),
}


def keep_filters(user: User, role: Role) -> None:
    """Those of somebody in ``role``."""
    for list_name, name, query in KEPT.get(role, ()):
        saved_filters.save(user, list_name, name=name, query=query)
