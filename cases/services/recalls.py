"""Recalls: automatic approvals since a chosen moment go back to people, batch by batch, as a job that can be killed."""

import time
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from ..clock import db_now
from ..errors import CountersignError, IllegalState
from ..ids import first_id_at
from ..models import Case, CaseEvent, RecallRun, Tenant, User
from ..nudges import SWEEP_RECALLS, nudge
from ..permissions import require
from ..states import State
from . import lifecycle
from .impact import bounded
from .switch import ReasonMissing, wait_for_automatic_decisions

BATCH = 50  # cases in one transaction: a quarter of a second, in which their rows are held
TRIGGER = "automation_recall"


class RecallRunning(IllegalState):
    code = "recall_running"
    title = "A recall is under way"


class MomentInvalid(CountersignError):
    code = "recall_moment"
    status = 400
    title = "This moment cannot be chosen"


def to_recall(tenant: Tenant, *, since: datetime, until: datetime, domain: str = "") -> QuerySet[Case]:
    """The automatic approvals of the window that still stand and that no person has confirmed."""
    confirmed = CaseEvent.objects.filter(case=OuterRef("pk"), kind=CaseEvent.Kind.AUDITED)
    cases = Case.objects.real().filter(
        ~Exists(confirmed),
        tenant=tenant,
        state=State.AUTO_APPROVED,
        content__erased_at=None,  # Nobody could decide it again.
        pk__gte=first_id_at(since),  # Decided when opened: the key finds the window, the instant cuts it.
        decided_at__gte=since,
        decided_at__lt=until,
    )
    return cases.filter(domain=domain) if domain else cases


def preview(tenant: Tenant, *, since: datetime, domain: str = "", actor: User) -> int:
    """How many a recall would take back now, counted up to ``impact.COUNTED`` and one. Raises as ``ask`` does."""
    require(actor, "reopen_case", tenant)
    now = db_now()
    _check(since, now)
    return bounded(to_recall(tenant, since=since, until=now, domain=domain))


@transaction.atomic
def ask(tenant: Tenant, *, since: datetime, domain: str = "", reason: str, actor: User) -> RecallRun:
    """Begin a recall; workers carry it out. One runs per tenant at a time.

    Raises ``Denied``, ``ReasonMissing``, ``MomentInvalid`` and ``RecallRunning``.
    """
    require(actor, "reopen_case", tenant)
    if not reason.strip():
        raise ReasonMissing("Say why: the reason stands beside every case that comes back. Nothing was changed.")
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)  # Two wishes at once come one after the other.
    if RecallRun.objects.filter(tenant=tenant, finished_at=None).exists():
        raise RecallRunning("A recall of this tenant is under way. Wait for its end. Nothing was changed.")
    wait_for_automatic_decisions()  # Those that are under way belong to the window and must be seen.
    now = db_now()
    _check(since, now)
    run = RecallRun.objects.create(
        tenant=tenant,
        domain=domain,
        since=since,
        until=now,
        reason=reason.strip()[:200],
        asked_by=actor,
        found=to_recall(tenant, since=since, until=now, domain=domain).count(),
    )
    transaction.on_commit(lambda: nudge(SWEEP_RECALLS))
    return run


def _check(since: datetime, now: datetime) -> None:
    if since >= now:
        raise MomentInvalid("The moment has to lie in the past. Nothing was changed.", pointer="/since")


def sweep(*, seconds: float) -> int:
    """Carry on with every recall that runs, until all are done or the time is over; returns how many came back.

    Safe to run twice at once: each batch holds its run's row, and another worker passes it by.
    """
    until, total = time.monotonic() + seconds, 0
    for run_id in list(RecallRun.objects.filter(finished_at=None).order_by("id").values_list("pk", flat=True)[:100]):
        while time.monotonic() < until:
            done = advance(run_id)
            if done is None:
                break
            total += done
    return total


@transaction.atomic
def advance(run_id) -> int | None:
    """One batch; returns how many came back, or None where the run is done or in another worker's hands."""
    runs = RecallRun.objects.select_for_update(of=("self",), skip_locked=True).select_related("tenant", "asked_by")
    run = runs.filter(pk=run_id, finished_at=None).first()
    if run is None:
        return None
    left = to_recall(run.tenant, since=run.since, until=run.until, domain=run.domain)
    now, done = db_now(), 0
    batch = list(left.order_by("pk").values_list("pk", flat=True)[:BATCH])
    for case_id in batch:
        case = lifecycle.locked(case_id)
        if case.state != State.AUTO_APPROVED:  # The customer, or another person, came first.
            continue
        lifecycle.recall(case, actor=run.asked_by, now=now, trigger=TRIGGER, recall_id=run.wire_id)
        done += 1
    finished = now if len(batch) < BATCH else None
    RecallRun.objects.filter(pk=run.pk).update(recalled=F("recalled") + done, finished_at=finished)
    return None if finished and not done else done
