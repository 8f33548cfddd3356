"""Keeping a case and what was written on it: undo, the lease, the unfinished review."""

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages

from cases.clock import db_now, pretend_now
from cases.models import Case
from feedback.models import Review, ReviewDraft
from queues.services import claims
from tests.feedback.review_pages import decide, filled_in, open_next, url, words_of
from tests.worlds import DRAFT, World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world("acme")


@pytest.fixture
def rita(client, world):
    """The reviewer's browser."""
    client.force_login(world.reviewer)
    return client


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


def test_what_was_decided_stands_in_the_form_again_after_an_undo(rita, world):
    world.submit()
    page = open_next(rita, world)
    decide(rita, page, verdict="edit", final_answer="Thirty days, and not sixty.", notes="Section 4.")
    rita.post(url("undo", page.context["page"].case))
    again = rita.get(url("work", page.context["page"].case))
    assert "Thirty days, and not sixty." in words_of(again) and "Section 4." in words_of(again)
    decide(rita, again, verdict="accept", final_answer=DRAFT, notes="")
    assert not ReviewDraft.objects.exists()


# --- the unfinished review ---------------------------------------------------------------------------------------


def keep(client, page, **changes):
    return client.post(url("keep", page.context["page"].case), filled_in(page, **changes))


def test_an_unfinished_review_is_saved_and_stands_in_the_form_again(rita, world):
    world.submit_full()
    page = open_next(rita, world)
    answer = keep(rita, page, notes="Half a\nthought", finding_1="wrong", no_evidence_applies="on")
    assert answer.status_code == 200 and re.fullmatch(r"\d\d:\d\d", answer.json()["at"])
    keep(rita, page, notes="A whole\nthought", finding_1="wrong")
    again = rita.get(url("work", page.context["page"].case))
    assert "A whole thought" in words_of(again)
    assert again.context["form"].findings == {"returns": "wrong"}
    assert ReviewDraft.objects.count() == 1 and not Review.objects.exists()


def test_what_is_saved_after_the_case_was_lost_is_kept_and_said_to_be_late(rita, world):
    world.submit()
    page = open_next(rita, world)
    claims.release(page.context["page"].case.pk, world.reviewer, page.context["page"].entry.generation)
    answer = keep(rita, page, notes="All my findings")
    assert answer.status_code == 412 and "your text was kept" in answer.json()["detail"]
    assert ReviewDraft.objects.get().content.text["notes"] == "All my findings"


def test_a_save_that_overtakes_nothing_brings_no_decided_review_back(rita, world):
    world.submit()
    page = open_next(rita, world)
    decide(rita, page, verdict="accept", notes="Done")
    assert keep(rita, page, notes="Don").status_code == 412
    assert not ReviewDraft.objects.exists()


def test_who_never_held_the_case_saves_nothing(client, world):
    case = world.submit()
    entry = world.claim()
    client.force_login(world.colleague)
    answer = client.post(url("keep", case), {"generation": entry.generation, "notes": "n"})
    assert answer.status_code == 409
    assert not ReviewDraft.objects.exists()


def test_what_is_too_long_to_keep_is_said_and_nothing_is_stored_by_halves(rita, world):
    world.submit()
    page = open_next(rita, world)
    answer = keep(rita, page, notes="n" * 10_001)
    assert answer.status_code == 400 and "Notes" in answer.json()["detail"]
    assert not ReviewDraft.objects.exists()
