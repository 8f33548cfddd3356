"""Erasing texts: a customer's, by request, and old ones, by their period. What was decided, counted and sealed stays.

Texts rest in ``Content``; its rows are emptied and nothing is deleted. The rooms above say what else they hold, by the
seam ``ERASURE_PARTS``. The case's own row is emptied before all others, and a trigger then empties whatever is still
being written for that case (``guards.erased_stays_erased``).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.module_loading import import_string

from ..clock import db_now
from ..errors import IllegalState, InFlight
from ..event_bodies import rfc3339
from ..history import REASON_LENGTH, current_request
from ..models import (
    Case,
    CaseEvent,
    Content,
    CustomerNotice,
    Delivery,
    ErasureReceipt,
    IdempotencyKey,
    Tenant,
    User,
)
from ..outcome import is_final
from ..permissions import require
from ..states import OPEN
from . import holds, lifecycle
from .events import Occurrence, record_all
from .subjects import Subject, cases_of, names_in, others_of_the_same
from .switch import ReasonMissing

RETRY_SECONDS = 20  # What is on its way is so long, at most a minute and a half.
IDS_AT_ONCE = 200
SHORTEST_NAME = 4  # A shorter reference stands in half of all tags by chance.


class InTheWay(IllegalState):
    code = "erasure_in_the_way"
    title = "Something stands in the way of the erasure"


@dataclass(frozen=True)
class Scope:
    """Whose texts: those of these cases and, by a customer's ``key``, what stands without a case."""

    tenant: Tenant
    case_ids: Sequence[UUID]
    key: bytes | None = None


def nothing(actor: User, at: datetime) -> None:
    """Most parts have nothing to do besides."""


@dataclass(frozen=True)
class Part:
    """What a room above holds of a scope, looked at before anything is erased.

    ``texts`` are further rows of ``Content``, ``wire_ids`` find kept answers of the API, ``to_act_on`` has left the
    house. ``carry_out`` runs in the erasure's transaction once the texts are empty.
    """

    counts: dict[str, int] = field(default_factory=dict)
    texts: Sequence[UUID] = ()
    wire_ids: Sequence[str] = ()
    in_the_way: Sequence[str] = ()
    is_on_its_way: bool = False
    to_act_on: Sequence[dict[str, Any]] = ()
    carry_out: Callable[[User, datetime], None] = nothing


@dataclass(frozen=True)
class Preview:
    """What an erasure would hit now. ``in_the_way`` are sentences; ``open_cases`` could be withdrawn first."""

    cases: int
    open_cases: int
    counts: dict[str, int]
    in_the_way: list[str]
    is_held: bool
    to_act_on: list[dict[str, Any]]
    others: int
    named_in_references: int

    @property
    def is_empty(self) -> bool:
        return not any(self.counts.values())


@cache
def _part_finders() -> tuple[Callable[[Scope], Part], ...]:
    return tuple(import_string(path) for path in settings.ERASURE_PARTS)


# --- a customer's request ---------------------------------------------------------------------------------------------


def preview(subject: Subject, *, actor: User) -> Preview:
    """What ``erase`` would do. Raises ``Denied`` and ``SubjectUnclear``."""
    require(actor, "erase_customer", subject.tenant)
    cases = list(Case.objects.with_text().filter(pk__in=cases_of(subject)))
    scope = Scope(subject.tenant, [case.pk for case in cases], subject.key)
    parts = [find(scope) for find in _part_finders()]
    still_open = [case for case in cases if case.state in OPEN]
    return Preview(
        cases=len(cases),
        open_cases=len(still_open),
        counts=_counts(scope, parts),
        in_the_way=_in_the_way([case for case in cases if case.state not in OPEN], parts, db_now()),
        is_held=holds.on(scope.tenant, scope.case_ids).exists() or _is_subject_held(subject),
        to_act_on=[row for part in parts for row in part.to_act_on],
        others=others_of_the_same(subject, cases),
        named_in_references=_named_in_references(cases, names_in(cases) | {subject.reference, subject.email}),
    )


