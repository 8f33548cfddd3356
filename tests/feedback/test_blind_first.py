"""Blind first: who is asked, what nobody sees before, and what the AI then did to their mind."""

from functools import partial

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse

from cases.models import Content
from cases.models.people import system_actor
from cases.permissions import Denied
from cases.vocabulary import Verdict
from feedback.blind import STREAK, Anchoring, Shares, Turn, anchoring, turn
from feedback.errors import FirstOpinionGiven, FirstOpinionMissing, ReviewInvalid
from feedback.models import BlindFirstPolicy, FirstOpinion, FrictionCap
from feedback.services import firsts, friction, reviews
from feedback.submission import Submission
from queues.errors import StaleClaim
from queues.models import Entry, QuorumRule
from queues.services import claims
from tests.callers import Caller
from tests.feedback.review_pages import url
from tests.threads import failures, in_parallel
from tests.worlds import DRAFT, QUESTION, make_world

SHARES = Shares(percent=2, percent_risky=6, percent_on_record=10)
OPTIONS = {"decision_options": ["allow", "deny"], "new_release_reviews": 0, "sampling_share": 0.0}
DECISION = {"kind": "decision", "model_decision": "allow", "reasoning": "The file says so."}


@pytest.mark.parametrize(
    ("risk", "missed", "streak", "chance"),
    [
        ("low", False, 0, 0.02),
        ("medium", False, STREAK - 1, 0.02),
        ("high", False, 0, 0.06),
        ("critical", False, 0, 0.06),
        ("low", True, 0, 0.1),
        ("high", False, STREAK, 0.1),
    ],
)
def test_the_share_follows_the_risk_and_the_record(risk, missed, streak, chance):
    assert SHARES.chance(risk, missed_last=missed, accepted_in_a_row=streak) == chance <= SHARES.highest(risk)


@pytest.mark.parametrize(
    ("first", "final", "expected"),
    [
        ("allow", "allow", Turn.AGREED),
        ("allow", "deny", Turn.AGREED),
        ("deny", "allow", Turn.MOVED),
        ("deny", "deny", Turn.STOOD),
        ("deny", "", Turn.THIRD),
    ],
)
def test_what_became_of_an_opinion(first, final, expected):
    assert turn(first, "allow", final) == expected


def test_anchoring_counts_those_who_differed_from_the_ai():
    assert anchoring([Turn.AGREED, Turn.MOVED, Turn.STOOD, Turn.MOVED]) == Anchoring(moved=2, differed=3)


def always(world) -> None:
    """Everybody is asked of every case: the bound of 50 percent is the form's."""
    policy = BlindFirstPolicy(tenant=world.tenant, percent=100, percent_risky=100, percent_on_record=100)
    policy.save_as(system_actor(), "tests")


@pytest.fixture
def world(db):
    world = make_world(rules=OPTIONS, undo_seconds=10)
    always(world)
    return world


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def given(entry, user, **opinion) -> FirstOpinion:
    return firsts.give(entry.case_id, actor=user, generation=entry.generation, **(opinion or {"decision": "deny"}))


def test_no_page_shows_what_the_ai_said_before_the_person_has_spoken(world):
    case = world.submit(**DECISION)
    client = signed_in(world.reviewer)
    pages = (url("work", case), reverse("admin:cases_case_change", args=[case.pk]))
    for step in ("before it is taken", "held"):
        for page in pages:
            text = client.get(page).content.decode()
            assert QUESTION[:20] in text, (step, page)
            for secret in (DRAFT[:40], "60 days", "The file says so.", "Confidence 0"):
                assert secret not in text, (step, page, secret)
        world.claim()
    entry = Entry.objects.get(case=case)
    answer = client.post(url("first", case), {"generation": entry.generation, "decision": "deny"})
    assert answer.status_code == 302
    text = client.get(url("work", case)).content.decode()
    assert "60 days" in text
    assert "What you said first" in text
    assert "60 days" in client.get(pages[1]).content.decode()


def test_who_does_not_review_reads_the_draft(world):
    case = world.submit(**DECISION)
    assert "60 days" in signed_in(world.supervisor).get(url("work", case)).content.decode()
    assert "60 days" in signed_in(world.compliance).get(url("work", case)).content.decode()


