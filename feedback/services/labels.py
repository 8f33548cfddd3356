"""Labelling corrections: one at a time, many with the same reason, and taking a label back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from cases.clock import db_now
from cases.models import Content, Tenant, User
from cases.permissions import require

from ..errors import LabelChanged, NotACorrection, NothingToTakeBack
from ..labels import Label
from ..models import CorrectionLabel, Review
from ..models.labels import last_word_of

MAX_NOTE = 2_000
MAX_AT_ONCE = 5_000
RIGHT = "label_review"


@transaction.atomic
def label(review_id: UUID, chosen: Label, *, actor: User, note: str = "") -> CorrectionLabel:
    """Say what the correction teaches, with ``actor`` and the time; whoever has said so already says nothing new.

    Raises ``NotACorrection`` for a review that is no final override, and ``Denied``.
    """
    review = _locked(review_id)
    require(actor, RIGHT, review.tenant)
    if not Review.objects.corrections().filter(pk=review.pk).exists():
        raise NotACorrection("Only a final override can be labelled. Nothing was stored.")
    last = last_word_of(actor, review)
    if last is not None and last.label == chosen and not note.strip():
        return last
    row = CorrectionLabel(
        tenant=review.tenant, review=review, label=chosen, labelled_by=actor, note=_note(review, note), at=db_now()
    )
    row.save(force_insert=True)
    return row


@transaction.atomic
def take_back(label_id: int, *, actor: User) -> CorrectionLabel:
    """Supersede one's own label: what stood before it stands again. Raises ``NothingToTakeBack`` or ``Denied``."""
    row = CorrectionLabel.objects.select_related("tenant").get(pk=label_id)
    require(actor, RIGHT, row.tenant)
    _locked(row.review_id)
    if row.labelled_by_id != actor.pk or not CorrectionLabel.objects.standing().filter(pk=row.pk).exists():
        raise NothingToTakeBack("This label is not yours, or it is taken back already. Nothing was changed.")
    back = CorrectionLabel(
        tenant=row.tenant, review_id=row.review_id, supersedes=row, labelled_by=actor, source=row.source, at=db_now()
    )
    back.save(force_insert=True)
    return back


@transaction.atomic
def label_alike(
    corrections: QuerySet[Review], chosen: Label, *, tenant: Tenant, actor: User, expected: int
) -> list[CorrectionLabel]:
    """Label all unlabelled ``corrections`` of ``tenant`` at once; ``expected`` is how many its preview counted.

    Whatever was labelled meanwhile keeps its label: the count is off then, nothing is stored and ``LabelChanged`` asks
    to look again. At most ``MAX_AT_ONCE``. Raises ``Denied``.
    """
    require(actor, RIGHT, tenant)
    unlabelled = corrections.filter(tenant=tenant).with_standing_label().filter(standing_label=None)
    keys = list(unlabelled.order_by("pk").values_list("pk", flat=True)[: MAX_AT_ONCE + 1])
    reviews = locked_all(keys[:MAX_AT_ONCE])
    # Only now, with the locks, is it sure that nobody else labels one of them.
    still = set(unlabelled.filter(pk__in=keys[:MAX_AT_ONCE]).values_list("pk", flat=True))
    if min(len(keys), MAX_AT_ONCE) != expected or len(still) != expected:
        raise LabelChanged("Others have labelled or decided meanwhile: the count has changed. Look at it again.")
    return append(reviews, {review.pk: chosen for review in reviews}, actor=actor, at=db_now())


def locked_all(keys: Sequence[UUID]) -> list[Review]:
    """These reviews under their row locks, in the order of their keys, so that two bulks wait and never deadlock."""
    rows = Review.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    return list(rows.filter(pk__in=keys).order_by("pk"))


def append(
    reviews: Sequence[Review],
    chosen: dict[UUID, Label],
    *,
    actor: User,
    at: datetime,
    source: CorrectionLabel.Source = CorrectionLabel.Source.PERSON,
    notes: dict[UUID, str] | None = None,
) -> list[CorrectionLabel]:
    """Labels for locked ``reviews``, in two statements however many they are."""
    contents = {review.pk: _note(review, (notes or {}).get(review.pk, ""), save=False) for review in reviews}
    Content.objects.bulk_create([content for content in contents.values() if content])
    rows = [
        CorrectionLabel(
            tenant=review.tenant,
            review=review,
            label=chosen[review.pk],
            labelled_by=actor,
            source=source,
            note=contents[review.pk],
            at=at,
        )
        for review in reviews
    ]
    return CorrectionLabel.objects.bulk_create(rows, batch_size=1_000)


def _locked(review_id: UUID) -> Review:
    (review,) = locked_all([review_id])
    return review


def _note(review: Review, text: str, *, save: bool = True) -> Content | None:
    if not text.strip():
        return None
    content = Content(
        tenant=review.tenant,
        owner=Content.Owner.REVIEW,
        case_id=review.case_id,
        body={"note": text.strip()[:MAX_NOTE]},
    )
    if save:
        content.save(force_insert=True)
    return content
