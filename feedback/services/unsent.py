"""Reviews that are not handed in yet: saved while they are written."""

from uuid import UUID

from django.db import transaction

from cases.models import User
from queues.errors import NotClaimed, StaleClaim
from queues.models import Claim
from queues.services.claims import hold

from ..models import ReviewDraft
from ..submission import Submission
from .reviews import keep_text


def autosave(case_id: UUID, unfinished: Submission, *, actor: User, generation: int) -> ReviewDraft:
    """Keep what ``actor`` has written so far on a case that they hold; its verdict may be empty.

    Whoever has lost the claim since keeps their text too and then gets ``StaleClaim``; what they have handed in is not
    unfinished any more and is kept no second time. Raises ``NotClaimed``, and keeps nothing, for a claim that was never
    theirs.
    """
    claims = Claim.objects.filter(generation=generation, case=case_id, user=actor)
    if not claims.exists():
        raise NotClaimed("Take this case before you write its review. Nothing was stored.")
    try:
        with transaction.atomic():
            hold(case_id, actor, generation)
            return keep_text(case_id, unfinished, actor=actor)
    except StaleClaim:
        # A save that was under way while the review was sent.
        if not claims.filter(end__in=[Claim.End.DECIDED, Claim.End.VOTED]).exists():
            keep_text(case_id, unfinished, actor=actor)
        raise


def saved(case_id: UUID, actor: User) -> ReviewDraft | None:
    """What ``actor`` has written on this case and not handed in."""
    return ReviewDraft.objects.select_related("content").filter(case=case_id, reviewer=actor).first()
