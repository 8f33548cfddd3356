"""Votes: reviews of a case that takes several. Called by ``reviews`` with the case and its entry locked.

Votes come one at a time, since only who holds the case can vote; the locks make two at one instant come one after the
other. The rule of what they amount to, and of whose votes count, is ``feedback.quorum``.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from approvals.models import ProposedAction
from approvals.states import TERMINAL
from cases.clock import db_now
from cases.models import Case, CaseEvent, Content, User
from cases.permissions import require
from cases.services import lifecycle
from cases.services.events import record
from cases.states import State
from cases.vocabulary import Risk
from queues.models import Entry
from queues.services import ballots
from queues.services.entries import locked_entry
from queues.services.staffing import fitting

from ..errors import NothingToUndo, NotPending, ReviewInvalid, TooLate
from ..models import Poll, Review
from ..quorum import WAITS_FOR_ADJUDICATOR, Standing, Voice, tally
from ..submission import Submission, has_reason
from . import friction

OTHERS = 50  # people who are asked for one with room for the next vote
_COUNTED = (Review.Kind.VOTE, Review.Kind.DECISION)


def poll_for(case: Case, entry: Entry, *, now: datetime) -> Poll | None:
    """The open question that ``entry`` asks, begun here by its first vote; None where one review decides."""
    if entry.kind != Entry.Kind.REVIEW:
        return None
    poll = Poll.objects.filter(case=case, closed_at=None).first()
    if poll is not None:
        return poll
    required, why = ballots.reviews_required(entry, risk=case.risk, impact=impact_of(case))
    if required == 1:
        return None
    poll = Poll(
        tenant=case.tenant,
        case=case,
        draft=case.current_draft,
        queue=entry.queue,
        required=required,
        why=why[:120],
        is_demanded=ballots.is_demanded(entry, risk=case.risk, impact=impact_of(case)),
        opened_at=now,
    )
    poll.save(force_insert=True)
    return poll


def check_ballot(poll: Poll, submission: Submission, *, actor: User, has_choices: bool) -> None:
    """What holds for a vote besides the rules of every review. Raises ``ReviewInvalid`` or ``Denied``."""
    if poll.standing in WAITS_FOR_ADJUDICATOR:
        require(actor, "adjudicate_case", poll.case.tenant)
        if not has_reason(submission):
            raise ReviewInvalid("Reviewers disagreed: say why you decide as you do.", pointer="/notes")
    elif has_choices:
        raise ReviewInvalid(
            "Several people decide this case, so that its action is not signed or rejected with one review. Leave it "
            "out here and decide it on its own page.",
            pointer="/actions",
        )


def kind_of(poll: Poll, submission: Submission) -> Review.Kind:
    """What ``submission`` becomes: the decision, where an adjudicator speaks or a majority is complete, or a vote.
    Moves ``poll`` in memory; ``settle`` stores it."""
    if poll.standing in WAITS_FOR_ADJUDICATOR:
        poll.standing = Standing.ADJUDICATED
    else:
        voice = Voice(submission.verdict, submission.final_decision, submission.final_answer)
        poll.standing = tally([*voices_of(poll), voice], poll.required)
    decides = poll.standing in (Standing.ADJUDICATED, Standing.DECIDED)
    return Review.Kind.DECISION if decides else Review.Kind.VOTE


def settle(poll: Poll, case: Case, entry: Entry, review: Review, *, actor: User) -> None:
    """Store where ``poll`` stands after ``review``; an undecided case goes to the front for the next person."""
    is_vote = review.kind == Review.Kind.VOTE
    is_split = poll.standing in WAITS_FOR_ADJUDICATOR
    poll.closed_at = None if is_vote else review.created_at
    could_not_wait = entry.spares_until is not None and entry.spares_until <= review.created_at
    if is_vote:
        ballots.pass_on(entry, actor, to_adjudicator=is_split)
        until = None if is_split or poll.is_demanded else _spares_until(entry, at=review.created_at)
        ballots.spare(entry, until)
        could_not_wait |= until is None and not is_split
    poll.is_demanded |= could_not_wait
    poll.save(update_fields=["standing", "closed_at", "is_demanded"])
    if not is_vote:
        return
    record(case, CaseEvent.Kind.VOTED, actor, at=review.created_at)
    if is_split:
        record(case, CaseEvent.Kind.SPLIT, actor, at=review.created_at, how=str(poll.standing))


def _spares_until(entry: Entry, *, at: datetime) -> datetime | None:
    """While somebody else is at work who may have the next vote and has room for it under the cap on friction, nobody
    without room is given it: for half of the time that is left, since the case has a deadline too."""
    others = [one.user for one in fitting(entry) if one.at_work][:OTHERS]
    if not any(friction.has_room(person, entry.tenant) for person in others):
        return None
    return at + max(timedelta(0), entry.due_at - at) / 2


def standing_votes(poll: Poll) -> QuerySet[Review]:
    """The votes that count, the deciding one with them, oldest first."""
    return poll.reviews.filter(kind__in=_COUNTED, superseded_by=None).order_by("id")


def voices_of(poll: Poll) -> list[Voice]:
    return [voice_of(review) for review in standing_votes(poll).select_related("content")]


def voice_of(review: Review) -> Voice:
    return Voice(review.verdict, review.final_decision, review.content.text.get("final_answer") or "")


def own_vote(case: Case, actor: User) -> Review | None:
    """The vote of ``actor`` in the open question of ``case``."""
    return Review.objects.filter(
        case=case, kind=Review.Kind.VOTE, superseded_by=None, poll__closed_at=None, reviewer=actor
    ).first()


def undo_left(vote: Review, case: Case, now: datetime) -> timedelta | None:
    """How long ``vote`` can still be taken back; None once the question is decided or the time is over."""
    if vote.poll.closed_at is not None or case.state != State.PENDING_REVIEW:
        return None
    left = vote.created_at + timedelta(seconds=case.tenant.undo_seconds) - now
    return left if left > timedelta(0) else None


def take_back(vote: Review, case: Case, *, actor: User) -> Review:
    """Undo one's own vote within the window, under the case's lock. The case comes back to its writer, unless somebody
    else has it by now. Raises ``TooLate``; also while an adjudicator has it, who has read the vote."""
    now = db_now()
    if undo_left(vote, case, now) is None:
        raise TooLate("The undo window has passed, so that your vote stands.")
    entry = locked_entry(case)
    if entry.for_adjudicator and entry.claimed_by_id:
        raise TooLate("The votes differ and somebody is settling it. Your vote stands.")
    undone = append_undo(vote, actor=actor, now=now)
    _recount(vote.poll)
    ballots.reopen_to(case, actor)
    record(case, CaseEvent.Kind.VOTE_UNDONE, actor, at=now)
    return undone


@transaction.atomic
def strike(vote_id: UUID, *, actor: User, reason: str) -> Review:
    """A supervisor of the queue takes somebody's vote out for cause, while the question is open. It stays on record and
    its writer gets no second one. Raises ``NotPending``, ``NothingToUndo``, ``ReviewInvalid`` or ``Denied``."""
    case = lifecycle.locked(Review.objects.values_list("case", flat=True).get(pk=vote_id))
    vote = Review.objects.select_related("poll__queue", "tenant", "case", "draft").get(pk=vote_id)
    if vote.poll is None:
        raise NothingToUndo("This review is no vote.")
    require(actor, "supervise_queue", vote.poll.queue)
    if not reason.strip():
        raise ReviewInvalid("Say why this vote may not count.", pointer="/reason")
    if vote.poll.closed_at is not None or case.state != State.PENDING_REVIEW:
        raise NotPending("The case is decided. Reopen it instead; nothing was changed.")
    if vote.kind != Review.Kind.VOTE or Review.objects.filter(supersedes=vote).exists():
        raise NothingToUndo("This vote does not count any more.")
    entry = locked_entry(case)
    now = db_now()
    undone = append_undo(vote, actor=actor, now=now)
    _recount(vote.poll)
    ballots.ask_again(entry)
    record(case, CaseEvent.Kind.VOTE_UNDONE, actor, at=now, note=reason.strip()[:2000])
    return undone


def reopen(review: Review, case: Case) -> None:
    """The deciding review was undone and its case is its writer's again: the other votes stand."""
    poll = review.poll
    if poll is None:
        return
    others = list(poll.reviews.filter(kind=Review.Kind.VOTE).exclude(reviewer=review.reviewer).values_list("reviewer"))
    poll.standing = tally(voices_of(poll), poll.required)
    poll.closed_at = None
    poll.save(update_fields=["standing", "closed_at"])
    ballots.keep_out(case, [key for (key,) in others], for_adjudicator=poll.standing in WAITS_FOR_ADJUDICATOR)


