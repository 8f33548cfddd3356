"""Peer review: a sample of decided cases is looked at again by somebody else, and both outcomes stay."""

from datetime import timedelta

import pytest
from django.test import Client

from cases.clock import db_now, pretend_now
from cases.models import CaseEvent
from cases.permissions import Denied
from cases.services import lifecycle
from cases.states import State
from cases.vocabulary import Role
from config.invariants import broken
from feedback.errors import LookRefused
from feedback.models import Review, SecondLook
from feedback.services import looks
from feedback.services.looks import Wish
from queues.models import Entry
from queues.services import claims
from tests.feedback.test_quorum import ACCEPT, REJECT, vote
from tests.worlds import make_world

K = CaseEvent.Kind
HOUR = timedelta(hours=1)


@pytest.fixture
def world(db):
    """Three cases that Rita decided, all final."""
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    world.third = world.person("theo", Role.REVIEWER, reviews=True)
    for _ in range(3):
        vote(world.submit(), world.reviewer)
    return world


def wish(**fields) -> Wish:
    now = db_now()
    return Wish(**{"since": now - HOUR, "until": now + HOUR, "number": 1} | fields)


def sampled(world, **fields) -> SecondLook:
    return looks.sample(world.tenant, wish(**fields), actor=world.supervisor, reason="monthly sample")[0]


def test_a_second_look_goes_to_somebody_else_and_leaves_the_outcome_as_it_is(world):
    look = sampled(world)
    entry = Entry.objects.get(case=look.case)
    assert (entry.kind, entry.excluded) == (Entry.Kind.SECOND, [world.reviewer.pk])
    assert claims.claim_next(world.reviewer, tenant=world.tenant) is None
    review = vote(look.case, world.colleague)
    look.refresh_from_db()
    assert (review.kind, look.result, look.review) == (Review.Kind.SECOND, SecondLook.Result.UPHELD, review)
    assert look.case.events.order_by("-id").first().kind == K.LOOKED_AGAIN
    assert type(look.case).objects.get(pk=look.case_id).state == State.APPROVED
    assert not Entry.objects.exists()
    assert not Review.objects.countable().filter(pk=review.pk).exists()
    assert list(broken()) == []


def test_who_disagrees_reopens_the_case_for_a_third_person_and_both_outcomes_stay(world):
    look = sampled(world)
    vote(look.case, world.colleague, REJECT)
    look.refresh_from_db()
    assert look.result == SecondLook.Result.OVERTURNED
    entry = Entry.objects.get(case=look.case)
    assert entry.kind == Entry.Kind.REVIEW
    assert set(entry.excluded) == {world.reviewer.pk, world.colleague.pk}
    assert look.decision.verdict == "accept" and look.review.verdict == "reject"
    assert vote(look.case, world.third, REJECT).kind == Review.Kind.DECISION
    assert list(broken()) == []


def test_a_share_is_drawn_and_nothing_twice(world):
    drawn = looks.sample(world.tenant, wish(number=None, share=0.67), actor=world.supervisor, reason="sample")
    assert len(drawn) == 2
    rest = looks.sample(world.tenant, wish(number=50), actor=world.supervisor, reason="the rest")
    assert len(rest) == 1 and not {look.case_id for look in rest} & {look.case_id for look in drawn}
    with pytest.raises(LookRefused):
        looks.sample(world.tenant, wish(number=50), actor=world.supervisor, reason="again")


def test_it_is_narrowed_by_domain_and_person(world):
    names = looks.candidates(world.tenant, wish(domain="billing", reviewer=world.reviewer))
    assert names.count() == 3
    assert not looks.candidates(world.tenant, wish(domain="shipping")).exists()
    assert not looks.candidates(world.tenant, wish(reviewer=world.colleague)).exists()


def test_it_takes_the_right_a_reason_and_one_size(world):
    outsider = make_world("other")
    for actor in (world.reviewer, outsider.supervisor):
        with pytest.raises(Denied):
            looks.sample(world.tenant, wish(), actor=actor, reason="mine")
    for wrong in ({"number": None}, {"share": 0.5}):
        with pytest.raises(LookRefused):
            looks.sample(world.tenant, wish(**wrong), actor=world.supervisor, reason="sample")
    with pytest.raises(LookRefused):
        looks.sample(world.tenant, wish(), actor=world.supervisor, reason=" ")
    assert not SecondLook.objects.exists()


def test_an_appeal_ends_the_second_look_that_waits(world):
    look = sampled(world)
    with pretend_now(db_now() + HOUR):
        lifecycle.reopen(look.case_id, actor=world.supervisor, reason="appeal")
    look.refresh_from_db()
    assert look.result == SecondLook.Result.CLOSED
    assert Entry.objects.get(case=look.case).excluded == [world.reviewer.pk]
    assert vote(look.case, world.colleague, ACCEPT).kind == Review.Kind.DECISION


def test_an_appeal_in_a_team_of_one_goes_to_the_same_person_again(db):
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    world.colleague.reviewer_profiles.update(is_paused=True)
    case = world.submit()
    vote(case, world.reviewer)
    with pretend_now(db_now() + HOUR):
        lifecycle.reopen(case.pk, actor=world.supervisor, reason="appeal")
    assert Entry.objects.get(case=case).excluded == []


# --- the page -----------------------------------------------------------------------------------------------------

ASK = "/admin/feedback/secondlook/ask/"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_supervisor_draws_a_sample_on_a_page_and_finds_both_outcomes_in_a_list(world):
    form = {"tenant": str(world.tenant.pk), "days": "30", "number": "2", "reason": "monthly sample"}
    client = signed_in(world.supervisor)
    assert client.get(ASK).status_code == 200
    assert client.post(ASK, form | {"percent": "5"}).status_code == 400
    with pretend_now(db_now() + timedelta(minutes=1)):
        assert client.post(ASK, form).status_code == 302
    assert SecondLook.objects.count() == 2
    look = SecondLook.objects.first()
    vote(look.case, world.colleague, REJECT)
    text = client.get("/admin/feedback/secondlook/").content.decode()
    assert "Accept by Rita" in text and "Reject by Carl" in text and "Overturned" in text


def test_the_page_is_for_those_who_may_reopen_and_offers_an_outsider_nothing(world):
    outsider = make_world("other")
    assert signed_in(world.reviewer).get(ASK).status_code == 403
    page = signed_in(outsider.supervisor).get(ASK).content.decode()
    assert "Acme" not in page and "@acme" not in page
    form = {"tenant": str(world.tenant.pk), "days": "30", "number": "2", "reason": "mine"}
    assert signed_in(outsider.supervisor).post(ASK, form).status_code == 400
    assert not SecondLook.objects.exists()
