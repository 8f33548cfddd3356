"""Reviews: deciding a case, what is stored of it, and taking it back."""

from datetime import timedelta

import pytest

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent, Release
from cases.permissions import Denied
from cases.services import intake, lifecycle
from cases.vocabulary import Role, Verdict
from cases.wire.intake import parse_draft
from feedback.errors import NothingToUndo, NotPending, ReviewInvalid, TooLate
from feedback.models import Review, ReviewDraft
from feedback.services import reviews
from feedback.submission import Submission
from queues.errors import StaleClaim
from queues.models import Claim, Entry
from queues.services import claims
from tests.threads import in_parallel
from tests.worlds import DRAFT, FAIR, SURE, WEAK, make_world

K = CaseEvent.Kind
ACCEPT = Submission(Verdict.ACCEPT)
REJECT = Submission(Verdict.REJECT, notes="not so", reason_code="wrong_fact")
AGAIN = Submission(Verdict.NEEDS_EDIT, notes="cite the policy")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(db):
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0})


@pytest.fixture
def sampled(db):
    """A world in which a person looks at every automatic approval afterwards."""
    return make_world(rules={"new_release_reviews": 0, "sampling_share": 1.0})


def decide(world, case, submission=ACCEPT, user=None, **options) -> Review:
    user = user or world.reviewer
    entry = claims.claim(case, user)
    return reviews.submit(case.pk, submission, actor=user, generation=entry.generation, **options)


def now_of(case) -> Case:
    return Case.objects.with_text().get(pk=case.pk)


def kinds(case) -> list[str]:
    return list(case.events.order_by("id").values_list("kind", flat=True))


# --- verdicts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("submission", "state", "verdict", "override"),
    [
        (ACCEPT, "approved", "accept", False),
        (Submission(Verdict.EDIT, final_answer="No."), "approved", "edit", True),
        (Submission(Verdict.EDIT, final_answer=DRAFT), "approved", "accept", False),
        (REJECT, "rejected", "reject", True),
        (AGAIN, "needs_edit", "needs_edit", False),
    ],
)
def test_each_verdict_moves_the_case_and_is_stored(world, submission, state, verdict, override):
    case = world.submit()
    review = decide(world, case, submission)
    assert (now_of(case).state, review.verdict, review.is_override) == (state, verdict, override)
    assert (review.reviewer, review.draft, review.route) == (world.reviewer, case.current_draft, "quick_review")
    assert review.policy_version == case.current_draft.policy_version
    assert bytes(review.displayed_digest) == bytes(case.current_draft.content_digest)
    assert bytes(review.content_digest) == review.content.digest()


def test_a_decision_is_final_after_the_undo_window(world):
    case = world.submit()
    decide(world, case)
    case = now_of(case)
    assert (case.decided_by, case.verdict) == ("human", "accept")
    assert case.final_at - case.decided_at == timedelta(seconds=world.tenant.undo_seconds)
    event = case.events.get(kind=K.DECIDED)
    assert event.actor == world.reviewer
    assert event.data == {"verdict": "accept", "final_decision": "", "reason_code": ""}


def test_an_edit_stores_the_pair_of_the_draft_and_the_final_answer_and_how_far_they_are_apart(world):
    case = world.submit(model_draft="Yes, you can.")
    review = decide(world, case, Submission(Verdict.EDIT, final_answer="No, you can."))
    assert review.draft.content.text["model_draft"] == "Yes, you can."
    assert review.content.text["final_answer"] == "No, you can."
    assert review.edit_distance == 3
    assert review.edit_share == pytest.approx(3 / len("Yes, you can."))
    assert now_of(case).final_content.text["final_answer"] == "No, you can."


def test_a_flipped_decision_is_an_edit_and_an_override(world):
    case = world.submit(model_decision="deny", model_draft=None)
    review = decide(world, case, Submission(Verdict.EDIT, final_decision="allow"))
    assert (review.verdict, review.final_decision, review.is_override) == ("edit", "allow", True)
    assert now_of(case).final_decision == "allow"


def test_without_a_draft_the_person_answers_and_overrides_nobody(world):
    case = world.submit(model_draft=None, signals=None, evidence=None)
    review = decide(world, case, Submission(Verdict.EDIT, final_answer="My answer.", notes="from scratch"))
    assert (review.verdict, review.is_override) == ("edit", False)
    with pretend_now(db_now() + MINUTE):
        assert now_of(case).final_content.text["final_answer"] == "My answer."


def test_the_handling_time_runs_from_the_claim_to_the_decision(world):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    with pretend_now(entry.claimed_at + timedelta(seconds=95)):
        review = reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)
    assert review.handling_seconds == 95.0


