"""What a stop would hit, counted before the button is pressed: the seam ``SWITCH_IMPACT_PROVIDERS``.

A provider is a function of ``Scope``, dotted in settings, that returns ``Impact`` rows; it reads only, in a fixed
number of bounded queries. Who may ask is the caller's matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils.module_loading import import_string

from ..clock import db_now
from ..ids import first_id_at
from ..models import Case
from ..states import State
from ..vocabulary import Route
from .switch import Scope

COUNTED = 5_000  # past it the figure says "more than", and nobody decides otherwise for it
WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Impact:
    """One line of the preview: a figure and what it counts."""

    figure: str
    words: str


@cache
def _providers() -> tuple:
    return tuple(import_string(path) for path in settings.SWITCH_IMPACT_PROVIDERS)


def impact_of(scope: Scope) -> list[Impact]:
    """What every room says of a stop in ``scope``."""
    return [impact for provider in _providers() for impact in provider(scope)]


def case_impact(scope: Scope) -> Sequence[Impact]:
    """Cases that wait, and how much of the last day's passed by itself. Cases know no action types: a scope that names
    one counts every case of its tenant and domain."""
    cases = Case.objects.real()
    if scope.tenant:
        cases = cases.filter(tenant=scope.tenant)
    if scope.domain:
        cases = cases.filter(domain=scope.domain)
    waiting = bounded(cases.filter(state=State.PENDING_REVIEW))
    recent = cases.filter(pk__gte=first_id_at(db_now() - WINDOW)).order_by("-pk").values("pk")[:COUNTED]
    automatic = Q(current_draft__route=Route.AUTO_APPROVE)
    day = Case.objects.filter(pk__in=recent).aggregate(all=Count("pk"), automatic=Count("pk", filter=automatic))
    share = f"{100 * day['automatic'] / day['all']:.0f} %" if day["all"] else "–"
    seen = f"the last {COUNTED:,}" if day["all"] == COUNTED else f"{day['all']:,}"
    return [
        numbered(waiting, "case waits for a person now", "cases wait for a person now"),
        Impact(share, f"of {seen} cases of the last day passed by themselves and would wait too"),
    ]


def bounded(rows: QuerySet) -> int:
    """How many there are, counted up to one past ``COUNTED``."""
    return rows.order_by().values("pk")[: COUNTED + 1].count()


def bounded_each(*lists: QuerySet) -> list[int]:
    """``bounded`` of several lists, in one query."""
    parts = [rows.order_by().values("pk")[: COUNTED + 1].query.sql_with_params() for rows in lists]
    counts = ", ".join(f"(SELECT count(*) FROM ({sql}) AS part)" for sql, _ in parts)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [value for _, values in parts for value in values])
        return list(cursor.fetchone())


def counted(number: int) -> str:
    return f"more than {COUNTED:,}" if number > COUNTED else f"{number:,}"


def numbered(number: int, one: str, several: str) -> Impact:
    """What ``bounded`` counted, in the words for so many."""
    return Impact(counted(number), one if number == 1 else several)
