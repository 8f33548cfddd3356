"""Several independent reviews: the pure rule, the walk of a case through its voters, who sees what, and races."""

from datetime import timedelta
from functools import partial

import pytest
from django.test import Client

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.services import intake, lifecycle, people
from cases.states import State
from cases.vocabulary import Role, Verdict
from cases.wire.intake import parse_draft
from config.invariants import broken
from feedback.errors import NotPending, ReviewInvalid, TooLate
from feedback.models import Poll, Review
from feedback.quorum import Standing, Voice, most, needed, tally
from feedback.seeing import reviews_visible_to
from feedback.services import reviews, votes
from feedback.submission import Submission
from queues.errors import NotFit, StaleClaim
from queues.models import Entry, QuorumRule
from queues.quorum import Demand, required
from queues.services import claims
from tests.bench.oversight import Person, simulate
from tests.callers import Caller
from tests.submissions import complete
from tests.threads import failures, in_parallel
from tests.worlds import FAIR, make_world

K = CaseEvent.Kind
SECOND = timedelta(seconds=1)
ACCEPT = Submission(Verdict.ACCEPT)
REJECT = Submission(Verdict.REJECT, notes="not so")
AGAIN = Submission(Verdict.NEEDS_EDIT, notes="cite the policy")
YES, NO, EDIT = Voice("accept"), Voice("reject"), Voice("edit", "", "a text")


# --- the rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("required_reviews", "voices", "standing"),
    [
        (2, [], Standing.OPEN),
        (2, [YES], Standing.OPEN),
        (2, [YES, YES], Standing.DECIDED),
        (2, [YES, NO], Standing.OPEN),  # a third is asked
        (2, [YES, NO, NO], Standing.DECIDED),
        (2, [YES, NO, EDIT], Standing.SPLIT),
        (3, [YES, YES], Standing.DECIDED),  # the third need not be asked
        (3, [YES, NO, EDIT], Standing.SPLIT),
        (5, [YES, YES, NO, NO], Standing.OPEN),
        (5, [YES, NO, EDIT, Voice("needs_edit")], Standing.SPLIT),  # the fifth could not help
        (5, [YES, YES, NO, YES], Standing.DECIDED),
        (2, [Voice("accept", "deny"), Voice("edit", "allow"), Voice("edit", "allow")], Standing.DECIDED),
        (2, [EDIT, Voice("edit", "", " a  text\n")], Standing.DECIDED),  # spaces make no difference
        (2, [EDIT, Voice("edit", "", "another text")], Standing.TEXT),
    ],
)
def test_a_majority_of_those_asked_decides_and_nobody_is_asked_in_vain(required_reviews, voices, standing):
    assert tally(voices, required_reviews) == standing


@pytest.mark.parametrize(("asked", "agree", "at_most"), [(1, 1, 1), (2, 2, 3), (3, 2, 3), (4, 3, 5), (5, 3, 5)])
def test_more_than_half_have_to_agree_and_a_split_of_an_even_number_asks_one_more(asked, agree, at_most):
    assert (needed(asked), most(asked)) == (agree, at_most)


def test_rules_raise_the_queues_number_and_never_lower_it():
    risky = Demand(3, "risky", risk_from="high")
    costly = Demand(2, "costly", queue="q1", impact_from="critical")
    assert required(1, [risky, costly], queue="q1", risk="low") == (1, "the queue asks for it")
    assert required(1, [risky, costly], queue="q1", risk="low", impact="critical") == (2, "rule “costly”")
    assert required(1, [risky, costly], queue="q2", risk="low", impact="critical")[0] == 1
    assert required(1, [risky, costly], queue="q1", risk="critical", impact="critical") == (3, "rule “risky”")
    assert required(4, [risky, costly], queue="q1", risk="critical")[0] == 4


@pytest.mark.parametrize("required_reviews", [1, 2, 3])
def test_a_quorum_of_simulated_people_leaves_the_error_that_the_binomial_says(required_reviews):
    person = Person(0.2, carelessness=0.1)
    left = simulate([True, True, False] * 200, person, required_reviews, rounds=10, seed=2)
    assert abs(left.deviation) < 4
    assert left.reviews <= most(required_reviews)


# --- a case before its voters ------------------------------------------------------------------------------------


@pytest.fixture
def world(db):
    return voting_world()


