"""Settling a disagreement on its page: all sides, taken or merged, with a reason; and taking a vote out for cause."""

import pytest
from django.test import Client
from django.urls import reverse

from cases.models import Case
from cases.states import State
from cases.vocabulary import Verdict
from feedback.models import Poll, Review
from feedback.quorum import Standing
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.feedback.review_pages import filled_in, url
from tests.feedback.test_quorum import ACCEPT, AGAIN, REJECT, vote, voting_world, whole
from tests.worlds import make_world

SHORT, KIND = "No, after 30 days.", "Sorry, it is too late."


@pytest.fixture
def world(db):
    return voting_world()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def two_texts(world) -> Case:
    case = world.submit()
    vote(case, world.reviewer, Submission(Verdict.EDIT, final_answer=SHORT, notes="Short is clear."))
    vote(case, world.colleague, Submission(Verdict.EDIT, final_answer=KIND))
    return case


def three_sides(world) -> Case:
    case = world.submit()
    for person, said in ((world.reviewer, ACCEPT), (world.colleague, REJECT), (world.third, AGAIN)):
        vote(case, person, said)
    return case


def test_the_adjudicator_sees_all_sides_and_starts_from_one(world):
    case = two_texts(world)
    claims.claim(case, world.senior)
    client = signed_in(world.senior)
    page = client.get(url("work", case))
    sides = page.context["page"].sides
    assert [(side.answer, side.who) for side in sides.each] == [(SHORT, "Rita"), (KIND, "Carl")]
    assert "not on the text" in page.content.decode()
    taken = client.get(f"{url('work', case)}?side={sides.each[1].review_id}")
    assert taken.context["form"]["final_answer"].value() == KIND
    refused = client.post(url("decide", case), filled_in(taken, verdict="edit"))
    assert refused.status_code == 400
    assert "say why you decide as you do" in refused.content.decode()
    done = client.post(url("decide", case), filled_in(taken, verdict="edit", notes="It is kinder."))
    assert done.status_code == 302
    decided = Case.objects.with_text().get(pk=case.pk)
    assert (decided.state, decided.final_content.text["final_answer"]) == (State.APPROVED, KIND)
    assert Poll.objects.get().standing == Standing.ADJUDICATED


def test_a_voter_and_a_reviewer_see_no_sides(world):
    case = two_texts(world)
    late = world.person("lara", "reviewer", reviews=True)
    for person in (world.reviewer, late, world.compliance):
        page = signed_in(person).get(url("work", case))
        assert page.context["page"].sides is None
        assert KIND not in page.content.decode()


def test_a_side_that_is_none_of_the_case_starts_nothing(world):
    case = two_texts(world)
    claims.claim(case, world.senior)
    for wrong in ("x", str(case.pk), ""):
        page = signed_in(world.senior).get(f"{url('work', case)}?side={wrong}")
        assert page.context["form"]["final_answer"].value() == page.context["page"].answer


def strike(client, case, review, **data):
    return client.post(reverse("admin:feedback_review_strike", args=[case.pk, review.pk]), data)


def test_a_supervisor_takes_a_vote_out_and_one_more_person_is_asked(world):
    case = three_sides(world)
    wrong = Review.objects.get(case=case, reviewer=world.third)
    client = signed_in(world.supervisor)
    assert "Take this vote out" in client.get(url("work", case)).content.decode()
    assert "Take this vote out" not in signed_in(world.senior).get(url("work", case)).content.decode()
    strike(client, case, wrong)
    assert not Review.objects.filter(supersedes=wrong).exists()  # A reason is owed.
    strike(client, case, wrong, reason="It was somebody else's hand.")
    assert Review.objects.get(supersedes=wrong).reviewer == world.supervisor
    assert not Entry.objects.get(case=case).for_adjudicator
    late = world.person("lara", "reviewer", reviews=True)
    assert vote(case, late, REJECT).kind == Review.Kind.DECISION
    whole()


def test_nobody_else_takes_a_vote_out(world):
    case = three_sides(world)
    wrong = Review.objects.get(case=case, reviewer=world.third)
    assert strike(signed_in(world.senior), case, wrong, reason="mine").status_code == 403
    assert strike(signed_in(make_world("other").supervisor), case, wrong, reason="mine").status_code == 404
    another = world.submit()
    assert strike(signed_in(world.supervisor), another, wrong, reason="mine").status_code == 404
    assert not Review.objects.filter(supersedes=wrong).exists()
