"""The hourly sums by quarter and domain, for the report on maturity."""

from datetime import datetime
from typing import Any

from django.db import connection

from cases.models import Tenant

from ..advisor.intervals import Sums
from ..maturity import Standing
from .definitions import ALL, Dimension

DOMAINS = 50  # the largest

# Sampled cases of one hour, domain and release were drawn with one chance: their mean weight is each one's own, and so
# its square is known from the sums. Where a policy was published within the hour it is nearly so.
_QUARTERS = f"""
    SELECT date_trunc('quarter', hour, %(zone)s), domain,
        {{whole}},
        COALESCE(sum(audit_weight * audit_weight / audited) FILTER (WHERE {{sampled}}), 0),
        COALESCE(sum(audit_weight * audit_error_weight / audited) FILTER (WHERE {{sampled}}), 0)
    FROM feedback_metrichour
    WHERE tenant_id = %(tenant)s AND dimension IN ('{ALL}', '{Dimension.RELEASE}')
      AND hour >= %(start)s AND hour < %(end)s AND domain IN (
        SELECT domain FROM feedback_metrichour
        WHERE tenant_id = %(tenant)s AND dimension = '{ALL}' AND hour >= %(start)s AND hour < %(end)s
        GROUP BY 1 ORDER BY sum(opened + handled) DESC, 1 LIMIT {DOMAINS}
      )
    GROUP BY 1, 2 ORDER BY 2, 1
"""
_WHOLE = (
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
)
_SQL = _QUARTERS.format(
    whole=", ".join(f"COALESCE(sum({name}) FILTER (WHERE dimension = '{ALL}'), 0)" for name in _WHOLE),
    sampled=f"dimension = '{Dimension.RELEASE}' AND audited > 0",
)


def standings(tenant: Tenant, zone: str, start: datetime, end: datetime) -> list[Standing]:
    """Of each domain and quarter with facts, by domain and time; without agreement. One query."""
    values = {"tenant": tenant.pk, "zone": zone, "start": start, "end": end}
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
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
