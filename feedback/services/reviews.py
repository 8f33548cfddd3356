"""Deciding a case, and taking a decision back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from approvals.services import signing
from cases.clock import db_now
from cases.errors import Stale
from cases.models import Case, CaseEvent, Content, Release, User
from cases.permissions import require
from cases.services import decisions, lifecycle
from cases.services.events import record
from cases.services.policies import rules_of
from cases.states import State
from cases.vocabulary import Verdict
from cases.worddiff import edit_distance
from queues.errors import StaleClaim
from queues.models import Claim, Entry
from queues.services.claims import hold

from ..checklist import as_checked, documents_of
from ..errors import NothingToUndo, NotPending, ReviewInvalid, TooLate
from ..models import Poll, Review, ReviewDraft
from ..quorum import Standing
from ..submission import Shown, Submission, check, is_override
from . import firsts, looks, votes


@dataclass(frozen=True)
class ActionChoice:
    """What the reviewer does with an action of the case in the same submit: signs what stood there, or rejects it."""

    action_id: UUID
    approves: bool
    payload_hash: bytes | None
    reason: str = ""


def submit(
    case_id: UUID,
    submission: Submission,
    *,
    actor: User,
    generation: int,
    displayed_digest: bytes | None = None,
    choices: Sequence[ActionChoice] = (),
    signed_in_at: datetime | None = None,
) -> Review:
    """Decide a case that ``actor`` holds under ``generation``; returns the review, final after the undo window.

    ``choices`` sign or reject actions of the case with the same submit, by ``approvals.services.signing`` and its
    rules: all of it happens, or nothing. What became stale changes nothing; what was written is kept as a
    ``ReviewDraft`` and the ``Stale`` is raised. Raises ``ReviewInvalid``, ``NotPending``, ``Denied`` and what
    ``signing`` raises as well.
    """
    with text_kept(case_id, submission, actor=actor, choices=choices), transaction.atomic():
        return decide(
            case_id,
            submission,
            actor=actor,
            generation=generation,
            displayed_digest=displayed_digest,
            choices=choices,
            signed_in_at=signed_in_at,
        )


@contextmanager
def text_kept(
    case_id: UUID, submission: Submission, *, actor: User, choices: Sequence[ActionChoice] = ()
) -> Iterator[None]:
    """Around the transaction of a submit: what became stale loses no text, and an action that drifted says so."""
    try:
        yield
    except Stale:
        keep_unsent(case_id, submission, actor=actor)
        for choice in choices:
            signing.show_drift(choice.action_id)
        raise


def decide(
    case_id: UUID,
    submission: Submission,
    *,
    actor: User,
    generation: int,
    displayed_digest: bytes | None = None,
    choices: Sequence[ActionChoice] = (),
    signed_in_at: datetime | None = None,
) -> Review:
    """``submit`` within the caller's transaction and ``text_kept``, for whoever does more in the same."""
    case = lifecycle.locked(case_id)
    entry = hold(case.pk, actor, generation)
    require(actor, "work_queue", entry.queue)
    if not is_undecided(case, entry):
        raise NotPending("This case has moved on since you opened it. Nothing was changed; take the next one.")
    draft = case.current_draft
    if displayed_digest is not None and bytes(draft.content_digest) != displayed_digest:
        raise StaleClaim(
            "A newer draft has arrived since you opened this case. Nothing was changed; read it and decide again."
        )
    firsts.require_given(case, entry, actor)
    now = db_now()
    shown = shown_to(case, entry)
    counted = check(submission, shown)
    poll = votes.poll_for(case, entry, now=now)
    if poll:
        votes.check_ballot(poll, counted, actor=actor, has_choices=bool(choices))
    for choice in choices:
        _decide_action(case, choice, actor=actor, signed_in_at=signed_in_at)
    review = _store(case, entry, counted, shown, actor=actor, now=now, poll=poll)
    if poll:
        votes.settle(poll, case, entry, review, actor=actor)
    _forget_text(case, actor)
    if review.kind == Review.Kind.VOTE:
        return review
    if review.kind == Review.Kind.SECOND:
        looks.settle(case, review, actor=actor)
        return review
    decision = decisions.Decision(
        verdict=Verdict(counted.verdict),
        final_decision=counted.final_decision,
        content=review.content,
        reason_code=counted.reason_code,
    )
    is_audit = case.state == State.AUTO_APPROVED
    if is_audit and counted.verdict == Verdict.ACCEPT:
        record(case, CaseEvent.Kind.AUDITED, actor, at=now)
    else:
        if is_audit:
            lifecycle.overturn(case, actor=actor, now=now)
        decisions.decide(case, decision, actor=actor, now=now)
    if case.purpose == Case.Purpose.REAL:  # What was made up says nothing of the release whose name it bears.
        Release.objects.filter(pk=draft.release_id).update(reviews=F("reviews") + 1)
    return review