def test_everything_that_the_reviewer_found_is_stored(world):
    case = world.submit()
    found = Submission(
        Verdict.REJECT,
        reason_code="wrong_policy",
        policy_reason="section 4",
        notes="notes",
        missing_evidence="the invoice",
        incorrect_evidence=("returns",),
        better_retrieval_query="refund after 30 days",
    )
    review = decide(world, case, found)
    assert review.content.text == found.texts()
    assert review.reason_code == "wrong_policy"


def test_a_review_counts_towards_the_end_of_its_releases_cautious_start(world):
    case = world.submit(release={"model": "m"})
    decide(world, case)
    assert Release.objects.get(model="m").reviews == 1


def test_an_incomplete_review_changes_nothing(world):
    case = world.submit(signals=WEAK)
    with pytest.raises(ReviewInvalid):
        decide(world, case, Submission(Verdict.EDIT, final_answer="No reason given."))
    assert now_of(case).state == "pending_review"
    assert not Review.objects.exists()
    assert Entry.objects.get(case=case).claimed_by == world.reviewer


def test_a_draft_that_arrived_meanwhile_is_read_before_it_is_decided_and_the_text_is_kept(world):
    case = world.submit()
    seen = bytes(case.current_draft.content_digest)
    entry = claims.claim(case, world.reviewer)
    intake.add_draft(case.pk, parse_draft({"model_draft": "Newer.", "signals": FAIR}), actor=world.service)
    edit = Submission(Verdict.EDIT, final_answer="My words.")
    with pytest.raises(StaleClaim, match="newer draft"):
        reviews.submit(case.pk, edit, actor=world.reviewer, generation=entry.generation, displayed_digest=seen)
    assert ReviewDraft.objects.get().content.text["final_answer"] == "My words."
    newest = bytes(now_of(case).current_draft.content_digest)
    review = reviews.submit(case.pk, edit, actor=world.reviewer, generation=entry.generation, displayed_digest=newest)
    assert review.draft.number == 2


def test_a_case_that_was_withdrawn_meanwhile_is_no_longer_decided_and_the_text_is_kept(world):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    lifecycle.withdraw(case.pk, actor=world.service)
    with pytest.raises(StaleClaim):
        reviews.submit(case.pk, REJECT, actor=world.reviewer, generation=entry.generation)
    assert ReviewDraft.objects.get().content.text["notes"] == "not so"
    assert now_of(case).state == "withdrawn"


def test_who_lost_the_right_since_the_claim_decides_nothing(world):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    world.reviewer.memberships.update(is_active=False)
    with pytest.raises(Denied):
        reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)
    assert now_of(case).state == "pending_review"


# --- new drafts --------------------------------------------------------------------------------------------------


def test_a_person_asks_for_new_drafts_within_a_bound(world):
    world.tenant.max_drafts = 2
    world.tenant.save()
    case = world.submit()
    decide(world, case, AGAIN)
    assert now_of(case).redraft_by - db_now() > timedelta(minutes=world.tenant.redraft_minutes - 1)
    intake.add_draft(case.pk, parse_draft({"model_draft": "Second.", "signals": FAIR}), actor=world.service)
    with pytest.raises(ReviewInvalid, match="decide it yourself"):
        decide(world, case, AGAIN)
    assert kinds(case) == [K.OPENED, K.DRAFT_REQUESTED, K.DRAFT_RECEIVED]


# --- undo --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("submission", [ACCEPT, REJECT, Submission(Verdict.EDIT, final_answer="No.")])
def test_a_decision_is_undone_within_its_window_and_stands_before_its_reviewer_again(world, submission):
    case = world.submit()
    due = Entry.objects.get(case=case).due_at
    decided = decide(world, case, submission)
    undo = reviews.undo(case.pk, actor=world.reviewer)
    case = now_of(case)
    assert (case.state, case.verdict, case.final_content, case.final_at) == ("pending_review", "", None, None)
    assert (undo.kind, undo.supersedes, Review.objects.count()) == ("undo", decided, 2)
    entry = Entry.objects.get(case=case)
    assert (entry.claimed_by, entry.due_at) == (world.reviewer, due)
    assert entry.generation > decided.generation
    assert reviews.submit(case.pk, REJECT, actor=world.reviewer, generation=entry.generation).verdict == "reject"


