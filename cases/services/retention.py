"""Retention: texts that are older than their tenant keeps them, found and erased in small batches."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..clock import db_now
from ..errors import InFlight
from ..ids import first_id_at
from ..models import Case, CaseEvent, Content, RetentionRule, Tenant
from ..models.people import system_actor
from ..states import OPEN
from . import holds
from .erasure import erase_old

BATCH = 100  # cases in one transaction, whose rows it holds

Progress = Callable[[int], object]


def rules() -> QuerySet[RetentionRule]:
    """Those that say a period, one for a tenant."""
    return RetentionRule.objects.exclude(case_days=0).select_related("tenant").order_by("tenant__slug")


def old_cases(rule: RetentionRule, now: datetime) -> QuerySet[Content]:
    """The own texts of ended cases to which nothing has happened for ``case_days`` and on which no hold stands, oldest
    first. Ids rise with time, so that the index gives them in this order."""
    cutoff = now - timedelta(days=rule.case_days)
    case = Case.objects.filter(pk=OuterRef("case_id")).exclude(state__in=OPEN)
    ended = case.filter(Q(final_at=None) | Q(final_at__lt=cutoff), open_actions=0)
    lately = CaseEvent.objects.filter(case=OuterRef("case_id"), at__gte=cutoff)
    own = Content.objects.filter(
        tenant=rule.tenant_id, owner=Content.Owner.CASE, erased_at=None, pk__lt=first_id_at(cutoff)
    )
    return own.filter(Exists(ended), ~Exists(lately)).exclude(holds.is_held()).order_by("pk")


def count(rule: RetentionRule) -> int:
    """How many cases a run would erase the texts of now."""
    return old_cases(rule, db_now()).count() if rule.case_days else 0


def run(rule: RetentionRule, *, seconds: float | None = None, progress: Progress | None = None) -> int:
    """Erase what is too old; returns of how many cases. Stops between two batches when ``seconds`` have passed; safe to
    run twice at once, and to kill."""
    ends = time.monotonic() + seconds if seconds is not None else None
    total = 0
    for batch in _batches(rule):
        done = _erase(rule, batch)
        total += done
        if progress:
            progress(done)
        if ends is not None and time.monotonic() >= ends:
            break
    return total


def sweep(*, seconds: float) -> int:
    """Every tenant's turn within ``seconds``; returns of how many cases the texts went."""
    ends, total = time.monotonic() + seconds, 0
    for rule in rules()[:1_000]:
        if (left := ends - time.monotonic()) <= 0:
            break
        total += run(rule, seconds=left)
    return total


def _batches(rule: RetentionRule) -> Iterator[list[UUID]]:
    """Keys of cases; what cannot be erased now is passed by and not met again in this run."""
    if not rule.case_days:
        return
    now, after = db_now(), UUID(int=0)
    while found := list(old_cases(rule, now).filter(pk__gt=after).values_list("pk", "case_id")[:BATCH]):
        after = found[-1][0]
        yield [case_id for _, case_id in found]


@transaction.atomic
def _erase(rule: RetentionRule, case_ids: list[UUID]) -> int:
    tenant = Tenant.objects.get(pk=rule.tenant_id)
    holds.fence(tenant)
    try:
        with transaction.atomic():
            reason = f"texts are kept for {rule.case_days} days"
            receipt = erase_old(tenant, case_ids, reason=reason, actor=system_actor())
    except InFlight:
        return 0  # The next run finds them again.
    return receipt.counts["cases"] if receipt else 0
