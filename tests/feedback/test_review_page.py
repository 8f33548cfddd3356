"""The review page without JavaScript: plain requests, as a browser with scripts off would send them."""

import re
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases.clock import db_now
from cases.services import intake
from cases.wire.intake import parse_draft
from queues.models import Entry
from queues.services import claims
from tests.feedback.review_pages import decide, open_next, url, words_of
from tests.worlds import DRAFT, QUESTION, World, make_world

pytestmark = pytest.mark.django_db

HOSTILE = '<script>alert("x")</script> <img src=x onerror=alert(1)> pay\u202egnp.exe\u200bnow'
VIEWS = ("work", "take", "decide", "undo", "heartbeat", "keep")
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
    assert counts[0] <= counts[1] <= counts[0] + 2  # Earlier drafts and actions are asked for only where there are any.


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
