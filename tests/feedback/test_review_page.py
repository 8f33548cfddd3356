"""The review page without JavaScript: plain requests, as a browser with scripts off would send them."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now, pretend_now
from cases.models import Case, Denial
from cases.services import intake, lifecycle
from cases.wire.intake import parse_draft
from feedback.models import Review, ReviewDraft
from queues.models import Entry, QueueGroupPermission
from queues.services import claims
from tests.worlds import DRAFT, FAIR, QUESTION, SURE, World, make_world

pytestmark = pytest.mark.django_db

HOSTILE = '<script>alert("x")</script> <img src=x onerror=alert(1)> pay\u202egnp.exe\u200bnow'
VIEWS = ("work", "take", "decide", "undo", "release", "heartbeat")
# The page, the session, the person and the rights: the budget of everything that a reviewer opens.
QUERY_BUDGET = 15


@pytest.fixture
def world() -> World:
    return make_world("acme")


@pytest.fixture
def rita(client, world):
    """The reviewer's browser."""
    client.force_login(world.reviewer)
    return client


def url(view: str, case: Case | Entry) -> str:
    return reverse(f"admin:feedback_review_{view}", args=[getattr(case, "case_id", None) or case.pk])


def filled_in(page, **changes) -> dict[str, str]:
    """The form of a page as a browser would send it, with ``changes``."""
    form = page.context["form"]
    values = {field.name: field.value() or "" for field in form}
    values |= {"generation": page.context["page"].entry.generation, "displayed": page.context["page"].digest}
    values |= {"take_next": ""} | changes
    # A browser sends line ends as CR LF.
    return {name: v.replace("\n", "\r\n") if isinstance(v, str) else v for name, v in values.items()}


def open_next(client, world: World):
    """Claim the next case and open its page."""
    return client.get(url("work", world.claim()))


def decide(client, page, **changes):
    return client.post(url("decide", page.context["page"].case), filled_in(page, **changes))


