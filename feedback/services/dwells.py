"""Dwell: how long a page was in front, how far it was read, how much of it was opened; where a tenant records it.

The page's script sends it, so that it is a hint and no proof: nothing comes without JavaScript, and who wants to can
send anything within the bounds. It is one row for a claim, never a text, and goes after ``KEPT``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from cases.clock import db_now
from cases.models import Case, Tenant, User
from cases.permissions import require
from queues.models import Claim

from ..habits import Dwelt
from ..models import Dwell, DwellPolicy

KEPT = timedelta(days=90)
LATE = timedelta(minutes=1)  # after the claim's end: a browser sends the last of it while it leaves the page
MOST_OPENED = 999
BATCH = 5_000


@dataclass(frozen=True)
class Sent:
    """What the page says. ``depth`` in percent of its height; whatever is out of bounds is brought within them."""

    seconds: int
    is_long: bool
    depth: int
    opened: int


def is_recorded(tenant: Tenant) -> bool:
    policy: DwellPolicy | None = getattr(tenant, "dwell_policy", None)
    return policy is not None and policy.is_on


@transaction.atomic
def keep(case: Case, *, actor: User, generation: int, sent: Sent) -> bool:
    """Keep the greatest of what the page has said of this claim of ``actor``; False where nothing is recorded."""
    now = db_now()
    open_or_just_ended = Q(ended_at=None) | Q(ended_at__gt=now - LATE)
    claim = Claim.objects.filter(open_or_just_ended, case=case, user=actor, generation=generation).first()
    if claim is None or not is_recorded(case.tenant):
        return False
    greatest = {
        "seconds": min(max(0, sent.seconds), int((now - claim.claimed_at).total_seconds()) + 1),
        "depth": min(max(0, sent.depth), 100),
        "opened": min(max(0, sent.opened), MOST_OPENED),
    }
    row = Dwell(pk=generation, tenant=case.tenant, case=case, person=actor, is_long=False, last_at=now, **greatest)
    Dwell.objects.bulk_create([row], ignore_conflicts=True)
    grown = {name: Greatest(F(name), Value(value)) for name, value in greatest.items()}
    if sent.is_long:
        grown["is_long"] = True
    Dwell.objects.filter(pk=generation).update(last_at=now, **grown)
    return True


@transaction.atomic
def save_policy(policy: DwellPolicy, *, actor: User, reason: str) -> None:
    """Switch it on or off; off deletes what was recorded. Raises ``Denied``."""
    require(actor, "change_tenant", policy.tenant)
    policy.full_clean()
    policy.save_as(actor, reason)
    if not policy.is_on:
        Dwell.objects.filter(tenant=policy.tenant).delete()


def forget_old() -> int:
    """Delete what is older than ``KEPT``, so many at once; returns how many."""
    old = Dwell.objects.filter(last_at__lt=db_now() - KEPT).order_by("last_at").values_list("pk", flat=True)[:BATCH]
    return Dwell.objects.filter(pk__in=list(old)).delete()[0]


def dwelt_since(tenant: Tenant, since: datetime, *, most: int, person: UUID | None = None) -> Mapping[int, Dwelt]:
    """By claim what was recorded of it, of the ``most`` that are latest, in one query; nothing where it is off."""
    rows = Dwell.objects.filter(tenant=tenant, tenant__dwell_policy__is_on=True, last_at__gte=since)
    if person is not None:
        rows = rows.filter(person=person)
    rows = rows.order_by("-last_at").values_list("generation", "seconds", "is_long", "depth", "opened")
    return {generation: Dwelt(*values) for generation, *values in rows[:most]}
