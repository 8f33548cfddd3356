"""Conditional GET: who asks again gets a 304 until something that they may see has changed."""

import pytest

from cases.models import Case
from cases.services import lifecycle, switch
from queues.services import claims
from tests.callers import Caller
from tests.worlds import SURE, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


@pytest.fixture
def caller(world):
    return Caller(world.service, world.tenant)


def ask(caller, path, etag=None, **query):
    return caller.get(path, headers={} if etag is None else {"If-None-Match": etag}, **query)


def test_an_answer_that_has_not_changed_is_not_sent_again(world, caller):
    path = f"cases/{world.submit().wire_id}/"
    first = ask(caller, path)
    again = ask(caller, path, first["ETag"])
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again["ETag"] == first["ETag"]
    assert "Content-Type" not in again


@pytest.mark.parametrize("status", [200, 304])
def test_the_answer_may_be_kept_by_its_caller_alone_and_is_checked_each_time(world, caller, status):
    path = f"cases/{world.submit().wire_id}/"
    etag = ask(caller, path)["ETag"] if status == 304 else None
    answer = ask(caller, path, etag)
    assert (answer.status_code, answer["Cache-Control"]) == (status, "private, no-cache")
    assert "RateLimit-Remaining" in answer


def test_every_change_that_the_caller_can_see_changes_the_tag(world, caller):
    case = world.submit(signals=SURE)
    tags = []

    def look():
        tags.append(ask(caller, f"cases/{case.wire_id}/")["ETag"])

    look()
    lifecycle.escalate(case.pk, actor=world.service)
    look()
    claims.claim(Case.objects.get(), world.reviewer)
    look()
    lifecycle.withdraw(case.pk, actor=world.service)
    look()
    assert len(set(tags)) == 4


def test_two_readers_who_see_different_things_have_different_tags(world, caller):
    case = world.submit(resume_token="thread-42")
    path = f"cases/{case.wire_id}/"
    assert ask(caller, path)["ETag"] != ask(Caller(world.reviewer, world.tenant), path)["ETag"]


@pytest.mark.parametrize("known", ['"other", {}', "W/{}", "*", ' "x" ,  {} '])
def test_a_list_a_weak_tag_and_a_star_are_understood(world, caller, known):
    path = f"cases/{world.submit().wire_id}/"
    etag = ask(caller, path)["ETag"]
    assert ask(caller, path, known.format(etag)).status_code == 304


@pytest.mark.parametrize("known", ["", '"other"', "nonsense", '"'])
def test_any_other_tag_gets_the_whole_answer(world, caller, known):
    assert ask(caller, f"cases/{world.submit().wire_id}/", known).status_code == 200


def test_the_tag_of_a_case_does_not_open_it_to_an_outsider(world, caller):
    other = make_world("other")
    path = f"cases/{world.submit().wire_id}/"
    etag = ask(caller, path)["ETag"]
    for known in (etag, "*"):
        answer = ask(Caller(other.service, other.tenant), path, known)
        assert answer.status_code == 404
        assert "ETag" not in answer


def test_automation_is_304_until_the_switch_moves(world, caller):
    etag = ask(caller, "automation/")["ETag"]
    assert ask(caller, "automation/", etag).status_code == 304
    switch.stop(switch.Scope(world.tenant, domain="billing"), actor=world.supervisor, reason="wrong prices")
    assert ask(caller, "automation/", etag).status_code == 304
    stopped = ask(caller, "automation/", etag, domain="billing")
    assert (stopped.status_code, stopped.json()["ai_automation_enabled"]) == (200, False)
    switch.stop(switch.Scope(world.tenant), actor=world.supervisor, reason="all wrong")
    assert ask(caller, "automation/", etag).json()["ai_automation_enabled"] is False
    switch.resume(switch.Scope(world.tenant), actor=world.supervisor, reason="mended")
    assert ask(caller, "automation/", etag).status_code == 304


def test_another_reason_is_news(world, caller):
    tags = set()
    for reason in ("one", "two"):
        switch.stop(switch.Scope(world.tenant), actor=world.supervisor, reason=reason)
        tags.add(ask(caller, "automation/")["ETag"])
    assert len(tags) == 2


def test_an_answer_without_a_tag_is_not_stored_at_all(caller):
    assert ask(caller, "cases/")["Cache-Control"] == "no-store"