@transaction.atomic
def erase(subject: Subject, *, actor: User, reason: str, close: bool = False) -> ErasureReceipt:
    """Erase all texts of a customer, all or nothing; returns the receipt.

    Open cases are in the way unless ``close`` withdraws them first, which takes the right to withdraw. Raises
    ``Denied``, ``ReasonMissing``, ``SubjectUnclear``, ``InTheWay`` (a hold, an open case, a decision that can still be
    undone, an action under way) and ``InFlight`` while a message with the texts is being sent. A second request finds
    nothing left and gets a receipt of zeros.
    """
    require(actor, "erase_customer", subject.tenant)
    if not reason.strip():
        raise ReasonMissing("Say on whose request or why, without naming the person. Nothing was changed.")
    holds.fence(subject.tenant)
    if _is_subject_held(subject):
        raise InTheWay(HELD)
    cases = _locked(cases_of(subject))
    if close:
        for case in cases:
            if case.state in OPEN:
                lifecycle.withdraw(case.pk, actor=actor, reason="Erased on request")
        cases = _locked([case.pk for case in cases])
    scope = Scope(subject.tenant, [case.pk for case in cases], subject.key)
    if holds.on(scope.tenant, scope.case_ids).exists():
        raise InTheWay(HELD)
    return _carry_out(
        scope,
        cases,
        names=names_in(cases) | {subject.reference, subject.email},
        cause=ErasureReceipt.Cause.REQUEST,
        subject=subject.digest,
        reason=reason,
        actor=actor,
    )


HELD = "A legal hold stands on these texts: it wins over a request. Nothing was changed. Release the hold first."


def _is_subject_held(subject: Subject) -> bool:
    held = subject.tenant.legal_holds.filter(released_at=None, customer_key=subject.key) if subject.key else None
    return held is not None and held.exists()


# --- old texts --------------------------------------------------------------------------------------------------------


def erase_old(tenant: Tenant, case_ids: Sequence[UUID], *, reason: str, actor: User) -> ErasureReceipt | None:
    """Erase the texts of these cases of a tenant, in the caller's transaction and within its ``holds.fence``.

    Passes by what is open, held or locked by somebody. None where nothing is left. Raises ``InFlight``.
    """
    held = set(holds.held_among(case_ids))
    free = [case for case in _locked(case_ids, skip_locked=True) if case.pk not in held]
    now = db_now()
    cases = [case for case in free if case.state not in OPEN and not _why_not_yet(case, now)]
    if not cases:
        return None
    scope = Scope(tenant, [case.pk for case in cases])
    return _carry_out(
        scope,
        cases,
        names=names_in(cases),
        cause=ErasureReceipt.Cause.PERIOD,
        subject="",
        reason=reason,
        actor=actor,
    )


# --- what both do -----------------------------------------------------------------------------------------------------


def _locked(case_ids: Sequence[UUID], *, skip_locked: bool = False) -> list[Case]:
    """As ``lifecycle.locked`` does for one: first the locks, in the order of the keys, then the reading."""
    rows = Case.objects.select_for_update(no_key=True, skip_locked=skip_locked).only("pk")
    keys = [case.pk for case in rows.filter(pk__in=case_ids).order_by("pk")]
    return list(Case.objects.with_text().filter(pk__in=keys).order_by("pk"))


def _carry_out(
    scope: Scope,
    cases: Sequence[Case],
    *,
    names: set[str],
    cause: ErasureReceipt.Cause,
    subject: str,
    reason: str,
    actor: User,
) -> ErasureReceipt:
    now = db_now()
    parts = [find(scope) for find in _part_finders()]
    if sentences := _in_the_way(cases, parts, now):
        raise InTheWay(f"{' '.join(sentences)} Nothing was changed.")
    if _is_on_its_way(scope, now) or any(part.is_on_its_way for part in parts):
        raise InFlight(
            "A message with these texts is being sent at this moment. Nothing was changed. Try again in a minute.",
            retry_after=RETRY_SECONDS,
        )
    counts = _counts(scope, parts)
    counts["named_in_references"] = _named_in_references(cases, names)
    _empty(Content.objects.filter(pk__in=[case.content_id for case in cases]), now)  # First: see the module.
    _empty(_texts(scope, parts), now)
    counts["kept_answers"] = _forget_answers(scope, parts, now)
    for case in cases:
        if case.resume_token:
            case.resume_token = ""
            case.save_as(actor, "texts erased")
    for part in parts:
        part.carry_out(actor, now)
    receipt = ErasureReceipt(
        tenant=scope.tenant,
        cause=cause,
        subject=subject,
        reason=reason.strip()[:REASON_LENGTH],
        counts={name: count for name, count in counts.items() if count},
        to_act_on=[row for part in parts for row in part.to_act_on],
        by=actor,
        at=now,
        request_id=current_request(),
    )
    receipt.save(force_insert=True)
    told = [Occurrence(case, {"cause": str(cause)}, subject=receipt.wire_id) for case in cases]
    record_all(told, CaseEvent.Kind.ERASED, actor, at=now)
    return receipt


