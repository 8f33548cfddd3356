"""Satisfaction: what the customer thought, and the recall of an automatic approval that they did not like."""

import pytest

from cases.models import Case, CaseEvent, Denial
from cases.services.satisfaction import LOW
from queues.models import Entry
from tests.callers import Caller
from tests.worlds import FAIR, SURE, make_world

CALM = {"new_release_reviews": 0, "sampling_share": 0.0}
SATISFACTION = CaseEvent.Kind.SATISFACTION


@pytest.fixture
def world(db):
    return make_world(rules=CALM)


@pytest.fixture
def caller(world):
    return Caller(world.service, world.tenant)


def report(caller, case, score, comment=None, **headers):
    body = {"score": score} | ({} if comment is None else {"comment": comment})
    return caller.post(f"cases/{case.wire_id}/satisfaction/", body, **headers)


def reports(case):
    return [event.data for event in case.events.filter(kind=SATISFACTION).order_by("id")]


@pytest.mark.parametrize("score", [1, LOW])
def test_a_low_score_recalls_an_automatic_approval(world, caller, score):
    case = world.submit(signals=SURE)
    answer = report(caller, case, score, "That is not what I asked.")
    assert (answer.status_code, answer.json()["state"], answer.json()["outcome"]) == (200, "pending_review", None)
    assert answer.json()["queue"] == "general"
    recalled = case.events.get(kind=CaseEvent.Kind.RECALLED)
    assert recalled.data == {"trigger": "low_satisfaction"}
    assert recalled.pk > case.events.get(kind=SATISFACTION).pk
    assert case.history.first().history_user_id == world.service.pk


@pytest.mark.parametrize("score", [LOW + 1, 4, 5])
def test_a_better_score_changes_nothing_but_the_timeline(world, caller, score):
    case = world.submit(signals=SURE)
    assert report(caller, case, score).json()["state"] == "auto_approved"
    assert reports(case) == [{"score": score}]
    assert not Entry.objects.exists()


def test_a_low_score_on_a_case_with_people_is_only_recorded(world, caller):
    case = world.submit(signals=FAIR)
    assert report(caller, case, 1).json()["state"] == "pending_review"
    assert reports(case) == [{"score": 1}]
    assert not case.events.filter(kind=CaseEvent.Kind.RECALLED).exists()
    assert Entry.objects.count() == 1


def test_a_second_low_score_does_not_recall_twice(world, caller):
    case = world.submit(signals=SURE)
    assert [report(caller, case, 1).status_code for _ in range(2)] == [200, 200]
    assert case.events.filter(kind=CaseEvent.Kind.RECALLED).count() == 1
    assert Entry.objects.count() == 1


def test_every_report_stays_and_the_last_one_comes_last(world, caller):
    case = world.submit(signals=SURE)
    for score in (5, 3, 4):
        report(caller, case, score)
    assert reports(case) == [{"score": 5}, {"score": 3}, {"score": 4}]


def test_the_comment_rests_in_erasable_content_and_callers_do_not_read_it(world, caller):
    case = world.submit(signals=SURE)
    report(caller, case, 4, "Fine, says Anna.")
    event = case.events.get(kind=SATISFACTION)
    assert (event.note.case_id, event.note.body) == (case.pk, {"note": "Fine, says Anna."})
    assert bytes(event.note_digest) == event.note.digest()
    assert "Anna" not in caller.get(f"cases/{case.wire_id}/timeline/").content.decode()


def test_sent_twice_under_one_key_it_is_recorded_once(world, caller):
    case = world.submit(signals=SURE)
    first, again = (report(caller, case, 1, Idempotency_Key="k") for _ in range(2))
    assert first.json() == again.json()
    assert len(reports(case)) == 1


@pytest.mark.parametrize("body", [{}, {"score": 0}, {"score": 6}, {"score": "5"}, {"score": 4.0}, {"score": True}])
def test_only_a_whole_number_from_one_to_five_is_a_score(world, caller, body):
    case = world.submit(signals=SURE)
    answer = caller.post(f"cases/{case.wire_id}/satisfaction/", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/score"]
    assert reports(case) == []


def test_to_another_tenant_the_case_does_not_exist(world):
    stranger = make_world("other")
    outsider = Caller(stranger.service, stranger.tenant)
    case = world.submit(signals=SURE)
    theirs, nobodys = report(outsider, case, 1), report(outsider, Case(), 1)
    assert theirs.status_code == nobodys.status_code == 404
    assert {**theirs.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}
    assert reports(case) == []


def test_a_reviewer_does_not_speak_for_the_customer(world):
    case = world.submit(signals=SURE)
    assert report(Caller(world.reviewer, world.tenant), case, 1).status_code == 403
    assert Case.objects.get().state == "auto_approved"
    assert Denial.objects.get().actor == world.reviewer