def words_of(response) -> str:
    """The page as it reads: without tags, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# --- taking a case -------------------------------------------------------------------------------------------------


def test_the_button_takes_the_next_case_and_shows_it(rita, world):
    case = world.submit()
    response = rita.post(reverse("admin:feedback_review_next"))
    assert response.url == url("work", case)
    assert "Your decision" in words_of(rita.get(response.url))


def test_with_nothing_waiting_the_button_says_so(rita, world):
    response = rita.post(reverse("admin:feedback_review_next"))
    assert response.url == reverse("admin:index")
    assert "Nothing waits for you now" in str(next(iter(get_messages(response.wsgi_request))))


def test_somebody_who_is_no_reviewer_gets_no_case(client, world):
    world.submit()
    client.force_login(world.compliance)
    response = client.post(reverse("admin:feedback_review_next"))
    assert response.url == reverse("admin:index")
    assert "You are no reviewer here" in str(next(iter(get_messages(response.wsgi_request))))


def test_a_link_takes_nothing(rita, world):
    case = world.submit()
    assert rita.get(reverse("admin:feedback_review_next")).status_code == 405
    assert rita.get(url("take", case)).status_code == 405
    assert Entry.objects.get(case=case).claimed_by is None


def test_a_reader_sees_the_case_and_may_take_it(rita, world):
    case = world.submit()
    page = rita.get(url("work", case))
    assert "Take this case" in words_of(page) and "Your decision" not in words_of(page)
    taken = rita.post(url("take", case), follow=True)
    assert "Your decision" in words_of(taken)


def test_two_people_cannot_hold_one_case(client, world):
    case = world.submit()
    world.claim(world.colleague)
    client.force_login(world.reviewer)
    page = client.get(url("work", case))
    assert "Carl has this case until" in words_of(page)
    assert "Take this case" not in words_of(page)
    taken = client.post(url("take", case), follow=True)
    assert "Carl has this case until" in words_of(taken)
    assert Entry.objects.get(case=case).claimed_by == world.colleague


def test_compliance_reads_without_a_button(client, world):
    case = world.submit()
    client.force_login(world.compliance)
    page = client.get(url("work", case))
    assert page.status_code == 200
    assert "Take this case" not in words_of(page) and 'name="verdict"' not in page.content.decode()


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_the_page_says_why_the_case_is_here_and_until_when(rita, world):
    world.submit(risk_level="medium", reason_for_escalation="The bot was unsure about outlet shoes.")
    text = words_of(open_next(rita, world))
    for part in (
        "Groundedness is low (0.62).",
        "Low confidence",
        "Quick review",
        "General",
        "due in 3 h 59 min",
        "Yours",
        "The bot was unsure about outlet shoes.",
        "English (en)",
        "score 83 %",
    ):
        assert part in text, part


def test_every_signal_is_drawn_with_its_numbers(rita, world):
    world.submit_full()
    page = open_next(rita, world)
    text = words_of(page)
    assert "Groundedness" in text and "0.31 weak, 8 of 25 points" in text
    assert "missing 0 of 10 points" in text
    assert page.content.decode().count('class="bar-got"') == len(page.context["page"].signals) + 1  # and one score


def test_a_full_investigation_shows_everything_at_once(rita, world):
    world.submit_full(
        reasoning="The policy says sixty days.",
        messages=[{"role": "assistant", "content": "How can I help?"}],
        policies=[{"policy_id": "returns-v3", "text": "Thirty days. " * 90}],
        tool_results=[{"tool": "get_order", "status": "ok", "output": '{"total": 1.10, "items": []}'}],
        limited_answer="A specialist will look at this.",
    )
    page = open_next(rita, world)
    text = words_of(page)
    for part in (
        "The policy says sixty days.",
        "How can I help?",
        "returns-v3",
        "get_order",
        "Evidence marked",
        "A specialist will look at this.",
        "a code or a note; needed whatever you decide",
    ):
        assert part in text, part
    assert "&quot;total&quot;: 1.10,\n  &quot;items&quot;: []" in page.content.decode()
    assert "data-rest" not in page.content.decode()


def test_a_quick_review_folds_the_rest(rita, world):
    world.submit(
        reasoning="Because.",
        evidence=[
            {"document_id": "thin", "quote": "Perhaps.", "score": 0.2},
            {"document_id": "best", "quote": "Thirty days.", "score": 0.9},
        ],
    )
    html = open_next(rita, world).content.decode()
    before, rest = html.split("data-rest", 1)
    assert "Thirty days." in before and "Perhaps." not in before and "Because." not in before
    assert "Perhaps." in rest and "Because." in rest


def test_the_proposed_action_stands_as_fields(rita, world):
    world.submit(
        proposed_action={
            "action": "issue_refund",
            "params": {"order_id": "o_1", "lines": [{"sku": "A1"}]},
            "amount": "4200.50",
            "currency": "USD",
            "policy_basis": "enterprise exception",
        }
    )
    text = words_of(open_next(rita, world))
    for part in ("issue_refund", "4,200.50 USD", "Order id o_1", "Critical impact", "enterprise exception", "Proposed"):
        assert part in text, part


def test_a_reviewer_sees_the_customer_masked_and_a_supervisor_in_full(client, world):
    case = world.submit(customer={"reference": "cust_981", "email": "anna@example.com"})
    client.force_login(world.reviewer)
    masked = words_of(client.get(url("work", case)))
    assert "anna@example.com" not in masked and "an•••" in masked
    client.force_login(world.supervisor)
    assert "anna@example.com" in words_of(client.get(url("work", case)))


def test_whatever_comes_from_outside_is_shown_as_text(rita, world):
    world.submit_full(
        external_id="id-" + HOSTILE,
        user_question=HOSTILE,
        model_draft=HOSTILE,
        reasoning=HOSTILE,
        reason_for_escalation=HOSTILE,
        limited_answer=HOSTILE,
        messages=[{"role": "user", "content": HOSTILE}],
        evidence=[{"document_id": HOSTILE, "quote": HOSTILE, "url": "https://evil.example/?q=%3Cscript%3E"}],
        policies=[{"policy_id": HOSTILE, "text": HOSTILE}],
        tool_results=[{"tool": HOSTILE, "status": "<b>ok</b>", "output": HOSTILE}],
        customer={"reference": HOSTILE},
        release={"model": HOSTILE},
        proposed_action={"action": "issue_refund", "params": {HOSTILE: HOSTILE}},
    )
    page = open_next(rita, world)
    html = page.content.decode()
    main = html[html.index("<main") : html.index("</main>")]
    assert "<script" not in main and "<img" not in main and "<b>ok" not in main
    assert 'href="https://evil' not in html
    # The one field that may be edited holds the characters themselves; everywhere else they are named.
    outside_fields = re.sub(r"<textarea.*?</textarea>", "", main, flags=re.DOTALL)
    assert "\u202e" not in re.sub(r"<[^>]*>", "", outside_fields)
    assert "U+202E" in main and "U+200B" in main
    assert "The draft holds invisible characters" in main


def test_the_page_carries_no_style_and_no_script_of_its_own(rita, world):
    world.submit_full()
    html = open_next(rita, world).content.decode()
    assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)


def test_the_queries_of_a_page_are_few_and_do_not_grow(rita, world):
    few, many = (
        world.submit_full(),
        world.submit_full(
            evidence=[{"document_id": f"d{n}", "quote": "q"} for n in range(40)],
            tool_results=[{"tool": f"t{n}", "status": "ok", "output": "{}"} for n in range(40)],
            proposed_action={"action": "issue_refund", "params": {"a": 1}},
        ),
    )
    for case, rounds in ((few, 1), (many, 12)):
        claims.claim(case, world.reviewer)
        for _ in range(rounds):
            entry = Entry.objects.get(case=case)
            claims.release(case.pk, world.reviewer, entry.generation)
            claims.claim(case, world.reviewer)
            decide(rita, rita.get(url("work", case)), verdict="reject", notes="No.")
            rita.post(url("undo", case))
        for n in range(2, 2 + rounds // 6):
            intake.add_draft(case.pk, parse_draft({"model_draft": f"draft {n}"}), actor=world.service)
    counts = []
    for case in (few, many):
        with CaptureQueriesContext(connection) as queries:
            page = rita.get(url("work", case))
        assert "Your decision" in words_of(page)
        counts.append(len(queries))
    assert counts[1] <= QUERY_BUDGET, "\n".join(query["sql"][:150] for query in queries)
    assert counts[0] <= counts[1] <= counts[0] + 1  # Earlier drafts are asked for only where there are some.


# --- deciding --------------------------------------------------------------------------------------------------------


def test_accept_sends_the_draft(rita, world):
    case = world.submit()
    response = decide(rita, open_next(rita, world), verdict="accept")
    case = Case.objects.get(pk=case.pk)
    assert response.url == reverse("admin:index")
    assert (case.state, case.verdict) == ("approved", "accept")


def test_decide_and_take_next_shows_the_next_case(rita, world):
    world.submit()
    second = world.submit()
    response = decide(rita, open_next(rita, world), verdict="accept", take_next="on")
    assert response.url == url("work", second)
    page = rita.get(response.url)
    assert "Accepted: " in words_of(page) and "Undo" in words_of(page)


def test_an_edit_is_stored_as_a_pair_and_shown_as_a_comparison(rita, world):
    case = world.submit()
    better = DRAFT.replace("60 days", "30 days")
    decide(rita, open_next(rita, world), verdict="edit", final_answer=better, reason_code="wrong_fact")
    review = Review.objects.get(case=case)
    assert (review.verdict, review.edit_distance, review.is_override) == ("edit", 1, True)
    assert review.content.text["final_answer"] == better
    html = rita.get(url("work", case)).content.decode()
    assert "<del>60</del><ins>30</ins>" in html


def test_a_draft_that_nobody_touched_counts_as_accepted(rita, world):
    case = world.submit()
    decide(rita, open_next(rita, world), verdict="edit")
    assert Review.objects.get(case=case).verdict == "accept"


def test_reject_needs_a_reason_and_keeps_everything_typed(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    refused = decide(rita, page, verdict="reject", missing_evidence="The outlet rules.", final_answer="Half a th\u00e9")
    assert refused.status_code == 400
    text = words_of(refused)
    assert "Say why it is rejected" in text and "The outlet rules." in text and "Half a thé" in text
    done = decide(rita, page, verdict="reject", reason_code="unsupported", incorrect_evidence="returns")
    assert done.status_code == 302
    case = Case.objects.get(pk=case.pk)
    review = Review.objects.get(case=case)
    assert case.state == "rejected" and review.content.text["incorrect_evidence"] == ["returns"]


def test_the_evidence_ticked_as_wrong_stays_ticked_when_the_form_comes_back(rita, world):
    world.submit()
    refused = decide(rita, open_next(rita, world), verdict="reject", incorrect_evidence="returns")
    assert re.search(r'name="incorrect_evidence" value="returns"\s+checked', refused.content.decode())


def test_a_new_draft_can_be_asked_for(rita, world):
    case = world.submit()
    decide(rita, open_next(rita, world), verdict="needs_edit", notes="Quote the outlet rules.")
    case = Case.objects.get(pk=case.pk)
    assert case.state == "needs_edit"


def test_a_decision_case_offers_the_options_of_its_policy(client):
    world = make_world("clinic", rules={"decision_options": ["approve", "deny", "escalate"]})
    client.force_login(world.reviewer)
    case = world.submit(kind="decision", model_decision="approve", model_draft=None)
    page = open_next(client, world)
    assert "approve (the AI’s)" in page.content.decode()
    decide(client, page, verdict="edit", final_decision="deny")
    case = Case.objects.get(pk=case.pk)
    assert (case.state, case.final_decision, Review.objects.get(case=case).is_override) == ("approved", "deny", True)


def test_without_a_draft_there_is_nothing_to_accept(rita, world):
    case = world.submit(model_draft=None, signals=None, evidence=None)
    page = open_next(rita, world)
    assert "“Accept” is not offered: there is no draft" in words_of(page)
    assert decide(rita, page, verdict="accept").status_code == 400
    decide(rita, page, verdict="edit", final_answer="No, thirty days.", notes="From the policy.")
    case = Case.objects.get(pk=case.pk)
    assert case.final_content.text["final_answer"] == "No, thirty days."


def test_accept_with_a_changed_answer_is_refused_rather_than_losing_it(rita, world):
    case = world.submit()
    refused = decide(rita, open_next(rita, world), verdict="accept", final_answer="Something else entirely.")
    assert refused.status_code == 400
    assert "Choose Edit to send your version" in words_of(refused) and "Something else entirely." in words_of(refused)
    assert not Review.objects.filter(case=case).exists()


def test_enter_in_a_field_decides_nothing(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    form = page.content.decode().split("data-decision", 1)[1]
    assert re.search(r"<button[^>]*>", form).group() == '<button type="submit" disabled hidden>'
    sent = decide(rita, page)  # What a browser sends without a verdict's button.
    assert sent.status_code == 400 and "Choose a verdict" in words_of(sent)
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_a_sample_of_an_automatic_approval_is_confirmed(client):
    world = make_world("acme", rules={"sampling_share": 1.0, "new_release_sampling": 1.0})
    client.force_login(world.reviewer)
    case = world.submit(signals=SURE)
    page = open_next(client, world)
    assert "This was approved automatically; you are looking at a sample." in words_of(page)
    assert "Confirm" in words_of(page)
    decide(client, page, verdict="accept")
    case = Case.objects.get(pk=case.pk)
    assert case.state == "auto_approved" and not Entry.objects.filter(case=case).exists()


def test_a_sample_can_be_overturned(client):
    world = make_world("acme", rules={"sampling_share": 1.0, "new_release_sampling": 1.0})
    client.force_login(world.reviewer)
    case = world.submit(signals=SURE)
    decide(client, open_next(client, world), verdict="reject", notes="It is wrong.")
    case = Case.objects.get(pk=case.pk)
    assert (case.state, case.decided_by) == ("rejected", "human")


# --- what has moved on -----------------------------------------------------------------------------------------------


def test_a_stale_decision_changes_nothing_and_keeps_every_word(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    claims.release(case.pk, world.reviewer, page.context["page"].entry.generation)
    refused = decide(rita, page, verdict="edit", final_answer="Thirty days only.", notes="See the policy.")
    text = words_of(refused)
    assert refused.status_code == 412
    for part in (
        "Nothing was changed, and your text was kept.",
        "What you wrote",
        "Thirty days only.",
        "See the policy.",
        "Take this case again",
    ):
        assert part in text, part
    assert not Review.objects.filter(case=case).exists()
    again = rita.post(url("take", case), follow=True)
    assert "It was kept and stands in the form again" in words_of(again)
    assert again.context["form"]["final_answer"].value() == "Thirty days only."
    decide(rita, again, verdict="edit")
    assert Review.objects.get(case=case).content.text["final_answer"] == "Thirty days only."
    assert not ReviewDraft.objects.exists()


def test_who_lost_the_case_to_another_keeps_the_text_and_cannot_decide(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    claims.release(case.pk, world.reviewer, page.context["page"].entry.generation)
    world.claim(world.colleague)
    refused = decide(rita, page, verdict="reject", notes="Mine.")
    assert refused.status_code == 412
    assert "Carl has this case until" in words_of(refused) and "Mine." in words_of(refused)
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_a_newer_draft_must_be_read_before_it_is_decided(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    intake.add_draft(case.pk, parse_draft({"model_draft": "No, only 30 days.", "signals": FAIR}), actor=world.service)
    refused = decide(rita, page, verdict="accept")
    assert refused.status_code == 412 and "A newer draft has arrived" in words_of(refused)
    assert refused.context["form"]["final_answer"].value() == "No, only 30 days."
    assert "Earlier drafts" in words_of(refused)
    assert decide(rita, refused, verdict="accept").status_code == 302


def test_a_case_that_was_withdrawn_meanwhile_says_so(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    lifecycle.withdraw(case.pk, actor=world.supervisor, reason="solved")
    refused = decide(rita, page, verdict="accept", notes="Kept?")
    assert refused.status_code == 412 and "Kept?" in words_of(refused)
    assert Case.objects.get(pk=case.pk).state == "withdrawn"


def test_a_right_that_was_taken_away_ends_in_a_403_that_is_kept(rita, world):
    case = world.submit()
    page = open_next(rita, world)
    QueueGroupPermission.objects.all().delete()
    refused = decide(rita, page, verdict="accept")
    assert refused.status_code == 403 and "You may not do this here" in words_of(refused)
    assert Denial.objects.get().permission == "work_queue"
    assert Case.objects.get(pk=case.pk).state == "pending_review"


# --- undo, lease, release ---------------------------------------------------------------------------------------


def test_undo_gives_the_case_back(rita, world):
    case = world.submit()
    done = decide(rita, open_next(rita, world), verdict="accept")
    home = str(next(iter(get_messages(done.wsgi_request))))
    assert url("undo", case) in home and "csrfmiddlewaretoken" in home
    undone = rita.post(url("undo", case), follow=True)
    assert "The decision is undone" in words_of(undone) and "Your decision" in words_of(undone)
    case = Case.objects.get(pk=case.pk)
    assert case.state == "pending_review" and case.final_at is None


def test_after_the_window_undo_says_too_late(rita, world):
    case = world.submit()
    decide(rita, open_next(rita, world), verdict="accept")
    with pretend_now(db_now() + timedelta(minutes=5)):
        late = rita.post(url("undo", case), follow=True)
    assert "The undo window has passed" in words_of(late)
    assert Case.objects.get(pk=case.pk).state == "approved"


def test_a_request_for_a_new_draft_can_be_undone_within_the_window_too(rita, world):
    case = world.submit()
    asked = decide(rita, open_next(rita, world), verdict="needs_edit", notes="Shorter.")
    assert "Undo" in str(next(iter(get_messages(asked.wsgi_request))))
    with pretend_now(db_now() + timedelta(minutes=5)):
        assert "Undo the decision" not in words_of(rita.get(url("work", case)))
    assert "Undo the decision" in words_of(rita.get(url("work", case)))
    rita.post(url("undo", case))
    assert Case.objects.get(pk=case.pk).state == "pending_review"


def test_nobody_undoes_somebody_elses_decision(client, world):
    case = world.submit()
    client.force_login(world.reviewer)
    decide(client, open_next(client, world), verdict="accept")
    client.force_login(world.colleague)
    assert "Undo the decision" not in words_of(client.get(url("work", case)))
    assert "is not yours" in words_of(client.post(url("undo", case), follow=True))


def test_the_lease_is_extended_by_the_script_and_by_the_button(rita, world):
    world.submit()
    page = open_next(rita, world)
    entry = page.context["page"].entry
    with pretend_now(db_now() + timedelta(minutes=10)):
        answer = rita.post(
            url("heartbeat", entry), {"generation": entry.generation}, headers={"accept": "application/json"}
        )
        assert answer.json()["lease_expires_at"] > entry.lease_expires_at.isoformat()
        typed = rita.post(url("heartbeat", entry), filled_in(page, final_answer="Half a sen"))
    assert typed.status_code == 200 and "Half a sen" in words_of(typed)
    assert "Choose a verdict" not in words_of(typed)


def test_a_lost_lease_is_a_412_for_the_script(rita, world):
    world.submit()
    entry = world.claim()
    claims.release(entry.case_id, world.reviewer, entry.generation)
    answer = rita.post(
        url("heartbeat", entry), {"generation": entry.generation}, headers={"accept": "application/json"}
    )
    assert answer.status_code == 412 and answer.json()["code"] == "stale_generation"


@pytest.mark.parametrize("generation", ["", "x", "-1", "9" * 40, "٣"])
def test_a_generation_that_is_none_is_stale(rita, world, generation):
    world.submit()
    entry = world.claim()
    page = rita.get(url("work", entry))
    assert decide(rita, page, verdict="accept", generation=generation).status_code in (400, 412)
    answer = rita.post(url("heartbeat", entry), {"generation": generation}, headers={"accept": "application/json"})
    assert answer.status_code == 412


def test_a_released_case_waits_again(rita, world):
    world.submit()
    entry = world.claim()
    response = rita.post(url("release", entry), {"generation": entry.generation})
    assert response.url == reverse("admin:index")
    assert Entry.objects.get(pk=entry.pk).claimed_by is None


# --- who may look ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS)
def test_an_outsider_meets_the_same_404_as_for_a_case_that_does_not_exist(client, world, view):
    case = world.submit()
    outsider = make_world("other").reviewer
    client.force_login(outsider)
    ask = client.get if view == "work" else client.post
    theirs = ask(url(view, case))
    missing = ask(reverse(f"admin:feedback_review_{view}", args=[uuid4()]))
    assert theirs.status_code == missing.status_code == 404
    assert theirs.content == missing.content


@pytest.mark.parametrize("view", VIEWS)
def test_who_is_not_signed_in_meets_the_sign_in_page(client, world, view):
    case = world.submit()
    response = (client.get if view == "work" else client.post)(url(view, case))
    assert response.status_code == 302 and response.url.startswith(reverse("admin:login"))


def test_the_list_of_reviews_shows_a_tenants_own_only(client, world):
    world.submit(external_id="conv-1")
    client.force_login(world.reviewer)
    decide(client, open_next(client, world), verdict="accept")
    listed = reverse("admin:feedback_review_changelist")
    assert "conv-1" in words_of(client.get(listed))
    client.force_login(make_world("other").supervisor)
    assert "conv-1" not in words_of(client.get(listed))


def test_an_erased_case_still_opens(rita, world):
    case = world.submit()
    for content in (case.content, case.current_draft.content):
        content.body = content.salt = content.customer_key = None
        content.search_text, content.erased_at = "", db_now()
        content.save()
    assert "The texts of this case were erased" in words_of(rita.get(url("work", case)))


def test_the_question_and_the_draft_keep_their_lines(rita, world):
    world.submit()
    html = open_next(rita, world).content.decode()
    assert QUESTION in html and DRAFT in html