def voting_world(slug: str = "acme", number: int = 2):
    world = make_world(slug, rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=10)
    type(world.queue).objects.filter(pk=world.queue.pk).update(required_reviews=number)
    world.third = world.person("theo", Role.REVIEWER, reviews=True)
    world.senior = world.person("sena", Role.SENIOR_REVIEWER, reviews=True)
    return world


def vote(case, user, submission=ACCEPT) -> Review:
    entry = claims.claim(case, user)
    return reviews.submit(case.pk, complete(submission, entry), actor=user, generation=entry.generation)


def state_of(case) -> str:
    return type(case).objects.get(pk=case.pk).state


def kinds(case) -> list[str]:
    return list(case.events.order_by("id").values_list("kind", flat=True))


def whole() -> None:
    assert list(broken()) == []


def test_two_who_agree_decide_and_the_second_ones_review_is_the_decision(world):
    case = world.submit()
    first = vote(case, world.reviewer)
    assert (first.kind, first.is_blind, state_of(case)) == (Review.Kind.VOTE, True, State.PENDING_REVIEW)
    second = vote(case, world.colleague)
    assert (second.kind, state_of(case)) == (Review.Kind.DECISION, State.APPROVED)
    assert kinds(case) == [K.OPENED, K.VOTED, K.DECIDED]
    assert Poll.objects.get().standing == Standing.DECIDED
    whole()


def test_after_a_vote_the_case_goes_to_the_front_and_not_to_who_has_voted(world):
    case = world.submit()
    vote(case, world.reviewer)
    urgent = world.submit(risk_level="medium", sla_deadline=(db_now()).isoformat())
    assert claims.claim_next(world.reviewer, tenant=world.tenant).case_id == urgent.pk
    assert claims.claim_next(world.colleague, tenant=world.tenant).case_id == case.pk
    claims.release(case.pk, world.colleague, Entry.objects.get(case=case).generation)
    with pytest.raises(NotFit):
        claims.claim(case, world.reviewer)


def test_a_split_goes_to_a_third_reviewer_who_decides_it(world):
    case = world.submit()
    vote(case, world.reviewer, ACCEPT)
    vote(case, world.colleague, REJECT)
    assert not Entry.objects.get(case=case).for_adjudicator
    assert vote(case, world.third, REJECT).kind == Review.Kind.DECISION
    assert state_of(case) == State.REJECTED


def test_three_sides_go_to_an_adjudicator_who_sees_them_all_and_must_say_why(world):
    case = world.submit()
    vote(case, world.reviewer, ACCEPT)
    vote(case, world.colleague, REJECT)
    vote(case, world.third, AGAIN)
    late = world.person("lara", Role.REVIEWER, reviews=True)
    assert claims.claim_next(late, tenant=world.tenant) is None
    with pytest.raises(NotFit):
        claims.claim(case, late)
    assert reviews_visible_to(world.senior, Review.objects.filter(case=case)).count() == 3
    entry = claims.claim_next(world.senior, tenant=world.tenant)
    assert entry.case_id == case.pk
    with pytest.raises(ReviewInvalid):
        reviews.submit(case.pk, ACCEPT, actor=world.senior, generation=entry.generation)
    because = Submission(Verdict.ACCEPT, notes="The policy covers it.")
    decided = reviews.submit(case.pk, because, actor=world.senior, generation=entry.generation)
    assert (decided.kind, decided.is_blind, state_of(case)) == (Review.Kind.DECISION, False, State.APPROVED)
    assert Poll.objects.get().standing == Standing.ADJUDICATED
    assert K.SPLIT in kinds(case)
    whole()


def test_two_edits_that_differ_are_a_disagreement_on_text(world):
    case = world.submit()
    vote(case, world.reviewer, Submission(Verdict.EDIT, final_answer="No, after 30 days."))
    vote(case, world.colleague, Submission(Verdict.EDIT, final_answer="Sorry, it is too late."))
    assert Poll.objects.get().standing == Standing.TEXT
    merged = Submission(Verdict.EDIT, final_answer="Sorry: not after 30 days.", notes="Both are right; merged.")
    assert vote(case, world.senior, merged).kind == Review.Kind.DECISION
    decided = type(case).objects.with_text().get(pk=case.pk)
    assert decided.final_content.text["final_answer"] == "Sorry: not after 30 days."


