"""The corrections of one tenant as of a watermark, page by page in the order of their ids.

The watermark is a transaction id below which everything has committed: a review that was written by a transaction
that was still open then has an id that may lie anywhere, and is in a later version, never half in this one. Pages
are short queries of their own and no long transaction, so that vacuum goes on beside an hour's export.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery

from cases.models import Tenant
from cases.models.drafts import RELEASE_PARTS

from ..models.labels import CorrectionLabel
from ..models.reviews import Review
from .customers import CustomerFields, Scrubber
from .filters import Agreement, Filters
from .rows import Row
from .splits import split_of

PAGE = 1_000


@dataclass(frozen=True)
class Watermark:
    """``xid`` as PostgreSQL writes it; ``at`` is the instant at which it was read."""

    xid: str
    at: datetime


def watermark() -> Watermark:
    """Everything below it has committed or never will."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text, clock_timestamp()")
        return Watermark(*cursor.fetchone())


@dataclass(frozen=True)
class Page:
    """``rows`` are those of the ``read`` corrections up to the id ``last`` that are in the selection, by id."""

    rows: Sequence[Row]
    read: int
    last: UUID


@dataclass(frozen=True)
class Selection:
    """One tenant's corrections under ``filters``, as of ``mark``."""

    tenant: Tenant
    filters: Filters
    mark: Watermark
    customers: CustomerFields

    def reviews(self) -> QuerySet[Review]:
        """Countable corrections with ``standing`` as of the watermark; nothing of an erased case.

        A case that was reopened or erased since is missing from a later reproduction; ``reproduce`` says so.
        """
        labels = self._labels()
        found = (
            Review.objects.corrections(self.mark.at)
            .filter(tenant=self.tenant, xid__lt=self.mark.xid)
            .filter(content__erased_at=None, case__content__erased_at=None, draft__content__erased_at=None)
            .annotate(standing=Subquery(labels.values("label")[:1], output_field=CharField()))
        )
        return self._narrowed(found, labels)

    def count(self) -> int:
        """How many corrections will be looked at, whatever the filters leave of them."""
        return self._overrides().count()

    def pages(self, after: UUID | None = None, *, size: int = PAGE) -> Iterator[Page]:
        """What is behind ``after``, ``size`` corrections at a time.

        The ids come first, off the index ``corrections`` alone, and everything else is looked up for these: in one
        query the planner joins and sorts all that is left for each page.
        """
        while True:
            window = self._overrides() if after is None else self._overrides().filter(pk__gt=after)
            keys = list(window.order_by("pk").values_list("pk", flat=True)[:size])
            if keys:
                after = keys[-1]
                found = self.reviews().filter(pk__in=keys).values_list(*COLUMNS)
                rows = [self._row(dict(zip(COLUMNS, values, strict=True))) for values in found]
                yield Page(sorted(rows, key=lambda row: row.review_id), len(keys), after)
            if len(keys) < size:
                return

    def _overrides(self) -> QuerySet[Review]:
        return Review.objects.filter(tenant=self.tenant, kind=Review.Kind.DECISION, is_override=True)

    def _labels(self) -> QuerySet[CorrectionLabel]:
        """As a subquery: the outer review's labels that stood at the watermark, the latest first."""
        return (
            CorrectionLabel.objects.filter(review=OuterRef("pk"), xid__lt=self.mark.xid)
            .exclude(label="")
            .filter(Q(superseded_by=None) | Q(superseded_by__xid__gte=self.mark.xid))
            .order_by("-id")
        )

    def _narrowed(self, found: QuerySet[Review], labels: QuerySet[CorrectionLabel]) -> QuerySet[Review]:
        asked = self.filters
        if asked.domain:
            found = found.filter(case__domain=asked.domain)
        found = found.filter(**{f"draft__release__{part}": value for part, value in asked.release.items()})
        if asked.since:
            found = found.filter(created_at__gte=asked.since)
        if asked.until:
            found = found.filter(created_at__lt=asked.until)
        if asked.label:
            found = found.filter(standing=asked.label)
        if asked.agreement:
            found = found.filter(~Exists(labels.exclude(label=OuterRef("standing"))), standing__isnull=False)
        if asked.agreement == Agreement.CONFIRMED:
            people = labels.order_by().values("review").annotate(people=Count("labelled_by", distinct=True))
            found = found.filter(Exists(people.filter(people__gte=2)))
        return found

    def _row(self, found: dict) -> Row:
        case, draft, review = (found[name] or {} for name in BODIES)
        scrubber = Scrubber(case.get("customer"), self.customers)
        clean = scrubber.clean if scrubber.has_work else _as_it_is
        return Row(
            review_id=found["pk"],
            case_id=found["case_id"],
            reviewed_at=found["created_at"],
            case_kind=found["case__kind"],
            domain=found["case__domain"],
            language=found["case__language"],
            risk=found["case__risk"],
            route=found["route"],
            confidence=found["draft__confidence"],
            triggers=found["draft__triggers"],
            release={part: found[f"draft__release__{part}"] or None for part in RELEASE_PARTS},
            external_id=clean(found["case__external_id"]),
            question=clean(case.get("user_question") or ""),
            messages=clean(case.get("messages") or ()),
            customer=scrubber.fields(),
            draft=clean(draft.get("model_draft") or ""),
            model_decision=clean(found["draft__model_decision"]),
            reasoning=clean(draft.get("reasoning") or ""),
            evidence=clean(draft.get("evidence") or ()),
            policies=clean(draft.get("policies") or ()),
            verdict=found["verdict"],
            is_override=found["is_override"],
            final_answer=clean(review.get("final_answer") or ""),
            final_decision=clean(found["final_decision"]),
            reason_code=found["reason_code"],
            policy_reason=clean(review.get("policy_reason") or ""),
            notes=clean(review.get("notes") or ""),
            missing_evidence=clean(review.get("missing_evidence") or ""),
            incorrect_evidence=clean(review.get("incorrect_evidence") or ()),
            better_query=clean(review.get("better_retrieval_query") or ""),
            edit_distance=found["edit_distance"],
            edit_share=found["edit_share"],
            handling_seconds=found["handling_seconds"],
            label=found["standing"],
            split=split_of(found["case_id"]).value,
        )


def _as_it_is(value: Any) -> Any:
    return value


BODIES = ("case__content__body", "draft__content__body", "content__body")
COLUMNS = (
    "pk",
    "case_id",
    "created_at",
    "case__kind",
    "case__domain",
    "case__language",
    "case__risk",
    "case__external_id",
    "route",
    "draft__confidence",
    "draft__triggers",
    *(f"draft__release__{part}" for part in RELEASE_PARTS),
    "draft__model_decision",
    "verdict",
    "is_override",
    "final_decision",
    "reason_code",
    "edit_distance",
    "edit_share",
    "handling_seconds",
    "standing",
    *BODIES,
)
