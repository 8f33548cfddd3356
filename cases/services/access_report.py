"""Everything that is held on one customer, for the answer that they have a right to."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from ..clock import db_now
from ..event_bodies import rfc3339
from ..models import Case, CaseEvent, Content, CustomerNotice, CustomerOptOut, LegalHold, User
from ..permissions import require
from . import holds
from .events import record_for
from .subjects import Subject, cases_of

SCHEMA = "countersign.access-report/1"


@transaction.atomic
def make(subject: Subject, *, actor: User) -> dict[str, Any]:
    """The report as a JSON document; that it was made, and by whom, stands in the audit trail without a name.

    Holds every text of the customer's cases as it is stored, with where it came from: messages, drafts, reviews, notes,
    actions. Raises ``Denied`` and ``SubjectUnclear``.
    """
    require(actor, "erase_customer", subject.tenant)
    require(actor, "view_customer", subject.tenant)
    case_ids, now = cases_of(subject), db_now()
    cases = list(Case.objects.with_text().filter(pk__in=case_ids).order_by("pk"))
    document = {
        "report": SCHEMA,
        "tenant": subject.tenant.slug,
        "made_at": rfc3339(now),
        "asked_for": {"reference": subject.reference.strip() or None, "email": subject.email.strip() or None},
        "cases": _cases(cases),
        "without_a_case": _texts(_alone(subject)),
        "notices": _notices(case_ids),
        "wants_no_notices_since": _opted_out(subject),
        "legal_holds": [
            {"since": rfc3339(hold.placed_at), "reason": hold.reason} for hold in _holds(subject, case_ids)
        ],
    }
    digest = subject.digest
    record_for(subject.tenant, CaseEvent.Kind.CUSTOMER_REPORTED, actor, at=now, customer=digest, cases=len(cases))
    return document


def _cases(cases: Sequence[Case]) -> list[dict[str, Any]]:
    texts: dict[UUID, list[Content]] = {case.pk: [] for case in cases}
    for text in Content.objects.filter(case_id__in=texts, erased_at=None).order_by("pk"):
        texts[text.case_id].append(text)
    return [
        {
            "case_id": case.wire_id,
            "external_id": case.external_id or None,
            "opened_at": rfc3339(case.opened_at),
            "state": str(case.state),
            "domain": case.domain,
            "language": case.language,
            "decided_by": case.decided_by or None,
            "decided_at": rfc3339(case.decided_at) if case.decided_at else None,
            "final_decision": case.final_decision or None,
            "tags": case.tags,
            "trace_id": case.trace_id or None,
            "texts": _texts(texts[case.pk]),
        }
        for case in cases
        if case.purpose == Case.Purpose.REAL
    ]


def _texts(rows: Sequence[Content]) -> list[dict[str, Any]]:
    return [{"of": row.get_owner_display(), "holds": row.text} for row in rows if row.text]


def _alone(subject: Subject) -> Sequence[Content]:
    """Texts of actions without a case; found by reference only."""
    if not subject.key:
        return []
    rows = Content.objects.filter(tenant=subject.tenant, case_id=None, customer_key=subject.key, erased_at=None)
    return list(rows.order_by("pk"))


def _notices(case_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    rows = CustomerNotice.objects.filter(case__in=case_ids).select_related("case").order_by("pk")
    return [
        {
            "case_id": row.case.wire_id,
            "about": row.get_occasion_display(),
            "by": row.get_way_display(),
            "state": row.get_state_display(),
            "sent_at": rfc3339(row.sent_at) if row.sent_at else None,
        }
        for row in rows
    ]


def _opted_out(subject: Subject) -> str | None:
    row = (
        CustomerOptOut.objects.filter(tenant=subject.tenant, customer_key=subject.key).first() if subject.key else None
    )
    return rfc3339(row.at) if row else None


def _holds(subject: Subject, case_ids: Sequence[UUID]) -> Sequence[LegalHold]:
    ours = Q(pk__in=holds.on(subject.tenant, case_ids).values("pk"))
    if subject.key:
        ours |= Q(tenant=subject.tenant, customer_key=subject.key, released_at=None)
    return LegalHold.objects.filter(ours).order_by("pk")
