"""A second look that is blind: whoever may be given it learns nothing of the first decision before they have said
theirs, by no page, list, filter, search or API; then both outcomes are there for all."""

import pytest
from django.test import Client
from django.urls import reverse

from approvals.services.lifetimes import sweep_ended_cases
from approvals.visibility import actions_visible_to
from cases.clock import db_now
from cases.models import Case
from cases.states import State
from cases.veil import veiled_among
from cases.vocabulary import Role, Verdict
from config.invariants import broken
from feedback.alike import neighbours_of
from feedback.models import Review, SecondLook
from feedback.seeing import reviews_visible_to
from feedback.services import looks
from feedback.services.looks import Wish
from feedback.submission import Submission
from queues.models import Entry
from queues.services import claims
from tests.callers import Caller
from tests.feedback.review_pages import url, words_of
from tests.feedback.test_quorum import ACCEPT, REJECT, vote
from tests.feedback.test_second_looks import HOUR
from tests.worlds import QUESTION, make_world

TELLTALE = "A telltale note"
REJECTED = Submission(Verdict.REJECT, notes=TELLTALE)
REFUND = {"action": "issue_refund", "params": {"order_id": "o_1"}, "amount": "5.00", "currency": "USD"}


@pytest.fixture
def world(db):
    """Rita has rejected a case with an action, and somebody is to look at that again, blind."""
    world = make_world(rules={"new_release_reviews": 0, "sampling_share": 0.0}, undo_seconds=0)
    world.senior = world.person("sena", Role.SENIOR_REVIEWER, reviews=True)
    world.case = world.submit(external_id="conv-1", proposed_action=REFUND)
    vote(world.case, world.reviewer, REJECTED)
    assert sweep_ended_cases() == 1
    asked = Wish(since=db_now() - HOUR, until=db_now() + HOUR, number=1, is_blind=True)
    (world.look,) = looks.sample(world.tenant, asked, actor=world.supervisor, reason="monthly sample")
    world.case = Case.objects.get(pk=world.case.pk)
    return world


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_no_page_or_list_tells_a_possible_second_reviewer_what_was_decided(world):
    client, other = signed_in(world.senior), world.submit(user_question=QUESTION)
    case = reverse("admin:cases_case_change", args=[world.case.pk])
    pages = [url("work", world.case), url("work", other), case]
    pages += [reverse(f"admin:{name}_changelist") for name in ("cases_case", "feedback_review", "feedback_correction")]
    pages += [reverse("admin:approvals_proposedaction_changelist"), reverse("admin:cases_customernotice_changelist")]
    for step in ("before it is taken", "held"):
        for page in pages:
            response = client.get(page)
            assert response.status_code == 200, page
            text = response.content.decode().partition('id="changelist-filter"')[0]
            for told in (TELLTALE, "Rejected", "rejected", "Cancelled", "What was decided", "by Rita"):
                assert told not in text.replace("What was decided is shown", ""), (step, page, told)
        claims.claim(world.case, world.senior)
    text = words_of(client.get(url("work", world.case)))
    assert "Somebody has decided this case" in text and "Your second look" in text and "issue_refund" in text
    assert client.get(reverse("admin:cases_case_history", args=[world.case.pk])).status_code == 302
    for query in ("?state__exact=rejected", "?verdict=reject", "?q=telltale", "?state__exact=pending_review"):
        assert "conv-1" not in words_of(client.get(reverse("admin:cases_case_changelist") + query)), query
    assert "conv-1" in words_of(client.get(reverse("admin:cases_case_changelist")))
    (action,) = world.case.actions.all()
    at = reverse("admin:approvals_proposedaction_change", args=[action.pk])
    assert client.get(at).status_code == 302 and not actions_visible_to(world.senior).exists()
    assert not neighbours_of(Case.objects.with_text().get(pk=other.pk), str, reader=world.senior).alike


def test_the_api_shows_them_a_case_under_review_and_its_caller_the_outcome(world):
    sena, path = Caller(world.senior, world.tenant), f"cases/{world.case.wire_id}/"
    found = sena.get(path).json()
    assert (found["state"], found["outcome"], found["actions"]) == (State.PENDING_REVIEW, None, [])
    assert [line["type"] for line in sena.get(f"{path}timeline/").json()["results"]] == ["case.opened"]
    for state, count in ((State.REJECTED, 0), (State.PENDING_REVIEW, 1)):
        assert len(sena.get(f"cases/?state={state}").json()["results"]) == count
    assert not reviews_visible_to(world.senior, Review.objects.all()).exists()
    caller = Caller(world.service, world.tenant)
    assert caller.get(path).json()["outcome"]["verdict"] == Verdict.REJECT
    assert len(caller.get("cases/?state=rejected").json()["results"]) == 1


def test_who_is_kept_out_of_the_look_or_reviews_nothing_sees_the_outcome(world):
    outsider = make_world("other")
    assert Entry.objects.get(case=world.case).excluded == sorted([world.reviewer.pk, world.supervisor.pk])
    for knows in (world.reviewer, world.supervisor, world.compliance):
        assert TELLTALE in words_of(signed_in(knows).get(url("work", world.case))), knows
        assert not veiled_among([world.case], knows)
    assert signed_in(outsider.colleague).get(url("work", world.case)).status_code == 404
    assert "conv-1" in words_of(signed_in(world.supervisor).get("/admin/feedback/secondlook/"))


def test_who_has_opened_the_case_since_or_reads_the_audit_trail_does_not_look_blind(world):
    reads_all = world.person("tess", Role.TENANT_ADMIN, Role.REVIEWER, reviews=True)
    second = world.submit(external_id="conv-2")
    vote(second, world.reviewer, REJECTED)
    signed_in(world.colleague).get(url("work", second))
    decision = Review.objects.get(case=second)
    looks.ask(decision.pk, actor=world.supervisor, reason="sample", is_blind=True)
    kept_out = set(Entry.objects.get(case=second).excluded)
    assert kept_out == {world.reviewer.pk, world.supervisor.pk, world.colleague.pk, reads_all.pk}
    assert not veiled_among([Case.objects.get(pk=second.pk)], world.colleague)


@pytest.mark.parametrize(
    ("said", "result", "told"),
    [(REJECT, SecondLook.Result.UPHELD, "You both say"), (ACCEPT, SecondLook.Result.OVERTURNED, "You differ")],
)
def test_once_it_is_given_both_outcomes_are_there(world, said, result, told):
    client = signed_in(world.senior)
    client.post(url("take", world.case))
    generation = Entry.objects.get(case=world.case).generation
    digest = bytes(world.case.current_draft.content_digest).hex()
    form = {"generation": generation, "displayed": digest, "verdict": said.verdict, "notes": "so it is"}
    answer = client.post(url("decide", world.case), form, follow=True)
    assert told in words_of(answer)
    world.look.refresh_from_db()
    assert world.look.result == result and Review.objects.filter(case=world.case).count() == 2
    text = words_of(client.get(url("work", world.case)))
    assert TELLTALE in text and "so it is" in text
    assert list(broken()) == []
