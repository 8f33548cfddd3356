"""Keeping who looked at what is sensitive. One statement at most, in no transaction of anybody else."""

from datetime import datetime

from ..clock import db_now
from ..details import details_of
from ..history import current_request
from ..models import Case, DataView, User
from ..permissions import fields_visible_to
from ..vocabulary import KeepViews


def keep_view(
    actor: User, case: Case, what: DataView.What, *, at: datetime, is_holder: bool = False, with_customer: bool = False
) -> None:
    """Store that ``actor`` was shown ``case`` at the instant ``at``, as far as its tenant wants views to be kept.

    ``is_holder``: the actor holds the case, to work on it. Service accounts work for their caller and are not kept.
    A second view of the same hour is the same row.
    """
    keep = case.tenant.keep_views
    if not actor.is_person or keep == KeepViews.NONE or (is_holder and keep == KeepViews.OTHERS):
        return
    view = DataView(
        tenant_id=case.tenant_id,
        case_id=case.pk,
        actor=actor,
        what=what,
        with_customer=with_customer,
        at=at,
        hour=at.replace(minute=0, second=0, microsecond=0),
        request_id=current_request(),
    )
    DataView.objects.bulk_create([view], ignore_conflicts=True)


def keep_api_view(actor: User, case: Case, what: DataView.What) -> None:
    """``keep_view`` for the API, whose answers to service accounts it must not slow down."""
    if not actor.is_person:
        return
    is_holder = details_of([case], actor)[case.pk].get("holder_id") == actor.pk
    with_customer = what == DataView.What.API and "customer" in fields_visible_to(actor, case)
    keep_view(actor, case, what, at=db_now(), is_holder=is_holder, with_customer=with_customer)
