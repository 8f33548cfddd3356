"""A decision that the page's script sends: its answer carries the next page, or says where to go."""

import pytest
from django.contrib.messages import get_messages
from django.http import Http404
from django.urls import reverse

from feedback.admin import in_place
from feedback.models import Review
from queues.models import Entry
from queues.services import claims
from tests.feedback.review_pages import filled_in, open_next, url, words_of
from tests.worlds import World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world("acme")


@pytest.fixture
def rita(client, world):
    client.force_login(world.reviewer)
    return client


def send(client, page, **changes):
    """As the script sends it."""
    at, fields = url("decide", page.context["page"].case), filled_in(page, take_next="on", **changes)
    return client.post(at, fields, headers={"X-In-Place": "1"})


def test_the_answer_is_the_next_page_and_names_its_address(rita, world):
    world.submit(external_id="conv-1"), world.submit(external_id="conv-2")
    second = Entry.objects.get(case__external_id="conv-2")
    answer = send(rita, open_next(rita, world), verdict="accept")
    assert (answer.status_code, answer["Content-Location"]) == (200, url("work", second))
    assert "Accepted: conv-1" in words_of(answer) and "Undo" in words_of(answer)
    asked_for = rita.get(url("work", second))
    assert "Accepted" not in words_of(asked_for), "said once"
    for part in ("page", "form", "asides", "title"):
        assert type(answer.context[part]) is type(asked_for.context[part])
    assert answer.context["page"].entry.generation == asked_for.context["page"].entry.generation
    after = send(rita, answer, verdict="reject", notes="Thirty days.")
    assert (after.status_code, after["Location"]) == (204, reverse("admin:index"))
    assert "Nothing waits for you now" in words_of(rita.get(after["Location"]))
    assert list(Review.objects.order_by("id").values_list("verdict", flat=True)) == ["accept", "reject"]


def test_what_is_refused_is_answered_as_to_any_form(rita, world):
    world.submit(), world.submit()
    page = open_next(rita, world)
    refused = send(rita, page, verdict="reject", final_answer="Half a thought.")
    assert refused.status_code == 400 and "Half a thought." in words_of(refused)
    entry = page.context["page"].entry
    claims.release(entry.case_id, world.reviewer, entry.generation)
    stale = send(rita, page, verdict="reject", notes="All my findings.")
    assert stale.status_code == 412 and "All my findings." in words_of(stale)
    for answer in (refused, stale):
        assert answer.has_header("X-In-Place") and not answer.has_header("Content-Location")
    assert not Review.objects.exists() and not Entry.objects.held().exists()


def test_a_decision_that_is_sent_again_since_its_answer_was_lost_counts_once_and_says_so(rita, world):
    world.submit(), world.submit()
    page = open_next(rita, world)
    assert send(rita, page, verdict="accept").status_code == 200
    again = send(rita, page, verdict="accept")
    assert again.status_code == 412 and "has arrived already" in words_of(again)
    assert Review.objects.count() == Entry.objects.held().count() == 1


def test_an_outsider_and_somebody_signed_out_decide_nothing_and_are_given_nothing(rita, client, world):
    world.submit(), world.submit()
    page = open_next(rita, world)
    other = make_world("globex")
    other.submit()
    client.force_login(other.reviewer)
    assert send(client, page, verdict="accept").status_code == 404
    client.logout()
    answer = send(client, page, verdict="accept")
    assert answer.status_code == 302 and "/login/" in answer.url and not answer.has_header("X-In-Place")
    assert not Review.objects.exists()
    assert Entry.objects.held().get().claimed_by == world.reviewer


def test_a_fault_of_the_next_page_does_not_say_that_the_decision_failed(rita, world):
    world.submit(), world.submit()
    request = send(rita, open_next(rita, world), verdict="accept").wsgi_request

    def show():
        list(get_messages(request))
        raise Http404

    answer = in_place.carried(request, "/there/", show)
    assert (answer.status_code, answer["Location"]) == (204, "/there/")
    assert not get_messages(request).used, "said on the page that is gone to"