def abandon(cases: Sequence[Case], *, at: datetime) -> None:
    """The question is gone: the case was withdrawn, or there is a new draft and with it a new question. Who has voted
    on the last draft may have the new one."""
    for poll in Poll.objects.filter(case__in=cases, closed_at=None):
        poll.standing, poll.closed_at = Standing.ABANDONED, at
        poll.save(update_fields=["standing", "closed_at"])
    for case in cases:
        voters = Review.objects.filter(case=case, kind__in=_COUNTED).exclude(poll=None).values_list("reviewer")
        if keys := {key for (key,) in voters}:
            ballots.let_in(case, keys)


def append_undo(review: Review, *, actor: User, now: datetime) -> Review:
    """The row that supersedes ``review``."""
    empty = Content(tenant_id=review.tenant_id, owner=Content.Owner.REVIEW, case_id=review.case_id, body={})
    empty.save(force_insert=True)
    undone = Review(
        tenant_id=review.tenant_id,
        case=review.case,
        draft=review.draft,
        poll=review.poll,
        policy_version_id=review.policy_version_id,
        reviewer=actor,
        kind=Review.Kind.UNDO,
        supersedes=review,
        verdict=review.verdict,
        route=review.route,
        is_override=False,
        handling_seconds=0.0,
        generation=review.generation,
        displayed_digest=review.displayed_digest,
        content=empty,
        content_digest=empty.digest(),
        created_at=now,
    )
    undone.save(force_insert=True)
    return undone


def _recount(poll: Poll) -> None:
    poll.standing = tally(voices_of(poll), poll.required)
    poll.save(update_fields=["standing"])


def impact_of(case: Case) -> str:
    """The greatest impact of the case's open actions, or nothing."""
    actions = ProposedAction.objects.filter(case=case).exclude(state__in=TERMINAL) if case.open_actions else ()
    return max((action.impact for action in actions), key=lambda impact: Risk(impact).rank, default="")