def test_a_new_draft_is_a_new_question_for_the_same_people(world):
    case = world.submit()
    vote(case, world.reviewer, AGAIN)
    vote(case, world.colleague, AGAIN)
    assert state_of(case) == State.NEEDS_EDIT
    intake.add_draft(case.pk, parse_draft({"model_draft": "Better.", "signals": FAIR}), actor=world.service)
    assert vote(case, world.reviewer).kind == Review.Kind.VOTE
    assert vote(case, world.colleague).kind == Review.Kind.DECISION
    assert Poll.objects.count() == 2


def test_one_review_is_enough_where_nobody_asks_for_more(db):
    world = voting_world(number=1)
    case = world.submit()
    assert vote(case, world.reviewer).poll is None
    assert not Poll.objects.exists()


def test_a_rule_asks_for_two_from_a_risk_upward(db):
    world = voting_world(number=1)
    rule = QuorumRule(tenant=world.tenant, name="High risks", risk_from="high", required_reviews=2)
    rule.save_as(system_actor(), "tests")
    case = world.submit_full(risk_level="high")
    assert vote(case, world.reviewer).kind == Review.Kind.VOTE
    assert Poll.objects.get().why == "rule “High risks”"
    assert vote(world.submit(), world.reviewer).kind == Review.Kind.DECISION


def test_votes_count_in_no_metric_label_or_export(world):
    case = world.submit()
    vote(case, world.reviewer, REJECT)
    assert not Review.objects.countable().exists()


# --- taking it back, striking it ----------------------------------------------------------------------------------


def test_a_vote_can_be_taken_back_within_the_window_and_comes_back_to_its_writer(world):
    case = world.submit()
    vote(case, world.reviewer, REJECT)
    undone = reviews.undo(case.pk, actor=world.reviewer)
    assert undone.kind == Review.Kind.UNDO
    entry = Entry.objects.get(case=case)
    assert (entry.claimed_by, entry.excluded) == (world.reviewer, [])
    reviews.submit(case.pk, ACCEPT, actor=world.reviewer, generation=entry.generation)
    vote(case, world.colleague)
    assert state_of(case) == State.APPROVED


def test_a_vote_stands_after_the_window_and_after_the_decision(world):
    case = world.submit()
    first = vote(case, world.reviewer, REJECT)
    with pretend_now(first.created_at + 11 * SECOND), pytest.raises(TooLate):
        reviews.undo(case.pk, actor=world.reviewer)


def test_undoing_the_decision_leaves_the_other_vote(world):
    case = world.submit()
    vote(case, world.reviewer)
    vote(case, world.colleague)
    reviews.undo(case.pk, actor=world.colleague)
    entry = Entry.objects.get(case=case)
    assert (entry.claimed_by, entry.excluded) == (world.colleague, [world.reviewer.pk])
    assert Poll.objects.get().standing == Standing.OPEN
    reviews.submit(case.pk, REJECT, actor=world.colleague, generation=entry.generation)
    assert vote(case, world.third, REJECT).kind == Review.Kind.DECISION
    whole()


def test_the_vote_of_somebody_who_left_stands_and_one_struck_for_cause_does_not(world):
    case = world.submit()
    first = vote(case, world.reviewer)
    people.assign_roles(world.reviewer, world.tenant, [], actor=system_actor())
    assert list(votes.standing_votes(first.poll)) == [first]
    for outsider in (world.colleague, voting_world("other").supervisor):
        with pytest.raises(Denied):
            votes.strike(first.pk, actor=outsider, reason="did not read it")
    with pytest.raises(ReviewInvalid):
        votes.strike(first.pk, actor=world.supervisor, reason=" ")
    votes.strike(first.pk, actor=world.supervisor, reason="did not read it")
    assert vote(case, world.colleague).kind == Review.Kind.VOTE
    assert vote(case, world.third).kind == Review.Kind.DECISION
    with pytest.raises(NotPending):
        votes.strike(first.pk, actor=world.supervisor, reason="again")


def test_an_appeal_goes_to_somebody_who_has_not_judged_the_case(world):
    case = world.submit()
    vote(case, world.reviewer)
    vote(case, world.colleague)
    with pretend_now(db_now() + 60 * SECOND):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="the customer objects")
    assert set(Entry.objects.get(case=case).excluded) == {world.reviewer.pk, world.colleague.pk}
    assert Review.objects.filter(case=case, kind="decision", superseded_by=None).count() == 1


