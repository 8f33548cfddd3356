"""What happens to a case besides reviews: withdrawal, recall, reopening, a wish for a person, late drafts."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cases.clock import db_now, pretend_now
from cases.models import Case, CaseEvent
from cases.permissions import Denied
from cases.services import lifecycle
from cases.services.lifecycle import NotDecided, NotOpen
from cases.vocabulary import Verdict
from feedback.services import reviews
from feedback.submission import Submission
from queues.models import Claim, Entry, Passage
from queues.services import claims
from tests.threads import failures, in_parallel
from tests.worlds import SURE, make_world

K = CaseEvent.Kind
RULES = {"new_release_reviews": 0, "sampling_share": 0.0}
LATER = timedelta(minutes=1)


@pytest.fixture
def world(db):
    return make_world(rules=RULES)


def decide(world, case, verdict=Verdict.REJECT) -> None:
    entry = claims.claim(case, world.reviewer)
    reviews.submit(
        case.pk, Submission(verdict=verdict, notes="reason"), actor=world.reviewer, generation=entry.generation
    )


def now_of(case) -> Case:
    return Case.objects.get(pk=case.pk)


def kinds(case) -> list[str]:
    return list(case.events.order_by("id").values_list("kind", flat=True))


# --- withdrawal --------------------------------------------------------------------------------------------------


def test_a_waiting_case_is_withdrawn_and_leaves_its_queue(world):
    case = world.submit()
    lifecycle.withdraw(case.pk, actor=world.service, reason="solved by phone")
    assert now_of(case).state == "withdrawn"
    assert not Entry.objects.filter(case=case).exists()
    assert Passage.objects.get(case=case).end == K.WITHDRAWN
    event = case.events.get(kind=K.WITHDRAWN)
    assert event.note.text == {"note": "solved by phone"}
    assert bytes(event.note_digest) == event.note.digest()


def test_a_case_that_waits_for_a_draft_is_withdrawn_and_waits_no_more(world):
    case = world.submit()
    decide(world, case, Verdict.NEEDS_EDIT)
    lifecycle.withdraw(case.pk, actor=world.service)
    assert (now_of(case).state, now_of(case).redraft_by) == ("withdrawn", None)
    assert lifecycle.resume_overdue_redrafts() == 0


def test_a_withdrawal_ends_the_claim_of_whoever_had_the_case(world):
    case = world.submit()
    entry = claims.claim(case, world.reviewer)
    lifecycle.withdraw(case.pk, actor=world.service)
    claim = Claim.objects.get(generation=entry.generation)
    assert (claim.end, claim.ended_at is not None) == (Claim.End.CLOSED, True)


@pytest.mark.parametrize("state", ["auto_approved", "rejected", "withdrawn"])
def test_what_is_decided_or_gone_cannot_be_withdrawn(world, state):
    case = world.submit(signals=SURE) if state == "auto_approved" else world.submit()
    if state == "rejected":
        decide(world, case)
    elif state == "withdrawn":
        lifecycle.withdraw(case.pk, actor=world.service)
    events = kinds(case)
    with pytest.raises(NotOpen):
        lifecycle.withdraw(case.pk, actor=world.service)
    assert (now_of(case).state, kinds(case)) == (state, events)


def test_an_outsider_and_a_reviewer_may_not_withdraw(world):
    case = world.submit()
    for actor in (make_world("other").service, world.reviewer):
        with pytest.raises(Denied):
            lifecycle.withdraw(case.pk, actor=actor)
    assert now_of(case).state == "pending_review"


# --- recall, escalation, reopening ---------------------------------------------------------------------------------


def test_a_customer_who_wants_a_person_recalls_an_automatic_approval(world):
    case = world.submit(signals=SURE)
    lifecycle.escalate(case.pk, actor=world.service, note="please, a person")
    case = now_of(case)
    assert (case.state, case.verdict, case.decided_by, case.final_at) == ("pending_review", "", "", None)
    assert case.events.get(kind=K.RECALLED).data == {"trigger": "user_escalation"}
    assert Entry.objects.get(case=case).priority > Entry.objects.get(case=world.submit()).priority


def test_a_waiting_case_whose_customer_wants_a_person_goes_before_the_others(world):
    first, urgent = world.submit(), world.submit()
    lifecycle.escalate(urgent.pk, actor=world.service)
    assert now_of(urgent).state == "pending_review"
    assert kinds(urgent)[-1] == K.ESCALATED
    assert world.claim().case_id == urgent.pk
    assert world.claim(world.colleague).case_id == first.pk


def test_a_wish_for_a_person_comes_too_late_once_a_person_has_decided(world):
    case = world.submit()
    decide(world, case)
    with pytest.raises(NotOpen):
        lifecycle.escalate(case.pk, actor=world.service)


def test_a_sample_that_is_recalled_leaves_its_audit_and_waits_as_a_review(db):
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 1.0})
    case = world.submit(signals=SURE)
    assert Entry.objects.get(case=case).kind == "audit"
    lifecycle.escalate(case.pk, actor=world.service)
    assert Entry.objects.get(case=case).kind == "review"
    assert Passage.objects.get(case=case).kind == "audit"


def test_a_final_decision_is_reopened_and_the_old_outcome_stays_on_record(world):
    case = world.submit()
    decide(world, case)
    with pretend_now(db_now() + LATER):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="the customer appealed")
    case = now_of(case)
    assert (case.state, case.verdict, case.decided_at, case.final_at) == ("pending_review", "", None, None)
    assert kinds(case) == [K.OPENED, K.DECIDED, K.REOPENED]
    assert case.reviews.count() == 1
    assert "rejected" in case.history.values_list("state", flat=True)


def test_a_decision_that_is_not_final_is_undone_and_not_reopened(world):
    case = world.submit()
    decide(world, case)
    with pytest.raises(NotDecided):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="too early")


def test_a_case_that_waits_cannot_be_reopened(world):
    case = world.submit()
    with pytest.raises(NotDecided):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="why not")


def test_reviewers_service_accounts_and_outsiders_may_not_reopen(world):
    case = world.submit(signals=SURE)
    for actor in (world.reviewer, world.service, world.compliance, make_world("other").supervisor):
        with pytest.raises(Denied):
            lifecycle.reopen(case.pk, actor=actor, reason="no")
    assert now_of(case).state == "auto_approved"


# --- drafts that do not come -----------------------------------------------------------------------------------------


def test_a_draft_that_does_not_come_in_time_sends_the_case_back_to_a_person(world):
    case = world.submit()
    decide(world, case, Verdict.NEEDS_EDIT)
    assert Entry.objects.get(case=case).paused_at is not None
    assert lifecycle.resume_overdue_redrafts() == 0
    with pretend_now(now_of(case).redraft_by + LATER):
        assert lifecycle.resume_overdue_redrafts() == 1
        assert lifecycle.resume_overdue_redrafts() == 0
    assert (now_of(case).state, now_of(case).redraft_by) == ("pending_review", None)
    assert Entry.objects.get(case=case).paused_at is None
    assert kinds(case)[-1] == K.REDRAFT_OVERDUE
    assert world.claim(world.colleague).case_id == case.pk


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_and_withdrawals_and_claims_at_once_never_wait_for_each_other_for_ever():
    """Everything that touches a case and its entry at the same time, in whichever order it takes their locks."""
    world = make_world(rules=RULES)
    waiting = [world.submit(sla_deadline=(timezone.now() + timedelta(hours=1)).isoformat()) for _ in range(24)]
    overdue = [world.submit() for _ in range(6)]
    for case in overdue:
        decide(world, case, Verdict.NEEDS_EDIT)
    late = db_now() + timedelta(days=1)

    def sweep_drafts() -> int:
        with pretend_now(late):
            return lifecycle.resume_overdue_redrafts()

    def sweep_late() -> int:
        from queues.services.deadlines import sweep_deadlines

        with pretend_now(late):
            return sweep_deadlines().missed

    def withdraw() -> None:
        for case in waiting[:12]:
            lifecycle.withdraw(case.pk, actor=world.service)

    def escalate() -> None:
        for case in waiting[12:]:
            lifecycle.escalate(case.pk, actor=world.service)

    def claim(user) -> None:
        for _ in range(12):
            if entry := claims.claim_next(user):
                claims.release(entry.case_id, user, entry.generation)

    results = in_parallel(
        [sweep_drafts, sweep_drafts, sweep_late, sweep_late, withdraw, escalate]
        + [lambda user=user: claim(user) for user in (world.reviewer, world.colleague)]
    )
    unexpected = [error for error in failures(results) if type(error).__name__ != "StaleClaim"]
    assert not unexpected, unexpected
    assert results[0] + results[1] == 6, "two sweeps at once bring each case back once"
    for case in overdue:
        assert kinds(case).count(K.REDRAFT_OVERDUE) == 1
    for case in waiting:
        assert kinds(case).count(K.SLA_BREACHED) <= 1
    assert not Entry.objects.filter(case__state="withdrawn").exists()
    assert Entry.objects.filter(case__state="pending_review").count() == 18