def _decide_action(case: Case, choice: ActionChoice, *, actor: User, signed_in_at: datetime | None) -> None:
    """Before the case's own decision: a rejected action then is part of what was decided, and reopens nothing."""
    if not case.actions.filter(pk=choice.action_id).exists():
        raise ReviewInvalid("This action does not belong to the case.", pointer="/actions")
    if choice.approves:
        signing.approve(
            choice.action_id,
            actor=actor,
            payload_hash=choice.payload_hash,
            reason=choice.reason,
            signed_in_at=signed_in_at,
        )
    else:
        signing.reject(choice.action_id, actor=actor, payload_hash=choice.payload_hash, reason=choice.reason)
    case.refresh_from_db(fields=["open_actions"])  # Another reading of the same locked row has counted it down.


def is_undecided(case: Case, entry: Entry) -> bool:
    """Whether ``case`` can be judged under ``entry``: it waits for a person, or its outcome is looked at and stands."""
    if entry.kind == Entry.Kind.AUDIT:
        return case.state == State.AUTO_APPROVED
    if entry.kind == Entry.Kind.SECOND:
        return case.state in (State.APPROVED, State.REJECTED)
    return case.state == State.PENDING_REVIEW


def shown_to(case: Case, entry: Entry) -> Shown:
    """What the page of ``case`` offers: the draft, the decisions to choose from, the reason codes."""
    draft, rules = case.current_draft, rules_of(case.current_draft.policy_version)
    return Shown(
        kind=case.kind,
        route=entry.route,
        has_draft=not draft.is_absent,
        can_redraft=entry.kind == Entry.Kind.REVIEW and draft.number < case.tenant.max_drafts,
        model_draft=draft.content.text.get("model_draft") or "",
        model_decision=draft.model_decision,
        decision_options=rules.decision_options if rules else (),
        reason_codes=frozenset(code for code, _ in rules.reason_codes) if rules else frozenset(),
        documents=documents_of(draft.content.text.get("evidence") or []),
    )


def _store(
    case: Case, entry: Entry, counted: Submission, shown: Shown, *, actor: User, now: datetime, poll: Poll | None
) -> Review:
    kind, is_blind = Review.Kind.DECISION, False
    if poll:
        is_blind = poll.standing == Standing.OPEN
        kind = votes.kind_of(poll, counted)
    elif entry.kind == Entry.Kind.SECOND:
        kind = Review.Kind.SECOND
    content = Content(
        tenant=case.tenant,
        owner=Content.Owner.REVIEW,
        case_id=case.pk,
        body=counted.texts(),
        search_text=counted.final_answer[:10_000],
    )
    content.save(force_insert=True)
    distance, share = edit_distance(shown.model_draft, counted.final_answer) if counted.final_answer else (0, 0.0)
    review = Review(
        tenant=case.tenant,
        case=case,
        draft=case.current_draft,
        policy_version=case.current_draft.policy_version,
        reviewer=actor,
        kind=kind,
        poll=poll,
        is_blind=is_blind,
        verdict=counted.verdict,
        final_decision=counted.final_decision,
        reason_code=counted.reason_code,
        route=entry.route,
        is_override=is_override(counted, shown),
        edit_distance=distance,
        edit_share=share,
        handling_seconds=max(0.0, (now - entry.claimed_at).total_seconds()),
        generation=entry.generation,
        displayed_digest=case.current_draft.content_digest,
        content=content,
        content_digest=content.digest(),
        created_at=now,
    )
    review.save(force_insert=True)
    return review