# --- who sees what ------------------------------------------------------------------------------------------------


def page(case, user) -> str:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.get(f"/admin/feedback/review/work/{case.pk}/").content.decode()


def test_nobody_learns_of_a_vote_while_the_question_is_open(world):
    case = world.submit()
    vote(case, world.reviewer, Submission(Verdict.REJECT, notes="A telltale note"))
    outsider = voting_world("other")
    for user in (world.colleague, world.senior, world.supervisor):
        assert "A telltale note" not in page(case, user)
        assert "Vote" not in page(case, user)
        timeline = Caller(user, world.tenant).get(f"cases/{case.wire_id}/timeline/").json()["results"]
        assert [line["type"] for line in timeline] == [K.OPENED]
        assert not reviews_visible_to(user, Review.objects.filter(case=case)).exists()
    assert "A telltale note" in page(case, world.reviewer)
    assert Caller(outsider.reviewer, outsider.tenant).get(f"cases/{case.wire_id}/timeline/").status_code == 404
    vote(case, world.colleague, REJECT)
    assert "A telltale note" in page(case, world.supervisor)


def test_votes_are_told_to_no_webhook_and_no_caller(world):
    case = world.submit()
    vote(case, world.reviewer)
    assert {K.VOTED, K.VOTE_UNDONE, K.SPLIT} <= CaseEvent.INTERNAL
    timeline = Caller(world.service, world.tenant).get(f"cases/{case.wire_id}/timeline/").json()["results"]
    assert [line["type"] for line in timeline] == [K.OPENED]


# --- races --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_last_votes_at_once_make_one_decision():
    world = voting_world()
    case = world.submit()
    vote(case, world.reviewer)
    entry = claims.claim(case, world.colleague)
    send = partial(reviews.submit, case.pk, ACCEPT, actor=world.colleague, generation=entry.generation)
    results = in_parallel([send] * 4)
    assert [type(error) for error in failures(results)] == [StaleClaim] * 3
    assert kinds(case).count(K.DECIDED) == 1
    assert Review.objects.filter(case=case, kind="decision").count() == 1
    whole()


@pytest.mark.django_db(transaction=True)
def test_a_vote_and_the_taking_back_of_the_other_lose_neither():
    world = voting_world()
    for _ in range(4):
        case = world.submit()
        vote(case, world.reviewer)
        entry = claims.claim(case, world.colleague)
        in_parallel(
            [
                partial(reviews.submit, case.pk, ACCEPT, actor=world.colleague, generation=entry.generation),
                partial(reviews.undo, case.pk, actor=world.reviewer),
            ]
        )
        poll = Poll.objects.get(case=case)
        standing = votes.standing_votes(poll).count()
        assert (standing, state_of(case)) in ((2, State.APPROVED), (1, State.PENDING_REVIEW))
        assert (poll.closed_at is None) == (standing == 1)
        whole()
        if standing == 1:
            lifecycle.withdraw(case.pk, actor=world.supervisor)


@pytest.mark.django_db(transaction=True)
def test_a_reviewer_removed_while_voting_has_voted_or_has_not():
    world = voting_world()
    case = world.submit()
    vote(case, world.reviewer)
    entry = claims.claim(case, world.colleague)
    results = in_parallel(
        [
            lambda: reviews.submit(case.pk, ACCEPT, actor=world.colleague, generation=entry.generation),
            lambda: people.assign_roles(world.colleague, world.tenant, [], actor=system_actor()),
        ]
    )
    refused = bool(failures(results))
    assert (state_of(case) == State.APPROVED) is not refused
    assert Review.objects.filter(case=case, kind="vote").count() == 1, "the first vote stands"
    whole()


@pytest.mark.django_db(transaction=True)
def test_a_vote_after_the_decision_changes_nothing_and_keeps_its_text():
    world = voting_world()
    case = world.submit()
    vote(case, world.reviewer)
    slow = claims.claim(case, world.third)
    with pretend_now(db_now() + 3600 * SECOND):
        claims.return_lost()
    vote(case, world.colleague)
    with pytest.raises(StaleClaim):
        reviews.submit(case.pk, REJECT, actor=world.third, generation=slow.generation)
    assert state_of(case) == State.APPROVED
    assert Review.objects.filter(case=case).count() == 2
