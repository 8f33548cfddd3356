"""Deciding a case and taking the next one, in one transaction: the next case stands there when the decision is in."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from cases.models import User
from queues.errors import NotFit
from queues.models import Entry
from queues.services import claims

from ..models import Review
from ..submission import Submission
from . import reviews


@dataclass(frozen=True)
class Decided:
    """``entry`` is the next case, now held; None where nothing waits, and ``why_none`` where none may be given."""

    review: Review
    entry: Entry | None
    why_none: str = ""


def submit_and_next(case_id: UUID, submission: Submission, *, actor: User, **submitted: Any) -> Decided:
    """``reviews.submit``, and ``claims.claim_next`` in the same tenant, together or not at all.

    The next case is picked after the decision's place is free, and is locked by nobody before the submit. Somebody who
    may not take cases any more, as at the end of a shift, still decides this one. Raises what ``reviews.submit`` does.
    """
    with (
        reviews.text_kept(case_id, submission, actor=actor, choices=submitted.get("choices", ())),
        transaction.atomic(),
    ):
        review = reviews.decide(case_id, submission, actor=actor, **submitted)
        try:
            return Decided(review, claims.claim_next(actor, tenant=review.tenant))
        except NotFit as refusal:  # Raised before anything is written, so that there is nothing to roll back.
            return Decided(review, None, refusal.message)
