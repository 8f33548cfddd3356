"""Labels from elsewhere: what a file would change, and changing it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from cases.clock import db_now
from cases.ids import from_wire
from cases.models import Case, Tenant, User
from cases.permissions import require

from ..errors import LabelChanged
from ..label_files import Complaint, LabelRow, Reading
from ..labels import Label
from ..models import CorrectionLabel, Review
from .labels import RIGHT, append, locked_all

CHUNK = 1_000
UNKNOWN = "This tenant has no such case."
NO_CORRECTION = "This case has no final override that could be labelled."


@dataclass(frozen=True)
class Change:
    """One label that the file would give: to the case's latest final override."""

    line: int
    case: Case
    review_id: UUID
    before: str
    after: Label
    note: str = ""


@dataclass
class Plan:
    """What a file would do. ``same`` counts lines whose label stands already."""

    tenant: Tenant
    changes: list[Change] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    same: int = 0
    unlabelled: int = 0

    @property
    def digest(self) -> str:
        """Of exactly these changes: who confirms sends back what they saw."""
        lines = sorted(f"{change.review_id} {change.before} {change.after} {change.note}" for change in self.changes)
        return hashlib.sha256("\n".join([str(self.tenant.pk), *lines]).encode()).hexdigest()


def plan_import(reading: Reading, *, tenant: Tenant, actor: User) -> Plan:
    """What ``reading`` would change in ``tenant``; stores nothing. Another tenant's case is an unknown one.

    The later of two lines for one case must agree with the earlier, else neither counts. Raises ``Denied``.
    """
    require(actor, RIGHT, tenant)
    plan = Plan(tenant, complaints=list(reading.complaints), unlabelled=reading.unlabelled)
    found: dict[UUID, list[Change]] = {}
    for start in range(0, len(reading.rows), CHUNK):
        rows = reading.rows[start : start + CHUNK]
        for row, review in _matched(rows, tenant, plan):
            change = Change(row.line, review.case, review.pk, review.standing_label or "", row.label, row.note)
            found.setdefault(review.pk, []).append(change)
    for changes in found.values():
        if len({change.after for change in changes}) > 1:
            lines = ", ".join(str(change.line) for change in changes[:5])
            plan.complaints += [
                Complaint(change.line, f"Lines {lines} label one case differently.") for change in changes
            ]
        elif changes[0].before == changes[0].after:
            plan.same += len(changes)
        else:
            plan.changes.append(changes[0])
            plan.same += len(changes) - 1
    plan.changes.sort(key=lambda change: change.line)
    plan.complaints.sort(key=lambda complaint: complaint.line)
    return plan


def _matched(rows: Sequence[LabelRow], tenant: Tenant, plan: Plan) -> Iterator[tuple[LabelRow, Review]]:
    """Each row with the review that it labels; two queries for all of them."""
    keys = {row: None if row.is_external else from_wire(Case.PREFIX, row.key) for row in rows}
    named = Q(pk__in=[key for key in keys.values() if key]) | Q(
        external_id__in=[row.key for row in rows if row.is_external]
    )
    cases = list(Case.objects.real().filter(named, tenant=tenant))
    by_key = {case.pk: case for case in cases}
    by_name = {case.external_id: case for case in cases if case.external_id}
    reviews = _latest_corrections(cases)
    for row in rows:
        case = by_name.get(row.key) if row.is_external else by_key.get(keys[row])
        if case is None:
            plan.complaints.append(Complaint(row.line, UNKNOWN))
        elif case.pk not in reviews:
            plan.complaints.append(Complaint(row.line, NO_CORRECTION))
        else:
            yield row, reviews[case.pk]


def _latest_corrections(cases: Iterable[Case]) -> dict[UUID, Review]:
    rows = Review.objects.corrections().filter(case__in=[case.pk for case in cases]).with_standing_label()
    latest = rows.select_related("case").order_by("case_id", "-id").distinct("case_id")
    return {review.case_id: review for review in latest}


@transaction.atomic
def apply_import(plan: Plan, *, actor: User) -> list[CorrectionLabel]:
    """Store the changes of ``plan``, all or none. Raises ``LabelChanged`` where one no longer fits, and ``Denied``."""
    require(actor, RIGHT, plan.tenant)
    changes = {change.review_id: change for change in plan.changes}
    reviews = locked_all(list(changes))
    stands = dict(
        Review.objects.corrections()
        .filter(pk__in=list(changes), tenant=plan.tenant)
        .with_standing_label()
        .values_list("pk", "standing_label")
    )
    if any(key not in stands or (stands[key] or "") != change.before for key, change in changes.items()):
        raise LabelChanged("Somebody has labelled one of these cases meanwhile. Nothing was stored: look at it again.")
    return append(
        reviews,
        {key: change.after for key, change in changes.items()},
        actor=actor,
        at=db_now(),
        source=CorrectionLabel.Source.IMPORT,
        notes={key: change.note for key, change in changes.items()},
    )
