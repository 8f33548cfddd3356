"""Keeping ``RouteQuality``: summed up from the hourly sums, tenant by tenant, every few minutes.

It may lag behind the reviews by the sum of both, which no quality of many reviews notices; in exchange an intake reads
one row for each domain and release, and nothing of any review.
"""

from django.db import connection, transaction

from cases.clock import db_now
from cases.models import Tenant

from ..metrics.definitions import Dimension
from ..models import RouteQuality
from ..route_quality import WINDOW

_SUMS = {
    "n": "sum(reviewed)",
    "errors": "sum(reviewed - accepted)",
    "w": "sum(reviewed - audited + audit_weight)",
    "w2": "sum(reviewed - audited + audit_weight_squares)",
    "we": "sum(reviewed - accepted - audit_errors + audit_error_weight)",
    "w2e": "sum(reviewed - accepted - audit_errors + audit_error_weight_squares)",
}
_NAMES = ", ".join(_SUMS)
_COUNT = f"""
    INSERT INTO feedback_routequality AS kept (id, tenant_id, domain, release_id, {_NAMES}, counted_at)
    SELECT gen_random_uuid(), %(tenant)s, domain, key::uuid, {", ".join(_SUMS.values())}, %(now)s
    FROM feedback_metrichour
    WHERE tenant_id = %(tenant)s AND dimension = '{Dimension.RELEASE}' AND hour >= %(start)s AND hour <= %(now)s
      AND reviewed > 0
    GROUP BY domain, key
    ON CONFLICT (tenant_id, domain, release_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _SUMS)}, counted_at = excluded.counted_at
"""


def refresh() -> int:
    """Count every active tenant anew; returns how many rows there are. Idempotent."""
    return sum(_refresh_tenant(tenant) for tenant in Tenant.objects.filter(is_active=True).order_by("slug"))


@transaction.atomic
def _refresh_tenant(tenant: Tenant) -> int:
    now = db_now()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant": tenant.pk, "start": now - WINDOW, "now": now})
        counted = cursor.rowcount
    RouteQuality.objects.filter(tenant=tenant, counted_at__lt=now).delete()  # All of its reviews are too old.
    return counted
