"""Keeping what was refused."""

from collections.abc import Sequence

from ..clock import db_now
from ..history import current_request
from ..models import Denial, Tenant, User
from ..permissions import Denied, tenant_of


def keep_denial(denied: Denied) -> None:
    """Store a denied attempt. Called by the doors, outside the transaction that it rolled back."""
    Denial.objects.create(
        at=db_now(),
        actor=denied.actor,
        tenant=tenant_of(denied.subject) if denied.subject else None,
        permission=denied.permission,
        subject=f"{denied.subject._meta.label_lower}:{denied.subject.pk}" if denied.subject else "everything",
        request_id=current_request(),
    )


def keep_refusal(actor: User, page: str, tenants: Sequence[Tenant]) -> None:
    """Store that ``actor`` asked for a page that their roles do not open: a row in each of ``tenants``, or one in none.

    Called by the middleware, after the view's transaction is gone.
    """
    now, request_id = db_now(), current_request()
    Denial.objects.bulk_create(
        Denial(at=now, actor=actor, tenant=tenant, permission="page", subject=page[:100], request_id=request_id)
        for tenant in tenants or (None,)
    )
