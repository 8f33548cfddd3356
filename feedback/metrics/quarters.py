"""The sums by quarter and domain, for the report on maturity."""

from datetime import datetime
from typing import Any

from django.db import connection

from cases.models import Tenant

from ..advisor.intervals import Sums
from ..maturity import Standing
from .definitions import ALL
from .levels import Rows, columns

DOMAINS = 50  # the largest

_NAMES = (
    "opened",
    "approved",
    "rejected",
    "automatic",
    "judged",
    "overridden",
    "audited",
    "audit_errors",
    "audit_weight",
    "audit_error_weight",
    "audit_weight_squares",
    "audit_error_weight_squares",
)
_SUMS = ", ".join(f"sum({name})" for name in _NAMES)


def standings(tenant: Tenant, zone: str, start: datetime, end: datetime) -> list[Standing]:
    """Of each domain and quarter with facts, by domain and time; without agreement. One query."""
    rows = Rows(tenant.pk, zone, start, end, (ALL,))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH kept AS MATERIALIZED ({rows.by_day(columns("domain", "handled", *_NAMES))})
            SELECT date_trunc('quarter', day::timestamp) AT TIME ZONE %(zone)s, domain, {_SUMS}
            FROM kept WHERE domain IN (
                SELECT domain FROM kept GROUP BY 1 ORDER BY sum(opened + handled) DESC, 1 LIMIT {DOMAINS}
            ) GROUP BY 1, 2 ORDER BY 2, 1
            """,
            rows.values,
        )
        return [_standing(*row) for row in cursor.fetchall()]


def _standing(quarter: datetime, domain: str, *sums: Any) -> Standing:
    opened, approved, rejected, automatic, judged, overridden, n, errors, w, we, w2, w2e = sums
    return Standing(
        domain=domain,
        quarter=quarter,
        cases=int(opened),
        finals=int(approved + rejected),
        automatic=int(automatic),
        judged=int(judged),
        overridden=int(overridden),
        audits=Sums(int(n), float(w), float(w2), int(errors), float(we), float(w2e)),
    )