def _empty(texts: QuerySet[Content], now: datetime) -> None:
    texts.filter(erased_at=None).update(body=None, salt=None, search_text="", customer_key=None, erased_at=now)


def _texts(scope: Scope, parts: Sequence[Part]) -> QuerySet[Content]:
    ours = Q(case_id__in=scope.case_ids) | Q(pk__in=[text for part in parts for text in part.texts])
    if scope.key:
        ours |= Q(customer_key=scope.key, tenant=scope.tenant, case_id=None)
    return Content.objects.filter(ours, tenant=scope.tenant, erased_at=None)


def _counts(scope: Scope, parts: Sequence[Part]) -> dict[str, int]:
    by_owner = _texts(scope, parts).order_by().values_list("owner").annotate(rows=Count("pk"))
    counts = {"cases": len(scope.case_ids)} | {f"{owner}_texts": rows for owner, rows in by_owner}
    for part in parts:
        counts |= part.counts
    return counts


def _in_the_way(cases: Sequence[Case], parts: Sequence[Part], now: datetime) -> list[str]:
    sentences = [f"{sentence} ({case.wire_id})." for case in cases if (sentence := _why_not_yet(case, now))]
    return sentences[:10] + [sentence for part in parts for sentence in part.in_the_way]


def _why_not_yet(case: Case, now: datetime) -> str:
    if case.state in OPEN:
        return "A case is open: have it decided or withdrawn first"
    if case.open_actions:
        return "An action of a case has not ended"
    if case.final_at and not is_final(case, now):
        return "A decision can still be undone: try again when it is final"
    return ""


def _is_on_its_way(scope: Scope, now: datetime) -> bool:
    """Whether a sender may hold the texts in memory: it leased its row, and took the case's lock to read them."""
    sent = Delivery.objects.filter(event__case__in=scope.case_ids, state="pending", leased_until__gt=now)
    told = CustomerNotice.objects.filter(case__in=scope.case_ids, state="waiting", leased_until__gt=now)
    return sent.exists() or told.exists()


def _forget_answers(scope: Scope, parts: Sequence[Part], now: datetime) -> int:
    """Empty the answers that are kept for a week under callers' keys; a repetition still does nothing twice."""
    names = [f"{Case.PREFIX}_{key.hex}" for key in scope.case_ids] + [one for part in parts for one in part.wire_ids]
    count = 0
    for start in range(0, len(names), IDS_AT_ONCE):
        some = "|".join(re.escape(name) for name in names[start : start + IDS_AT_ONCE])
        kept = IdempotencyKey.objects.annotate(text=Cast("body", TextField())).filter(
            caller__memberships__tenant=scope.tenant, text__regex=some
        )
        keys = list(kept.values_list("pk", flat=True))
        count += IdempotencyKey.objects.filter(pk__in=keys).update(body={"erased_at": rfc3339(now)})
    return count


def _named_in_references(cases: Sequence[Case], names: set[str]) -> int:
    """Cases whose caller put what the customer is called into an id, a tag or a decision: those stand in sealed rows
    and stay. Callers are told to use ids that name nobody; this says where they did not."""
    words = [name.casefold() for name in names if len(name) >= SHORTEST_NAME]
    return sum(any(word in one.casefold() for word in words for one in _references(case)) for case in cases)


def _references(case: Case) -> list[str]:
    decisions = [case.final_decision, case.current_draft.model_decision]
    return [case.external_id, case.trace_id, case.traceparent, *case.tags, *decisions]