def test_a_refused_submit_and_an_extended_lease_show_no_draft_either(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    client = signed_in(world.reviewer)
    for view in ("decide", "heartbeat"):
        answer = client.post(
            url(view, case), {"generation": entry.generation, "verdict": "accept", "displayed": "0" * 64}
        )
        assert b"60 days" not in answer.content
    assert "60 days" not in client.post(url("first", case), {"generation": entry.generation}).content.decode()


def test_nothing_is_decided_before_the_opinion_is_given(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    with pytest.raises(FirstOpinionMissing):
        reviews.submit(case.pk, Submission(Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)
    opinion = given(entry, world.reviewer)
    assert (opinion.decision, opinion.person, opinion.draft) == ("deny", world.reviewer, case.current_draft)
    review = reviews.submit(case.pk, Submission(Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)
    assert turn(opinion.decision, case.current_draft.model_decision, review.final_decision) == Turn.MOVED


def test_it_is_one_of_the_options_or_a_sentence_and_given_once_by_the_holder(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    for wrong in ({"decision": "maybe"}, {"decision": ""}, {"answer": "no decision"}):
        with pytest.raises(ReviewInvalid):
            given(entry, world.reviewer, **wrong)
    with pytest.raises(StaleClaim):
        given(entry, world.colleague)
    given(entry, world.reviewer)
    with pytest.raises(FirstOpinionGiven):
        given(entry, world.reviewer)
    world.submit()
    answered = claims.claim_next(world.colleague, tenant=world.tenant)
    for wrong in ({"decision": "deny"}, {"answer": "  "}, {"answer": "x" * 2001}):
        with pytest.raises(ReviewInvalid):
            given(answered, world.colleague, **wrong)
    assert given(answered, world.colleague, answer="No: it is too late.").content.text["answer"].startswith("No")
    assert Content.objects.filter(case_id=case.pk, owner="review").exists()  # which erasure finds


def test_the_lot_never_changes_and_nobody_is_asked_beyond_the_cap(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    assert firsts.lot(case, world.reviewer) == firsts.lot(case, world.reviewer) != firsts.lot(case, world.colleague)
    assert firsts.blindness(case, entry, world.reviewer).asks
    cap = FrictionCap(tenant=world.tenant, percent=0)
    cap.save_as(system_actor(), "none")
    assert firsts.blindness(case, entry, world.reviewer) == firsts.SEES


def test_an_opinion_given_counts_under_the_cap(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    given(entry, world.reviewer)
    reviews.submit(case.pk, Submission(Verdict.ACCEPT), actor=world.reviewer, generation=entry.generation)
    found = friction.friction_of(world.reviewer, world.tenant)
    assert (found.firsts, found.taken) == (1, 1)


def test_over_many_cases_about_the_stated_share_is_drawn(world):
    case = world.submit(**DECISION)
    lots = []
    for number in range(2000):
        case.current_draft_id = f"{number}"
        lots.append(firsts.lot(case, world.reviewer))
    assert 0.07 < sum(lot < 0.1 for lot in lots) / 2000 < 0.13


def test_without_a_policy_or_a_draft_nobody_is_asked(db):
    world = make_world("quiet")
    case = world.submit()
    assert firsts.blindness(case, world.claim(), world.reviewer) == firsts.SEES
    always(world)
    case = world.submit(model_draft=None)
    assert firsts.blindness(case, world.claim(world.colleague), world.colleague) == firsts.SEES


def test_a_quorum_rule_hides_the_draft_from_its_voters(db):
    world = make_world("votes", rules=OPTIONS, undo_seconds=10)
    rule = QuorumRule(tenant=world.tenant, name="Blind", required_reviews=2, hides_draft=True, risk_from="high")
    rule.save_as(system_actor(), "created")
    low = world.submit(**DECISION)
    assert firsts.blindness(low, world.claim(), world.reviewer) == firsts.SEES
    case = world.submit(**DECISION, risk_level="high")
    for person, said in ((world.colleague, "allow"), (world.person("theo", "reviewer", reviews=True), "deny")):
        entry = claims.claim(case, person)
        accept = Submission(Verdict.ACCEPT, notes="looked into", no_evidence_applies=True)
        with pytest.raises(FirstOpinionMissing):
            reviews.submit(case.pk, accept, actor=person, generation=entry.generation)
        given(entry, person, decision=said)
        reviews.submit(case.pk, accept, actor=person, generation=entry.generation)
    assert FirstOpinion.objects.filter(case=case).count() == 2
    found = friction.friction_of(world.colleague, world.tenant)
    assert (found.votes, found.firsts) == (1, 0)


def test_who_has_left_or_belongs_elsewhere_gives_none(world):
    world.submit(**DECISION)
    entry = world.claim()
    other = make_world("other")
    case_page = signed_in(other.reviewer).post(
        url("first", entry), {"generation": entry.generation, "decision": "deny"}
    )
    assert case_page.status_code == 404
    world.reviewer.memberships.update(is_active=False)
    with pytest.raises(Denied):
        given(entry, world.reviewer)
    assert not FirstOpinion.objects.exists()


def test_it_is_asked_for_and_given_over_the_api(world):
    case = world.submit(**DECISION)
    entry = world.claim()
    rita = Caller(world.reviewer, world.tenant)
    path = f"cases/{case.wire_id}/first-opinion/"
    assert rita.get(path).json() == {
        "case_id": case.wire_id,
        "hides_draft": True,
        "asks": True,
        "options": ["allow", "deny"],
        "decision": None,
    }
    refused = rita.post(f"cases/{case.wire_id}/reviews/", {"verdict": "accept", "generation": entry.generation})
    assert (refused.status_code, refused.json()["code"]) == (409, "first_opinion_missing")
    answer = rita.post(path, {"generation": entry.generation, "decision": "deny"})
    assert (answer.status_code, answer.json()["decision"], answer.json()["asks"]) == (200, "deny", False)
    assert rita.post(path, {"generation": entry.generation, "decision": "deny"}).status_code == 409
    assert Caller(world.service, world.tenant).get(path).json()["hides_draft"] is False


@pytest.mark.django_db(transaction=True)
def test_two_opinions_at_once_are_one():
    world = make_world(rules=OPTIONS)
    always(world)
    world.submit(**DECISION)
    entry = world.claim()
    found = in_parallel([partial(given, entry, world.reviewer, decision=said) for said in ("allow", "deny")])
    assert [type(one) for one in failures(found)] == [FirstOpinionGiven]
    assert FirstOpinion.objects.filter(draft=F("case__current_draft")).count() == 1
