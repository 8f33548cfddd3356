"""Keeping what was refused."""

from ..clock import db_now
from ..history import current_request
from ..models import Denial
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