@transaction.atomic
def undo(case_id: UUID, *, actor: User) -> Review:
    """Take back one's own decision before it is final. The case is the reviewer's again, with what they wrote."""
    case = lifecycle.locked(case_id)
    if vote := votes.own_vote(case, actor):
        undone = votes.take_back(vote, case, actor=actor)
        keep_text(case.pk, written_in(vote), actor=actor)
        return undone
    last = Review.objects.filter(case=case, superseded_by=None, kind=Review.Kind.DECISION).order_by("-id").first()
    if last is None or last.reviewer_id != actor.pk:
        raise NothingToUndo("The last decision on this case is not yours.")
    require(actor, "view_review", case.tenant)
    now = db_now()
    if undo_left(last, case, now) is None:
        raise TooLate("The undo window has passed and the outcome is out. Ask a supervisor to reopen the case.")
    review = votes.append_undo(last, actor=actor, now=now)
    decisions.undo(case, actor=actor, now=now)
    votes.reopen(last, case)
    keep_text(case.pk, written_in(last), actor=actor)
    return review


def written_in(review: Review) -> Submission:
    """What was handed in as ``review``."""
    text = review.content.text
    words = ("final_answer", "policy_reason", "notes", "missing_evidence", "better_retrieval_query")
    return Submission(
        verdict=Verdict(review.verdict),
        final_decision=review.final_decision,
        reason_code=review.reason_code,
        incorrect_evidence=tuple(text.get("incorrect_evidence") or ()),
        checked_evidence=as_checked(text.get("checked_evidence")),
        no_evidence_applies=bool(text.get("no_evidence_applies")),
        **{name: text.get(name) or "" for name in words},
    )


def undo_left(review: Review, case: Case, now: datetime) -> timedelta | None:
    """How long ``review``, the last decision on ``case``, can still be taken back; None when it cannot."""
    if review.kind == Review.Kind.VOTE:
        return votes.undo_left(review, case, now)
    if review.kind != Review.Kind.DECISION or case.state not in (State.APPROVED, State.REJECTED, State.NEEDS_EDIT):
        return None
    left = review.created_at + timedelta(seconds=case.tenant.undo_seconds) - now
    return left if left > timedelta(0) else None


def keep_unsent(case_id: UUID, submission: Submission, *, actor: User) -> None:
    """``keep_text`` after a stale claim; nothing for somebody who never held the case and has no text to lose."""
    if Claim.objects.filter(case=case_id, user=actor).exists():
        keep_text(case_id, submission, actor=actor)


def keep_text(case_id: UUID, submission: Submission, *, actor: User) -> ReviewDraft:
    """Keep what was written for a case that slipped away; it comes back when its writer opens the case again."""
    try:
        return _keep_text(case_id, submission, actor=actor)
    except IntegrityError:  # The same person saved twice at once, and the other was first: now there is one to change.
        return _keep_text(case_id, submission, actor=actor)


@transaction.atomic
def _keep_text(case_id: UUID, submission: Submission, *, actor: User) -> ReviewDraft:
    case = Case.objects.select_related("tenant").get(pk=case_id)
    body = submission.texts() | {
        "verdict": submission.verdict,
        "final_decision": submission.final_decision,
        "reason_code": submission.reason_code,
    }
    kept = (
        ReviewDraft.objects.select_for_update(of=("self",))
        .select_related("content")
        .filter(case=case, reviewer=actor)
        .first()
    )
    if kept:
        kept.content.body = body
        kept.content.save(update_fields=["body"])
        kept.saved_at = db_now()
        kept.save(update_fields=["saved_at"])
        return kept
    content = Content(tenant=case.tenant, owner=Content.Owner.REVIEW, case_id=case.pk, body=body)
    content.save(force_insert=True)
    kept = ReviewDraft(case=case, reviewer=actor, content=content, saved_at=db_now())
    kept.save(force_insert=True)
    return kept


def _forget_text(case: Case, actor: User) -> None:
    """What was kept unsent goes with its text, to which nothing else would ever lead again."""
    if kept := ReviewDraft.objects.select_related("content").filter(case=case, reviewer=actor).first():
        kept.delete()
        kept.content.delete()
