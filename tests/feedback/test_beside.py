"""What stands beside a case: the customer's other cases, decided ones about the same things, the tenant's snippets."""

import pytest
from django.urls import reverse

from feedback.alike import neighbours_of
from feedback.models import TextSnippet
from feedback.services import reviews
from feedback.snippets import snippets_for
from feedback.submission import Submission
from tests.worlds import make_world

pytestmark = pytest.mark.django_db

SHOES = "The shoes arrived with a broken heel, may I return them?"


@pytest.fixture
def world():
    return make_world("acme")


def decided(world, **fields):
    case = world.submit(**fields)
    entry = world.claim()
    assert entry.case_id == case.pk
    reviews.submit(case.pk, Submission("accept"), actor=world.reviewer, generation=entry.generation)
    return case


def beside(case):
    return neighbours_of(type(case).objects.with_text().get(pk=case.pk), lambda at: f"{at:%H:%M}")


def test_the_same_customers_other_cases_newest_first(world):
    other = make_world("globex")
    first = world.submit(customer={"reference": "cust_1"}, external_id="first")
    second = world.submit(customer={"reference": "cust_1"}, external_id="second", domain="returns")
    world.submit(customer={"reference": "cust_2"})
    other.submit(customer={"reference": "cust_1"})
    case = world.submit(customer={"reference": "cust_1"})
    assert [row.id for row in beside(case).theirs] == [second.pk, first.pk]


def test_decided_cases_of_the_domain_that_share_words_the_closest_first(world):
    other = make_world("globex")
    near = decided(world, user_question="My shoes have a broken heel. Return?")
    far = decided(world, user_question="May I return shoes after a year?")
    decided(world, user_question="Where is my invoice?")
    decided(world, user_question=SHOES, domain="returns")
    decided(other, user_question=SHOES)
    world.submit(user_question=SHOES)  # Not decided.
    found = beside(world.submit(user_question=SHOES)).alike
    assert [row.id for row in found] == [near.pk, far.pk]
    assert found[0].standing == "Approved, accept" and found[0].answer.startswith("Yes. You can")


def test_a_customer_and_a_question_without_neighbours_have_none(world):
    assert beside(world.submit(user_question="?")) == neighbours_of(world.submit(user_question="?"), str)


def test_the_page_shows_neighbours_as_text(client, world):
    decided(world, user_question=SHOES + " <script>alert(1)</script>")
    world.submit(user_question=SHOES)
    client.force_login(world.reviewer)
    page = client.get(reverse("admin:feedback_review_work", args=[world.claim().case_id]))
    html = page.content.decode()
    assert "Decided cases about the same things" in html
    assert "<script>alert" not in html


# --- snippets --------------------------------------------------------------------------------------------------------


def snippet(world, key, text, **fields):
    row = TextSnippet(tenant=world.tenant, key=key, text=text, **fields)
    row.full_clean()
    row.save_as(world.supervisor, "created")
    return row


def test_the_snippet_for_the_language_and_domain_is_offered(world):
    snippet(world, "late", "It is late.")
    snippet(world, "late", "Er ist zu spät.", locale="de")
    snippet(world, "late", "Ihre Rechnung ist zu spät.", locale="de", domain="billing")
    snippet(world, "bye", "Goodbye.", domain="returns")
    snippet(make_world("globex"), "late", "Not yours.")
    assert snippets_for(world.submit(language="de-CH")) == [("late", "Ihre Rechnung ist zu spät.")]
    assert snippets_for(world.submit(language="en")) == [("late", "It is late.")]


def test_supervisors_write_snippets_and_reviewers_only_read_them(client, world):
    client.force_login(world.supervisor)
    sent = {
        "tenant": world.tenant.pk,
        "key": "late",
        "text": "It is late.",
        "domain": "",
        "locale": "",
        "reason": "new",
    }
    client.post(reverse("admin:feedback_textsnippet_add"), sent)
    assert TextSnippet.objects.get().text == "It is late."
    client.force_login(world.reviewer)
    assert client.get(reverse("admin:feedback_textsnippet_changelist")).status_code == 200
    assert client.get(reverse("admin:feedback_textsnippet_add")).status_code == 403


def test_an_outsider_sees_no_snippet(client, world):
    row = snippet(world, "late", "It is late.")
    client.force_login(make_world("globex").supervisor)
    assert "late" not in client.get(reverse("admin:feedback_textsnippet_changelist")).context["cl"].result_list
    assert client.get(reverse("admin:feedback_textsnippet_change", args=[row.pk])).status_code == 302
