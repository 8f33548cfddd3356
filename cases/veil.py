"""Whose eyes an outcome is kept from: who is asked to judge a decided case by themselves does not see what was decided.

Which cases those are is said by the rooms above (``CASE_OUTCOME_VEILS``: dotted paths, each from a person to a query of
cases' keys). Every door that shows what became of a case asks here.
"""

from collections.abc import Iterable
from functools import cache, reduce
from operator import or_

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from .models import Case, CaseEvent, User
from .states import State

_TELLS = (CaseEvent.Kind.DECIDED, CaseEvent.Kind.VOTED, CaseEvent.Kind.DRAFT_REQUESTED)


@cache
def _veils() -> tuple:
    return tuple(import_string(path) for path in settings.CASE_OUTCOME_VEILS)


def veiled(actor: User, case: str = "pk") -> Q:
    """The condition on a query's column ``case`` that the case's outcome is kept from ``actor`` now."""
    if not actor.is_person:
        return Q(pk__in=())
    return reduce(or_, (Q(**{f"{case}__in": veil(actor)}) for veil in _veils()), Q(pk__in=()))


def veiled_among(cases: Iterable[Case], actor: User) -> frozenset:
    """The keys of those of ``cases`` whose outcome ``actor`` may not see; one query where any of them is decided."""
    decided = [case.pk for case in cases if case.state in (State.APPROVED, State.REJECTED)]
    if not decided or not actor.is_person:
        return frozenset()
    return frozenset(Case.objects.filter(veiled(actor), pk__in=decided).values_list("pk", flat=True))


def before_outcome(events: QuerySet[CaseEvent]) -> QuerySet[CaseEvent]:
    """Of one case's ``events`` what happened before anybody said anything of its draft."""
    first = events.order_by("id").filter(kind__in=_TELLS).values_list("id", flat=True).first()
    return events.filter(id__lt=first) if first else events