def test_a_wish_for_a_draft_is_undone_and_the_clock_runs_on(world):
    case = world.submit()
    decide(world, case, AGAIN)
    with pretend_now(Entry.objects.get().paused_at + timedelta(seconds=7)):
        reviews.undo(case.pk, actor=world.reviewer)
    entry = Entry.objects.get(case=case)
    assert (now_of(case).state, now_of(case).redraft_by) == ("pending_review", None)
    assert (entry.claimed_by, entry.paused_at, entry.paused_seconds) == (world.reviewer, None, 7)


def test_after_the_window_a_decision_stands(world):
    case = world.submit()
    decide(world, case)
    with pretend_now(now_of(case).final_at), pytest.raises(TooLate):
        reviews.undo(case.pk, actor=world.reviewer)
    assert now_of(case).state == "approved"
    assert Review.objects.count() == 1


def test_nobody_undoes_somebody_elses_decision_or_one_that_is_not_there(world):
    case = world.submit()
    with pytest.raises(NothingToUndo):
        reviews.undo(case.pk, actor=world.reviewer)
    decide(world, case)
    for actor in (world.colleague, world.supervisor, make_world("other").reviewer):
        with pytest.raises(NothingToUndo):
            reviews.undo(case.pk, actor=actor)
    assert now_of(case).state == "approved"


def test_a_decision_is_undone_once(world):
    case = world.submit()
    decide(world, case)
    reviews.undo(case.pk, actor=world.reviewer)
    with pytest.raises(NothingToUndo):
        reviews.undo(case.pk, actor=world.reviewer)


@pytest.mark.django_db(transaction=True)
def test_two_undos_and_a_withdrawal_at_once_leave_one_state_and_one_entry():
    world = make_world()
    case = world.submit()
    decide(world, case)

    def undo():
        return reviews.undo(case.pk, actor=world.reviewer)

    results = in_parallel([undo, undo, undo])
    assert sorted(type(result).__name__ for result in results) == ["NothingToUndo", "NothingToUndo", "Review"]
    assert Review.objects.count() == 2
    assert Entry.objects.get(case=case).claimed_by == world.reviewer
    assert Claim.objects.filter(ended_at=None).count() == 1
    assert kinds(case) == [K.OPENED, K.DECIDED, K.UNDONE]


# --- samples of automatic approvals ------------------------------------------------------------------------------


def test_a_sample_that_a_person_accepts_stays_approved_and_is_confirmed(sampled):
    case = sampled.submit(signals=SURE)
    final_at = case.final_at
    review = decide(sampled, case)
    assert (now_of(case).state, now_of(case).decided_by, now_of(case).final_at) == (
        "auto_approved",
        "automatic",
        final_at,
    )
    assert review.verdict == "accept"
    assert kinds(case) == [K.OPENED, K.AUTO_APPROVED, K.AUDITED]
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("submission", "state"),
    [(REJECT, "rejected"), (Submission(Verdict.EDIT, final_answer="No.", notes="wrong"), "approved")],
)
def test_a_sample_that_a_person_overturns_is_recalled_and_decided(sampled, submission, state):
    case = sampled.submit(signals=SURE)
    review = decide(sampled, case, submission)
    case = now_of(case)
    assert (case.state, case.decided_by, review.is_override) == (state, "human", True)
    assert kinds(case) == [K.OPENED, K.AUTO_APPROVED, K.RECALLED, K.DECIDED]
    assert not Entry.objects.exists()
    reviews.undo(case.pk, actor=sampled.reviewer)
    assert now_of(case).state == "pending_review"
    assert Entry.objects.get().kind == "review"


def test_no_new_draft_is_asked_for_in_a_sample(sampled):
    case = sampled.submit(signals=SURE)
    with pytest.raises(ReviewInvalid):
        decide(sampled, case, AGAIN)
    assert now_of(case).state == "auto_approved"


def test_a_sample_whose_customer_came_first_is_decided_as_a_review(sampled):
    case = sampled.submit(signals=SURE)
    entry = claims.claim(case, sampled.reviewer)
    lifecycle.escalate(case.pk, actor=sampled.service)
    with pytest.raises(StaleClaim):
        reviews.submit(case.pk, ACCEPT, actor=sampled.reviewer, generation=entry.generation)
    decide(sampled, case, REJECT)
    assert now_of(case).state == "rejected"


def test_a_case_that_moved_on_under_a_claim_is_not_decided(world):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    Case.objects.filter(pk=case.pk).update(state="withdrawn")
    with pytest.raises(NotPending):
        reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)


def test_a_senior_reviewer_decides_as_well(world):
    senior = world.person("sam", Role.SENIOR_REVIEWER, reviews=True)
    assert decide(world, world.submit(), user=senior).reviewer == senior
